/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "base/fileio.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/secret.h"
#include "base/text.h"

int fd_read_all(int fd, const char *name, size_t max, enum err_class cls, char **ret, size_t *ret_len, struct err **err)
{
	_cleanup_buf_ struct buf b = BUF_INIT(max);
	uint8_t chunk[16384];
	int r = 0;

	while (r == 0) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			r = err_set_errno(err, cls, "read", errno, "%s: cannot read", name);
		if (n <= 0)
			break;
		if ((size_t)n > max - b.len)
			r = err_set_errno(err, cls, "too-long", EFBIG, "%s: longer than %zu bytes", name, max);
		else
			buf_append(&b, chunk, (size_t)n);
	}
	wipe(chunk, sizeof(chunk));
	if (r < 0)
		return r;
	if (!buf_cstr(&b))
		return err_nomem(err);
	*ret_len = b.len;
	*ret = buf_take_str(&b);
	return 0;
}

int file_read(int dirfd, const char *path, size_t max, enum err_class cls, char **ret, size_t *ret_len, struct err **err)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return err_set_errno(err, cls, "open", errno, "%s: cannot open", path);
	return fd_read_all(fd, path, max, cls, ret, ret_len, err);
}

int file_read_regular(int dirfd, const char *path, size_t max, enum err_class cls, char **ret, size_t *ret_len, struct err **err)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return err_set_errno(err, cls, "open", errno, "%s: cannot open", path);
	if (fstat(fd, &st) < 0)
		return err_set_errno(err, cls, "open", errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, cls, "open", "%s: not a regular file", path);
	return fd_read_all(fd, path, max, cls, ret, ret_len, err);
}

int fd_pread_exact(int fd, void *out, size_t n, uint64_t off, struct err **err)
{
	uint8_t *p = out;

	if (off > INT64_MAX || n > INT64_MAX - off)
		return err_set(err, ERR_DEVICE, "read", "offset past the end of any device");
	while (n) {
		ssize_t got = pread(fd, p, n, (off_t)off);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set_errno(err, ERR_DEVICE, "read", errno, "cannot read at offset %llu",
					     (unsigned long long)off);
		if (got == 0)
			return err_set(err, ERR_DEVICE, "read", "ends at offset %llu, %zu bytes short",
				       (unsigned long long)off, n);
		p += got;
		n -= (size_t)got;
		off += (uint64_t)got;
	}
	return 0;
}

int fd_write_all(int fd, const void *data, size_t n, struct err **err)
{
	const uint8_t *p = data;

	while (n) {
		ssize_t put = write(fd, p, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return err_set_errno(err, ERR_INTERNAL, "write", errno, "cannot write");
		p += put;
		n -= (size_t)put;
	}
	return 0;
}

/* "dir/name" -> "dir" and "name"; "." when there is no slash. */
static int split_path(const char *path, char **ret_dir, const char **ret_name, struct err **err)
{
	const char *slash = strrchr(path, '/');

	*ret_name = slash ? slash + 1 : path;
	if (**ret_name == '\0')
		return err_set(err, ERR_INTERNAL, "path", "\"%s\" names no file", path);
	if (!slash)
		*ret_dir = strdup(".");
	else
		*ret_dir = slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
	return *ret_dir ? 0 : err_nomem(err);
}

#define SALT_DIGITS 16

static char *temporary_name(const char *name, uint64_t salt)
{
	return text_printf(".%.128s.%0*llx.tmp", name, SALT_DIGITS, (unsigned long long)salt);
}

static int write_temporary(int dir, const char *tmp, const void *data, size_t n, mode_t mode, bool sync, struct err **err)
{
	_cleanup_close_ int fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_set_errno(err, ERR_INTERNAL, "write", errno, "cannot create a temporary file");
	if (fd_write_all(fd, data, n, err) < 0)
		return -1;
	if (fchmod(fd, mode) < 0 || (sync && fsync(fd) < 0))
		return err_set_errno(err, ERR_INTERNAL, "write", errno, "cannot finish the temporary file");
	return 0;
}

static int write_beside(int dirfd, const char *path, const void *data, size_t n, mode_t mode, bool sync, struct err **err)
{
	_cleanup_free_ char *dir_path = NULL, *tmp = NULL;
	_cleanup_close_ int opened = -1;
	const char *name;
	uint64_t salt = 0;
	int dir = dirfd;

	if (split_path(path, &dir_path, &name, err) < 0)
		return -1;
	if (dirfd == AT_FDCWD || name != path)
		dir = opened = openat(dirfd, dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_set_errno(err, ERR_INTERNAL, "write", errno, "%s: cannot open the directory", path);
	/* Only uniqueness is asked of it; O_EXCL catches the rest. */
	if (getrandom(&salt, sizeof(salt), GRND_NONBLOCK) != (ssize_t)sizeof(salt))
		salt = (uint64_t)getpid();
	tmp = temporary_name(name, salt);
	if (!tmp)
		return err_nomem(err);
	if (write_temporary(dir, tmp, data, n, mode, sync, err) < 0) {
		unlinkat(dir, tmp, 0);
		return err_wrap(err, "%s", path);
	}
	if (renameat(dir, tmp, dir, name) < 0) {
		err_set_errno(err, ERR_INTERNAL, "write", errno, "%s: cannot put in place", path);
		unlinkat(dir, tmp, 0);
		return -1;
	}
	if (sync && fsync(dir) < 0 && errno != EINVAL)
		return err_set_errno(err, ERR_INTERNAL, "write", errno, "%s: cannot sync the directory", path);
	return 0;
}

int file_write_atomic(int dirfd, const char *path, const void *data, size_t n, mode_t mode, struct err **err)
{
	return write_beside(dirfd, path, data, n, mode, true, err);
}

int file_write_volatile(int dirfd, const char *path, const void *data, size_t n, mode_t mode, struct err **err)
{
	return write_beside(dirfd, path, data, n, mode, false, err);
}

/* Exactly what write_beside() makes for this file: the same text but for the digits. */
static bool is_temporary(int dir, const char *entry, const char *model)
{
	const size_t len = strlen(model), digits = len - strlen(".tmp") - SALT_DIGITS;
	struct stat st;

	if (strlen(entry) != len || strncmp(entry, model, digits) != 0 || strcmp(entry + digits + SALT_DIGITS, ".tmp") != 0 ||
	    strspn(entry + digits, "0123456789abcdef") != SALT_DIGITS)
		return false;
	return fstatat(dir, entry, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

void file_clear_temporaries(int dirfd, const char *path)
{
	_cleanup_free_ char *dir_path = NULL, *model = NULL;
	const struct dirent *entry;
	const char *name;
	DIR *dir;
	int fd;

	if (split_path(path, &dir_path, &name, NULL) < 0)
		return;
	model = temporary_name(name, 0);
	fd = openat(dirfd, dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = model && fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (is_temporary(fd, entry->d_name, model))
			unlinkat(fd, entry->d_name, 0);
	closedir(dir);
}

int dir_make(int dirfd, const char *path, mode_t mode, struct err **err)
{
	_cleanup_free_ char *copy = strdup(path);
	struct stat st;
	char *p;

	if (!copy)
		return err_nomem(err);
	if (mkdirat(dirfd, path, mode) == 0)
		return 0;
	for (p = copy + 1; *copy && *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		/* Parents are for everybody to pass through; only the last part gets the mode asked for. */
		if (mkdirat(dirfd, copy, mode | 0555) < 0 && errno != EEXIST)
			return err_set_errno(err, ERR_INTERNAL, "mkdir", errno, "%s: cannot create", copy);
		*p = '/';
	}
	if (mkdirat(dirfd, path, mode) < 0 && errno != EEXIST)
		return err_set_errno(err, ERR_INTERNAL, "mkdir", errno, "%s: cannot create", path);
	if (fstatat(dirfd, path, &st, 0) < 0)
		return err_set_errno(err, ERR_INTERNAL, "mkdir", errno, "%s", path);
	if (!S_ISDIR(st.st_mode))
		return err_set_errno(err, ERR_INTERNAL, "mkdir", ENOTDIR, "%s", path);
	return 0;
}
