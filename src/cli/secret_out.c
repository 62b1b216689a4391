/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "cli/secret_out.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/text.h"

static int exists(const char *path, struct err **err)
{
	err_set(err, ERR_CONFIG, "output-exists", "%s exists already", path);
	return err_hint(err, "name a new file; one that an interrupted call left holds a secret that opens nothing");
}

int secret_out_check(const char *path, struct err **err)
{
	struct stat st;

	if (path)
		return lstat(path, &st) == 0 ? exists(path, err) : 0;
	if (!isatty(STDOUT_FILENO))
		return 0;
	err_set(err, ERR_CONFIG, "usage", "the document holds the passphrase and does not go to a terminal");
	return err_hint(err, "say --output FILE, or pipe it to `cryptattest-kbs resource add --document`");
}

static int open_stdout(struct secret_out *o, struct err **err)
{
	struct stat st;

	if (fstat(STDOUT_FILENO, &st) < 0)
		return err_set_errno(err, ERR_CONFIG, "output", errno, "standard output");
	o->fd = STDOUT_FILENO;
	o->file = S_ISREG(st.st_mode);
	/* With >> the file goes on where it ended. */
	o->start = o->file && (fcntl(STDOUT_FILENO, F_GETFL) & O_APPEND) ? st.st_size : lseek(STDOUT_FILENO, 0, SEEK_CUR);
	return 0;
}

int secret_out_open(const char *path, struct secret_out *ret, struct err **err)
{
	struct secret_out o = { .path = path, .fd = -1 };

	if (secret_out_check(path, err) < 0)
		return -1;
	if (!path) {
		if (open_stdout(&o, err) < 0)
			return -1;
		*ret = o;
		return 0;
	}
	o.fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (o.fd < 0 && errno == EEXIST)
		return exists(path, err);
	if (o.fd < 0)
		return err_set_errno(err, ERR_CONFIG, "output", errno, "cannot create %s", path);
	o.file = true;
	*ret = o;
	return 0;
}

/* The name too is on the disk only when the directory is. */
static int sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *dir = slash ? text_printf("%.*s", (int)(slash == path ? 1 : slash - path), path) : text_dup(".");
	_cleanup_close_ int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	return fd < 0 || (fsync(fd) < 0 && errno != EINVAL) ? -1 : 0;
}

int secret_out_write(struct secret_out *o, const struct secret *text, struct err **err)
{
	const char *name = o->path ? o->path : "standard output";

	/* Straight from locked memory: stdio would leave a copy of the passphrase in its buffer (S2). */
	if (fd_write_all(o->fd, secret_cdata(text), secret_len(text), err) < 0)
		return err_wrap(err, "%s", name);
	if (o->file && (fsync(o->fd) < 0 || (o->path && sync_directory(o->path) < 0)))
		return err_set_errno(err, ERR_INTERNAL, "output", errno, "cannot sync %s", name);
	return 0;
}

void secret_out_undo(struct secret_out *o)
{
	if (o->path ? unlink(o->path) < 0 : o->file && ftruncate(o->fd, o->start) < 0)
		log_warning("%s: the document cannot be taken back (%s); its secret opens nothing", o->path ? o->path : "standard output",
			    strerror(errno));
}

void secret_out_close(struct secret_out *o)
{
	if (o->path && o->fd >= 0)
		close(o->fd);
	o->fd = -1;
}
