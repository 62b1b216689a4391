/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/lib/mapper_recorder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <libcryptsetup.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/encode.h"
#include "base/fileio.h"
#include "base/text.h"

static const char *const fault_words[] = { "wrong-cipher", "wrong-offset", "wrong-device", "wrong-iv",	"no-key",
					   "extra-option", "two-targets",  "short",	   "wrong-uuid",	"fail-activate",
					   "fail-deactivate", "read-only", "recalculate", "no-tags",	"direct",
					   "hex-key", "other-key" };

/* What one activation will be recorded as. */
struct made {
	const char *name;
	char hex[33], device[32], digest[8];
	uint64_t room, offset; /* sectors */
	unsigned int faults, minor, sector_size;
	uint32_t flags;
	bool integrity, read_only;
	const struct secret *key;
};

void mapper_recorder_init(struct mapper_recorder *r, const char *dir)
{
	*r = (struct mapper_recorder){ 0 };
	snprintf(r->dir, sizeof(r->dir), "%s", dir);
}

static void path_of(const struct mapper_recorder *r, const char *name, char out[static 512])
{
	snprintf(out, 512, "%s/%s", r->dir, name);
}

static void log_call(const struct mapper_recorder *r, const char *what, const char *name, uint32_t flags)
{
	_cleanup_close_ int fd = -1;
	char path[512];

	path_of(r, ".log", path);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd >= 0)
		dprintf(fd, "%s %s flags=0x%x\n", what, name, flags);
}

static unsigned int current_faults(const struct mapper_recorder *r)
{
	_cleanup_free_ char *text = NULL;
	unsigned int faults = r->faults;
	char path[512];
	size_t len;

	path_of(r, ".fault", path);
	if (file_read(AT_FDCWD, path, 4096, ERR_INTERNAL, &text, &len, NULL) < 0)
		return faults;
	for (char *save = NULL, *w = strtok_r(text, " \n", &save); w; w = strtok_r(NULL, " \n", &save))
		for (size_t i = 0; i < ARRAY_SIZE(fault_words); i++)
			if (strcmp(w, fault_words[i]) == 0)
				faults |= 1U << i;
	return faults;
}

static int rec_query(void *ctx, const char *name, struct mapper_info *ret, struct err **err);

static bool exists(struct mapper_recorder *r, const char *name)
{
	char path[512];

	path_of(r, name, path);
	return access(path, F_OK) == 0;
}

static unsigned int next_minor(const struct mapper_recorder *r)
{
	unsigned int n = 0;
	DIR *d = opendir(r->dir);

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static int look_at_device(struct crypt_device *cd, struct made *m, struct err **err)
{
	const char *path = crypt_get_device_name(cd);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t size = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set_errno(err, ERR_DEVICE, "activation-failed", errno, "recorder: %s", path);
	if (S_ISBLK(st.st_mode)) {
		if (ioctl(fd, BLKGETSIZE64, &size) < 0)
			return err_set_errno(err, ERR_DEVICE, "activation-failed", errno, "recorder: %s", path);
		snprintf(m->device, sizeof(m->device), "%u:%u", major(st.st_rdev), minor(st.st_rdev));
	} else {
		/* A file has no device number: luks_device says 0 too. */
		size = (uint64_t)st.st_size;
		snprintf(m->device, sizeof(m->device), "0:0");
	}
	m->offset = crypt_get_data_offset(cd);
	m->room = size / 512 > m->offset ? size / 512 - m->offset : 0;
	return 0;
}

static int look_at_header(struct crypt_device *cd, struct made *m, struct err **err)
{
	struct crypt_params_integrity ip = { 0 };
	const char *text = NULL, *uuid = crypt_get_uuid(cd);
	json_t *json;
	size_t n = 0;

	if (crypt_dump_json(cd, &text, 0) < 0 || !(json = json_loads(text, 0, NULL)))
		return err_set(err, ERR_INTERNAL, "recorder", "recorder: no JSON");
	snprintf(m->digest, sizeof(m->digest), "%s", json_object_iter_key(json_object_iter(json_object_get(json, "digests"))));
	json_decref(json);
	for (; *uuid && n < 32; uuid++)
		if (*uuid != '-')
			m->hex[n++] = *uuid;
	m->sector_size = (unsigned int)crypt_get_sector_size(cd);
	m->integrity = crypt_get_integrity_info(cd, &ip) == 0 && ip.integrity;
	return 0;
}

static void put_head(struct buf *b, const struct made *m, const char *kind, unsigned int minor)
{
	const char *name = m->faults & RECORDER_WRONG_UUID ? "other" : m->name;

	buf_printf(b, "uuid CRYPT-%s-%s-%s%s\ndev 254:%u\nopen 0\nro %d\nflags 0x%x\n", kind, m->hex, name,
		   text_eq(kind, "INTEGRITY") ? "_dif" : "", minor, m->read_only || (m->faults & RECORDER_READ_ONLY), m->flags);
}

static void put_key(struct buf *b, struct crypt_device *cd, const struct made *m)
{
	char hex[2 * 128 + 1];

	if (m->faults & RECORDER_NO_KEY) {
		buf_puts(b, "-");
	} else if (m->faults & (RECORDER_HEX_KEY | RECORDER_OTHER_KEY)) {
		hex_encode(secret_cdata(m->key), secret_len(m->key), hex);
		if (m->faults & RECORDER_OTHER_KEY)
			hex[0] = hex[0] == '0' ? '1' : '0';
		buf_puts(b, hex);
		wipe(hex, sizeof(hex));
	} else {
		buf_printf(b, ":%zu:logon:cryptsetup:%s-d%s", secret_len(m->key), crypt_get_uuid(cd), m->digest);
	}
}

static uint64_t mapping_length(const struct made *m)
{
	uint64_t n = m->room;

	if (m->integrity)
		n = n * 9 / 10; /* journal and tags take the rest */
	if (m->faults & RECORDER_SHORT)
		n /= 2;
	return n / 8 * 8;
}

static void put_crypt(struct buf *b, struct crypt_device *cd, const struct made *m)
{
	const char *cipher = m->integrity ? "capi:authenc(hmac(sha256),xts(aes))-plain64" : "aes-xts-plain64";
	bool above = m->integrity && !(m->faults & RECORDER_DIRECT);
	bool discard = m->flags & CRYPT_ACTIVATE_ALLOW_DISCARDS, extra = m->faults & RECORDER_EXTRA_OPTION;
	unsigned int options = (unsigned int)discard + extra + (m->sector_size != 512) + m->integrity;
	uint64_t start = above ? 0 : m->offset + (m->faults & RECORDER_WRONG_OFFSET ? 64 : 0);
	char lower[32];

	snprintf(lower, sizeof(lower), "254:%u", m->minor + 1);
	put_head(b, m, "LUKS2", m->minor);
	buf_printf(b, "target crypt 0 %" PRIu64 " %s ", mapping_length(m),
		   m->faults & RECORDER_WRONG_CIPHER ? "cipher_null-ecb" : cipher);
	put_key(b, cd, m);
	buf_printf(b, " %d %s %" PRIu64, m->faults & RECORDER_WRONG_IV ? 8 : 0,
		   m->faults & RECORDER_WRONG_DEVICE ? "7:99" : above ? lower : m->device, start);
	if (options)
		buf_printf(b, " %u", options);
	buf_puts(b, discard ? " allow_discards" : "");
	buf_puts(b, m->integrity ? " integrity:32:aead" : "");
	buf_puts(b, extra ? " same_cpu_crypt" : "");
	if (m->sector_size != 512)
		buf_printf(b, " sector_size:%u", m->sector_size);
	buf_puts(b, "\n");
	if (m->faults & RECORDER_TWO_TARGETS)
		buf_printf(b, "target linear %" PRIu64 " 8 %s 0\n", mapping_length(m), m->device);
}

/* The numbers of boot-integration.md 14.5. */
static void put_integrity(struct buf *b, const struct made *m)
{
	bool recalculate = m->faults & RECORDER_RECALCULATE;

	put_head(b, m, "INTEGRITY", m->minor + 1);
	buf_printf(b,
		   "target integrity 0 %" PRIu64 " %s %" PRIu64 " %d J %d %sjournal_sectors:1320 interleave_sectors:32768 "
		   "buffer_sectors:128 journal_watermark:50 commit_time:10000 fix_padding%s\n",
		   mapping_length(m), m->device, m->offset, m->faults & RECORDER_NO_TAGS ? 0 : 32,
		   6 + (m->sector_size != 512) + recalculate, m->sector_size != 512 ? "block_size:4096 " : "",
		   recalculate ? " recalculate" : "");
}

static int write_mapping(const struct mapper_recorder *r, const char *name, struct buf *b, struct err **err)
{
	char path[512];

	path_of(r, name, path);
	if (buf_check(b, err) < 0)
		return -1;
	return file_write_volatile(AT_FDCWD, path, b->data, b->len, 0600, err);
}

static int rec_activate(void *ctx, struct crypt_device *cd, const char *name, const struct secret *key, uint32_t flags,
			struct err **err)
{
	_cleanup_buf_ struct buf crypt = BUF_INIT(8192), inner = BUF_INIT(8192);
	struct mapper_recorder *r = ctx;
	struct made m = { .name = name, .flags = flags, .key = key, .faults = current_faults(r), .minor = next_minor(r) };
	char dif[160];

	m.read_only = flags & CRYPT_ACTIVATE_READONLY;
	log_call(r, "activate", name, flags);
	if (m.faults & RECORDER_FAIL_ACTIVATE)
		return err_set_errno(err, ERR_DEVICE, "activation-failed", EINVAL, "cannot map the volume as %s", name);
	if (exists(r, name))
		return err_set(err, ERR_DEVICE, "name-taken", "a mapping called %s exists already", name);
	/* As the real call: the key must match the digest. */
	if (crypt_activate_by_volume_key(cd, NULL, (const char *)secret_cdata(key), secret_len(key), 0) < 0)
		return err_set(err, ERR_INTEGRITY, "K3", "K3: the volume key does not match the digest of the header");
	if (look_at_device(cd, &m, err) < 0 || look_at_header(cd, &m, err) < 0)
		return -1;
	if (m.integrity) {
		put_integrity(&inner, &m);
		snprintf(dif, sizeof(dif), "%s_dif", name);
		if (write_mapping(r, dif, &inner, err) < 0)
			return -1;
	}
	put_crypt(&crypt, cd, &m);
	return write_mapping(r, name, &crypt, err);
}

static int rec_remove(void *ctx, const char *name, struct err **err)
{
	char path[512];

	log_call(ctx, "remove", name, 0);
	path_of(ctx, name, path);
	if (unlink(path) < 0)
		return err_set_errno(err, ERR_DEVICE, "deactivation-failed", errno, "cannot remove %s", name);
	return 0;
}

static int rec_deactivate(void *ctx, struct crypt_device *cd, const char *name, struct err **err)
{
	struct mapper_recorder *r = ctx;
	char dif[160];

	log_call(r, "deactivate", name, 0);
	if (current_faults(r) & RECORDER_FAIL_DEACTIVATE)
		return err_set_errno(err, ERR_DEVICE, "mapping-busy", EBUSY, "cannot unmap %s", name);
	snprintf(dif, sizeof(dif), "%s_dif", name);
	if (rec_remove(ctx, name, err) < 0)
		return -1;
	return exists(r, dif) ? rec_remove(ctx, dif, err) : 0;
}

static int parse_target(const char *line, struct mapper_info *i)
{
	struct mapper_target *t = realloc(i->targets, (i->n_targets + 1) * sizeof(*t));
	int at = 0;

	if (!t)
		return -1;
	i->targets = t;
	t += i->n_targets;
	*t = (struct mapper_target){ 0 };
	if (sscanf(line, "%15s %" SCNu64 " %" SCNu64 " %n", t->type, &t->start, &t->length, &at) != 3)
		return -1;
	t->params = text_dup(line + at);
	i->n_targets++;
	return t->params ? 0 : -1;
}

static int rec_query(void *ctx, const char *name, struct mapper_info *ret, struct err **err)
{
	_cleanup_mapper_info_ struct mapper_info i = { 0 };
	_cleanup_free_ char *text = NULL;
	unsigned int maj = 0, min = 0, ro = 0;
	char path[512];
	size_t len;

	*ret = i;
	if (!exists(ctx, name))
		return 0;
	path_of(ctx, name, path);
	if (file_read(AT_FDCWD, path, 65536, ERR_DEVICE, &text, &len, err) < 0)
		return -1;
	i.exists = true;
	for (char *save = NULL, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "uuid %159s", i.uuid) == 1 || sscanf(line, "open %u", &i.open_count) == 1 ||
		    sscanf(line, "dev %u:%u", &maj, &min) == 2 || sscanf(line, "ro %u", &ro) == 1)
			continue;
		if (text_starts(line, "target ") && parse_target(line + 7, &i) < 0)
			return err_nomem(err);
	}
	i.dev = makedev(maj, min);
	i.read_only = ro != 0;
	*ret = i;
	i = (struct mapper_info){ 0 };
	wipe(text, len);
	return 0;
}

static int rec_list(void *ctx, char ***ret, struct err **err)
{
	struct mapper_recorder *r = ctx;
	_cleanup_closedir_ DIR *d = opendir(r->dir);
	char **list = NULL;
	bool failed = false;
	struct dirent *e;

	while (d && !failed && (e = readdir(d)))
		if (e->d_name[0] != '.')
			list = strv_append(list, e->d_name, &failed);
	if (failed) {
		strv_free(list);
		return err_nomem(err);
	}
	*ret = list;
	return 0;
}

struct mapper mapper_recorder_get(struct mapper_recorder *r)
{
	return (struct mapper){ .name = "recorder",
				.activate = rec_activate,
				.deactivate = rec_deactivate,
				.query = rec_query,
				.list = rec_list,
				.remove = rec_remove,
				.ctx = r };
}
