/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What single parts of the agent cost, each in a process of its own as in a real run, where nothing is warm that the agent has
 * not used before:
 *
 *   agent_parts evidence ROOT    CPU of the test PKI's evidence, that a machine's firmware or security processor makes instead
 *   agent_parts header FILE      CPU and wall time of header copy and audit, in a process that has used OpenSSL already
 *   agent_parts header-cold FILE the same with OpenSSL's and libcryptsetup's own start in it
 *   agent_parts keyslot FILE     CPU of the volume's own KDF: libcryptsetup opens the keyslot, passphrase in FILE.pass
 *   agent_parts key TYPE         wall time of making a key
 *
 * Output: "cpu MEDIAN MINIMUM" and "wall MEDIAN MINIMUM" in milliseconds.
 */
#include <fcntl.h>
#include <libcryptsetup.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/keypair.h"
#include "luks/device.h"
#include "luks/header.h"
#include "tests/lib/tee_testpki.h"

#define RUNS 15

struct cost {
	double cpu, wall;
};

typedef int (*part_fn)(const char *arg, struct cost *ret, struct err **err);

static double ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static struct cost begin(void)
{
	return (struct cost){ ms(CLOCK_PROCESS_CPUTIME_ID), ms(CLOCK_MONOTONIC) };
}

static struct cost since(struct cost t)
{
	return (struct cost){ ms(CLOCK_PROCESS_CPUTIME_ID) - t.cpu, ms(CLOCK_MONOTONIC) - t.wall };
}

/* What the agent has done before it asks for evidence: a key, a digest. */
static int warm_up(struct err **err)
{
	struct keypair *kp;
	uint8_t out[64];

	if (keypair_generate(KEY_EC_P256, &kp, err) < 0)
		return -1;
	keypair_free(kp);
	return digest_bytes(DIGEST_SHA384, "", 0, out, err);
}

static int part_evidence(const char *root, struct cost *ret, struct err **err)
{
	static const uint8_t data[TEE_REPORT_DATA] = { 1 };
	const struct tee_provider *p;
	struct tee_env env = { .root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	struct evidence ev = { 0 };
	struct cost t;

	if (warm_up(err) < 0 || tee_detect(tee_testpki_providers, &env, &p, NULL, err) < 0)
		return -1;
	t = begin();
	if (p->collect(&env, data, deadline_in_ms(60000), &ev, err) < 0)
		return -1;
	*ret = since(t);
	return 0;
}

static int header(const char *file, struct cost *ret, struct err **err)
{
	struct luks_device dev = LUKS_DEVICE_INIT;
	struct luks_policy policy = { .profile = LUKS_STRICT, .integrity = INTEGRITY_ANY };
	struct luks_header h = { .memfd = -1 };
	struct luks_findings findings = { 0 };
	struct cost t;

	if (device_find(AT_FDCWD, file, true, &dev, err) < 0)
		return -1;
	t = begin();
	if (luks_inspect(&dev, &policy, &h, &findings, err) < 0)
		return -1;
	*ret = since(t);
	return 0;
}

static int part_header(const char *file, struct cost *ret, struct err **err)
{
	struct cost cold;

	/* In the agent the key's thread has started OpenSSL, and at the second volume libcryptsetup is warm as well. */
	return header(file, &cold, err) < 0 ? -1 : header(file, ret, err);
}

static int part_keyslot(const char *file, struct cost *ret, struct err **err)
{
	_cleanup_free_ char *pass = NULL, *path = text_printf("%s.pass", file);
	struct crypt_device *cd = NULL;
	char key[64];
	size_t pass_len, len = sizeof(key);
	struct cost t;
	int rc;

	if (!path || file_read(AT_FDCWD, path, 1024, ERR_CONFIG, &pass, &pass_len, err) < 0)
		return -1;
	if (crypt_init(&cd, file) < 0 || crypt_load(cd, CRYPT_LUKS2, NULL) < 0)
		return err_set(err, ERR_DEVICE, "bench", "%s: no LUKS2 header", file);
	t = begin();
	rc = crypt_volume_key_get(cd, CRYPT_ANY_SLOT, key, &len, pass, pass_len);
	*ret = since(t);
	crypt_free(cd);
	return rc < 0 ? err_set(err, ERR_BADKEY, "bench", "%s: the passphrase opens nothing", file) : 0;
}

static int part_key(const char *type, struct cost *ret, struct err **err)
{
	enum key_type t;
	struct keypair *kp;
	struct cost start;

	if (key_type_by_name(type, &t, err) < 0)
		return -1;
	start = begin();
	if (keypair_generate(t, &kp, err) < 0)
		return -1;
	*ret = since(start);
	return 0;
}

static const struct {
	const char *name;
	part_fn fn;
} parts[] = {
	{ "evidence", part_evidence },
	{ "header", part_header },
	{ "header-cold", header },
	{ "keyslot", part_keyslot },
	{ "key", part_key },
};

/* In a child: measures and writes the cost. */
static void child(part_fn fn, const char *arg, int fd)
{
	struct cost c;
	struct err *err = NULL;

	if (fn(arg, &c, &err) < 0) {
		fprintf(stderr, "agent_parts: %s\n", err_message(err));
		_exit(1);
	}
	_exit(write(fd, &c, sizeof(c)) != sizeof(c));
}

static int by_value(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return d < 0 ? -1 : d > 0;
}

static void print(const char *what, double v[static RUNS])
{
	qsort(v, RUNS, sizeof(v[0]), by_value);
	printf("%s %.3f %.3f\n", what, v[RUNS / 2], v[0]);
}

int main(int argc, char **argv)
{
	double cpu[RUNS], wall[RUNS];
	part_fn fn = NULL;

	for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(parts); i++)
		if (text_eq(parts[i].name, argv[1]))
			fn = parts[i].fn;
	if (!fn) {
		fputs("usage: agent_parts evidence|header|header-cold|keyslot|key ARGUMENT\n", stderr);
		return 2;
	}
	for (size_t i = 0; i < RUNS; i++) {
		struct cost c;
		int fds[2], status;
		pid_t pid;

		if (pipe(fds) < 0 || (pid = fork()) < 0)
			return 1;
		if (pid == 0)
			child(fn, argv[2], fds[1]);
		if (waitpid(pid, &status, 0) != pid || status != 0 || read(fds[0], &c, sizeof(c)) != sizeof(c))
			return 1;
		close(fds[0]);
		close(fds[1]);
		cpu[i] = c.cpu;
		wall[i] = c.wall;
	}
	print("cpu", cpu);
	print("wall", wall);
	return 0;
}
