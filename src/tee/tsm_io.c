/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The system calls of tsm.h, in the worker's child: no allocation, no stdio, no error object. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tee/tsm.h"

/* -errno, or bytes read up to end of file; one more byte than cap is EFBIG. Blob files have size 0 and short reads. */
static ssize_t read_all(int dir, const char *name, void *out, size_t cap)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	uint8_t *p = out, extra;
	size_t len = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n = len < cap ? read(fd, p + len, cap - len) : read(fd, &extra, 1);

		if (n < 0)
			return -errno;
		if (n == 0)
			return (ssize_t)len;
		if (len == cap)
			return -EFBIG;
		len += (size_t)n;
	}
}

/* A text attribute without its newline. */
static int read_text(int dir, const char *name, char *out, size_t cap)
{
	ssize_t n = read_all(dir, name, out, cap - 1);

	if (n < 0)
		return (int)n;
	if (n > 0 && out[n - 1] == '\n')
		n--;
	out[n] = 0;
	return 0;
}

static int read_number(int dir, const char *name, uint64_t *ret)
{
	char text[24];
	int r = read_text(dir, name, text, sizeof(text));
	uint64_t v = 0;

	if (r < 0)
		return r;
	if (!text[0])
		return -EINVAL;
	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9' || v > (UINT64_MAX - 9) / 10)
			return -EINVAL;
		v = v * 10 + (uint64_t)(*p - '0');
	}
	*ret = v;
	return 0;
}

/* One write: several would append into one commit, and a short one would commit half. */
static int write_once(int dir, const char *name, const void *data, size_t len)
{
	int fd = openat(dir, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW), r = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, data, len);
	if (n < 0)
		r = -errno;
	else if ((size_t)n != len)
		r = -EIO;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}

static bool decimal(const char **s, uint64_t max, uint64_t *ret)
{
	const char *p = *s;
	uint64_t v = 0;

	while (*p >= '0' && *p <= '9' && v <= max)
		v = v * 10 + (uint64_t)(*p++ - '0');
	if (p == *s || v == 0 || v > max)
		return false;
	*s = p;
	*ret = v;
	return true;
}

/* cryptattest-<pid>-<16 hex>: exactly the names that make_instance() makes. */
static bool stale(const char *name)
{
	const char *p = name + strlen(TSM_INSTANCE_PREFIX);
	uint64_t pid;

	if (strncmp(name, TSM_INSTANCE_PREFIX, strlen(TSM_INSTANCE_PREFIX)) != 0 || !decimal(&p, 4194304, &pid))
		return false;
	if (*p++ != '-' || strlen(p) != 16 || strspn(p, "0123456789abcdef") != 16)
		return false;
	return kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

unsigned int tsm_sweep(int report_dir)
{
	_cleanup_close_ int fd = openat(report_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_Alignas(struct dirent64) char buf[4096];
	unsigned int removed = 0;
	ssize_t n;

	if (fd < 0)
		return 0;
	while ((n = getdents64(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t off = 0; off < n;) {
			const struct dirent64 *e = (const void *)(buf + off);

			if (stale(e->d_name) && unlinkat(report_dir, e->d_name, AT_REMOVEDIR) == 0)
				removed++;
			off += e->d_reclen;
		}
	}
	return removed;
}

struct instance {
	int parent, dir;
	char name[64];
};

static int make_instance(int report_dir, struct instance *in)
{
	static const char hex[] = "0123456789abcdef";
	size_t len = strlen(TSM_INSTANCE_PREFIX);
	uint8_t rnd[8];

	in->parent = report_dir;
	/* Names need to differ, not to be secret: an unready pool must not block us early in the boot. */
	if (getrandom(rnd, sizeof(rnd), GRND_NONBLOCK) != (ssize_t)sizeof(rnd)) {
		uint64_t t = clock_ns();

		memcpy(rnd, &t, sizeof(rnd));
	}
	memcpy(in->name, TSM_INSTANCE_PREFIX, len);
	len += tee_format_u64((uint64_t)getpid(), in->name + len);
	in->name[len++] = '-';
	for (size_t i = 0; i < sizeof(rnd); i++) {
		in->name[len++] = hex[rnd[i] >> 4];
		in->name[len++] = hex[rnd[i] & 15];
	}
	in->name[len] = 0;
	if (mkdirat(report_dir, in->name, 0700) < 0)
		return -errno;
	in->dir = openat(report_dir, in->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return in->dir < 0 ? -errno : 0;
}

/* rmdir only: attributes cannot be unlinked, they go with their instance. */
static void remove_instance(struct instance *in)
{
	if (in->dir >= 0)
		close(in->dir);
	if (in->name[0])
		unlinkat(in->parent, in->name, AT_REMOVEDIR);
}

static int fail(struct tsm_request *q, enum tsm_step step, int negative_errno)
{
	q->step = step;
	q->error = -negative_errno;
	return -1;
}

static int read_provider(struct tsm_request *q, int dir)
{
	int r = read_text(dir, "provider", q->provider, sizeof(q->provider));

	if (r < 0)
		return fail(q, TSM_PROVIDER, r);
	r = read_number(dir, "privlevel_floor", &q->floor);
	q->has_floor = r == 0;
	if (r < 0 && r != -ENOENT) /* TDX has none */
		return fail(q, TSM_PRIVLEVEL, r);
	return 0;
}

static int write_attribute(struct tsm_request *q, int dir, enum tsm_step step, const char *name, const void *data, size_t len)
{
	int r = write_once(dir, name, data, len);

	if (r < 0)
		return fail(q, step, r);
	q->writes++;
	return 0;
}

/* An SVSM's service is reported on by the SVSM, at its own level: there is no privlevel to choose. */
static int write_service(struct tsm_request *q, int dir)
{
	if (write_attribute(q, dir, TSM_SERVICE, "service_provider", "svsm", 4) < 0 ||
	    write_attribute(q, dir, TSM_SERVICE, "service_guid", q->service, strlen(q->service)) < 0)
		return -1;
	return write_attribute(q, dir, TSM_SERVICE, "service_manifest_version", "0", 1);
}

/* The default privlevel is 0, which a kernel above VMPL 0 may not ask for: the firmware would refuse the request. */
static int write_privlevel(struct tsm_request *q, int dir)
{
	char text[21];

	if (!q->has_floor || q->floor == 0)
		return 0;
	return write_attribute(q, dir, TSM_PRIVLEVEL, "privlevel", text, tee_format_u64(q->floor, text));
}

static int write_inputs(struct tsm_request *q, int dir)
{
	int r = read_number(dir, "generation", &q->g0);

	if (r < 0)
		return fail(q, TSM_GENERATION, r);
	if ((q->service[0] ? write_service(q, dir) : write_privlevel(q, dir)) < 0)
		return -1;
	return write_attribute(q, dir, TSM_INBLOB, "inblob", q->data, sizeof(q->data));
}

static int read_outputs(struct tsm_request *q, int dir)
{
	ssize_t n = read_all(dir, "outblob", q->out, sizeof(q->out));
	int r;

	if (n < 0)
		return fail(q, TSM_OUTBLOB, (int)n);
	q->out_len = (size_t)n;
	if (q->want_aux) {
		n = read_all(dir, "auxblob", q->aux, sizeof(q->aux));
		if (n < 0 && n != -ENOENT)
			return fail(q, TSM_AUXBLOB, (int)n);
		q->aux_len = n < 0 ? 0 : (size_t)n;
	}
	if (q->service[0]) {
		n = read_all(dir, "manifestblob", q->manifest, sizeof(q->manifest));
		if (n < 0)
			return fail(q, TSM_MANIFEST, (int)n);
		q->manifest_len = (size_t)n;
	}
	r = read_number(dir, "generation", &q->g1);
	return r < 0 ? fail(q, TSM_GENERATION, r) : 0;
}

void tsm_use_instance(struct tsm_request *q, int dir)
{
	if (read_provider(q, dir) < 0)
		return;
	if (!q->probe_only) {
		/* Another TEE's report would be a report for nobody; asking costs the host's patience. */
		if (q->want[0] && strcmp(q->want, q->provider) != 0) {
			fail(q, TSM_PROVIDER, -ENODEV);
			return;
		}
		if (write_inputs(q, dir) < 0 || read_outputs(q, dir) < 0)
			return;
	}
	q->step = TSM_DONE;
}

void tsm_transact(int root_fd, struct tee_shared *shared)
{
	struct tsm_request *q = (struct tsm_request *)shared;
	struct instance in = { .dir = -1 };
	int dir = openat(root_fd, TSM_REPORT_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (dir < 0) {
		fail(q, TSM_MKDIR, -errno);
		return;
	}
	tsm_sweep(dir);
	r = make_instance(dir, &in);
	if (r < 0)
		fail(q, TSM_MKDIR, r);
	else
		tsm_use_instance(q, in.dir);
	if (r != -EEXIST)
		remove_instance(&in);
	close(dir);
}
