/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Whole-file reads with a limit, atomic private writes, everything O_CLOEXEC. */
#ifndef CRYPTATTEST_BASE_FILEIO_H
#define CRYPTATTEST_BASE_FILEIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* Reads all of dirfd/path ("-" is not special). NUL-terminated, *ret_len excludes it. A file over max is an
 * error, never cut. cls is the class of every failure; errno is kept in the error. */
int file_read(int dirfd, const char *path, size_t max, enum err_class cls, char **ret, size_t *ret_len, struct err **err);
/* The same, of a regular file: nothing else is waited for. For a directory that somebody else fills. */
int file_read_regular(int dirfd, const char *path, size_t max, enum err_class cls, char **ret, size_t *ret_len, struct err **err);
int fd_read_all(int fd, const char *name, size_t max, enum err_class cls, char **ret, size_t *ret_len, struct err **err);
/* pread exactly n bytes. */
int fd_pread_exact(int fd, void *out, size_t n, uint64_t off, struct err **err); /* ERR_DEVICE */
int fd_write_all(int fd, const void *data, size_t n, struct err **err);		 /* ERR_INTERNAL, errno kept */
/* Writes a temporary file beside it, fsync, rename, fsync of the directory. */
int file_write_atomic(int dirfd, const char *path, const void *data, size_t n, mode_t mode, struct err **err);
/* The same without a sync, for what lives under /run and is gone after the boot anyway. */
int file_write_volatile(int dirfd, const char *path, const void *data, size_t n, mode_t mode, struct err **err);
/*
 * Removes the temporary files that writers of this file left beside it when they were cut off: ".NAME.16-hex-digits.tmp", regular files,
 * nothing else. For those who are sure that nobody else is writing it. One that cannot be removed stays, and is no error.
 */
void file_clear_temporaries(int dirfd, const char *path);
int dir_make(int dirfd, const char *path, mode_t mode, struct err **err); /* with parents; existing is fine */

#endif
