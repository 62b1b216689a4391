/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A throw-away root directory for tests of src/tee. */
#ifndef CRYPTATTEST_TESTS_TEE_ROOT_H
#define CRYPTATTEST_TESTS_TEE_ROOT_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fileio.h"
#include "tee/tee.h"

struct tee_root {
	char path[64];
	struct tee_env env;
};

static inline int tee_root_setup(void **state)
{
	struct tee_root *t = calloc(1, sizeof(*t));

	if (!t)
		return -1;
	strcpy(t->path, "/tmp/test-tee-XXXXXX");
	if (!mkdtemp(t->path))
		return -1;
	t->env.root_fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = t;
	return t->env.root_fd < 0 ? -1 : 0;
}

static inline int tee_root_unlink(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static inline int tee_root_teardown(void **state)
{
	struct tee_root *t = *state;

	close(t->env.root_fd);
	nftw(t->path, tee_root_unlink, 8, FTW_DEPTH | FTW_PHYS);
	free(t);
	return 0;
}

static inline void tee_root_dir(struct tee_root *t, const char *path)
{
	if (dir_make(t->env.root_fd, path, 0755, NULL) < 0)
		abort();
}

static inline void tee_root_file(struct tee_root *t, const char *path, const void *data, size_t len)
{
	int fd = openat(t->env.root_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		abort();
	close(fd);
}

static inline bool tee_root_has(struct tee_root *t, const char *path)
{
	return faccessat(t->env.root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

#endif
