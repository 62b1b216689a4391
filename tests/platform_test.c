/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The test platform (contracts.md 9): the agent's own objects over another table. Everything lies below one directory, named by
 * CRYPTATTEST_TEST_ROOT and read before main() clears the environment: etc/, run/, dev/, tee/ (tests/lib/tee_testpki.h),
 * mapper/ (tests/lib/mapper_recorder.h), dev/tpm-swtpm (tests/lib/tpm_swtpm.h), power (one line per restart or power-off). Never
 * installed.
 */
#include "unlock/platform.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fileio.h"
#include "tests/lib/mapper_recorder.h"
#include "tests/lib/tee_testpki.h"
#include "tests/lib/tpm_swtpm.h"

static char root[PATH_MAX / 2] = "/nonexistent";
static char power_file[PATH_MAX];
static struct mapper_recorder recorder;
static struct mapper mapper;

__attribute__((constructor)) static void find_root(void)
{
	const char *dir = getenv("CRYPTATTEST_TEST_ROOT");
	char mapper_dir[PATH_MAX];

	if (!dir || strlen(dir) >= sizeof(root)) {
		fprintf(stderr, "cryptattest-test: CRYPTATTEST_TEST_ROOT names no directory\n");
		exit(99);
	}
	strcpy(root, dir);
	snprintf(power_file, sizeof(power_file), "%s/power", root);
	snprintf(mapper_dir, sizeof(mapper_dir), "%s/mapper", root);
	mkdir(mapper_dir, 0700);
	mapper_recorder_init(&recorder, mapper_dir);
	mapper = mapper_recorder_get(&recorder);
}

/* Called from a signal handler when the deadline passed: no stdio. */
static void power(bool poweroff)
{
	int fd = open(power_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	const char *line = poweroff ? "poweroff\n" : "reboot\n";

	if (fd < 0 || write(fd, line, strlen(line)) < 0)
		_exit(99);
	close(fd);
}

/* Those of the test PKI that tee/ is set up with (tests/lib/tee_testpki.h); without one there are none. */
static char *test_roots(int root_fd)
{
	char path[PATH_MAX + 16], *dir = NULL, *roots = NULL;
	size_t len;

	if (file_read(root_fd, "tee/pki-dir", PATH_MAX - 1, ERR_CONFIG, &dir, &len, NULL) == 0) {
		snprintf(path, sizeof(path), "%.*s/roots.pem", (int)strcspn(dir, "\n"), dir);
		file_read(AT_FDCWD, path, 65536, ERR_CONFIG, &roots, &len, NULL);
	}
	free(dir);
	return roots;
}

const struct platform platform = {
	.name = "test",
	.tees = tee_testpki_providers,
	.mapper = &mapper,
	.tpm = &tpm_access_swtpm,
	.test_roots = test_roots,
	.allow_http = true,
	.allow_file_devices = true,
	.root = root,
	.power = power,
};
