/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/text.h"
#include "kbsd/store.h"
#include "kbsd/store_file.h"
#include "wire/document.h"
#include "wire/resource_uri.h"

#define TEMPORARY ".add.tmp"

static void replace_char(char *s, char from, char to)
{
	for (; *s; s++)
		if (*s == from)
			*s = to;
}

bool store_name_of_file(const char *file, char *out, size_t cap)
{
	struct resource_uri uri;
	_cleanup_err_ struct err *e = NULL;

	if (strlen(file) >= cap || strchr(file, '/'))
		return false;
	strcpy(out, file);
	replace_char(out, ':', '/');
	return resource_uri_parse(out, &uri, &e) == 0 && strcmp(uri.plugin, "resource") == 0 &&
	       strcmp(uri.path, out) == 0;
}

/* Any spelling of a resource -> its file. ERR_CONFIG. */
static int file_of_name(const char *name, char *out, size_t cap, struct err **err)
{
	struct resource_uri uri;
	_cleanup_err_ struct err *e = NULL;

	/* The parser's hint is for the client, who may also ask a broker that has other plugins. */
	if (resource_uri_parse(name, &uri, &e) < 0) {
		err_set(err, ERR_CONFIG, "resource-uri", "%s", err_message(e));
		return err_hint(err, "write REPOSITORY/TYPE/TAG");
	}
	if (strcmp(uri.plugin, "resource") != 0) {
		err_set(err, ERR_CONFIG, "resource", "%s: only the plugin \"resource\" keeps secrets here", name);
		return err_hint(err, "write REPOSITORY/TYPE/TAG");
	}
	if (strlen(uri.path) >= cap)
		return err_set(err, ERR_CONFIG, "resource", "%s: too long", name);
	strcpy(out, uri.path);
	replace_char(out, '/', ':');
	return 0;
}

static int check_content(const struct secret *content, const struct store_rules *rules, struct err **err)
{
	size_t len = secret_len(content);
	struct secret_document doc = { 0 };

	if (len < 1 || len > RESOURCE_SIZE_MAX)
		return err_set(err, ERR_CONFIG, "resource", "the content has %zu bytes, it must have 1 to %d", len,
			       RESOURCE_SIZE_MAX);
	if (rules->binary && !rules->document)
		return 0;
	if (!rules->document && secret_cdata(content)[len - 1] == '\n') {
		/* A document may end in one; a passphrase with it opens nothing, and nobody sees why. */
		struct secret_document probe = { 0 };
		bool document = secret_document_parse(content, FORM_DOCUMENT, false, &probe, NULL) == 0;

		secret_document_clear(&probe);
		if (!document) {
			err_set(err, ERR_CONFIG, "trailing-newline", "the content ends in a newline, which would become part "
				"of the passphrase");
			return err_hint(err, "printf %%s instead of echo; or --binary if the newline belongs to it");
		}
	}
	if (secret_document_parse(content, rules->document ? FORM_DOCUMENT : FORM_AUTO, false, &doc, err) < 0)
		return err_wrap(err, rules->document ? "not a valid secret document" : "not a usable secret");
	secret_document_clear(&doc);
	return 0;
}

/* One writer at a time, so that the temporary file can have a fixed name: a killed add leaves one file, not one each. */
static int write_temporary(int dirfd, const struct secret *content, struct err **err)
{
	_cleanup_close_ int fd = -1;

	if (unlinkat(dirfd, TEMPORARY, 0) < 0 && errno != ENOENT)
		return err_set_errno(err, ERR_CONFIG, "resource", errno, "cannot clear an unfinished file");
	fd = openat(dirfd, TEMPORARY, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set_errno(err, ERR_CONFIG, "resource", errno, "cannot write into the resources directory");
	if (fchmod(fd, 0600) < 0 || fd_write_all(fd, secret_cdata(content), secret_len(content), err) < 0 ||
	    fsync(fd) < 0)
		return err_set_errno(err, ERR_INTERNAL, "resource", errno, "cannot write the file");
	return 0;
}

static int lock_directory(int dirfd, int *ret_fd, struct err **err)
{
	_cleanup_close_ int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return err_set_errno(err, ERR_CONFIG, "resource", errno, "cannot lock the resources directory");
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int store_add(int dirfd, const char *name, const struct secret *content, const struct store_rules *rules,
	      struct err **err)
{
	_cleanup_close_ int lock = -1;
	char file[256];

	if (file_of_name(name, file, sizeof(file), err) < 0 || check_content(content, rules, err) < 0 ||
	    lock_directory(dirfd, &lock, err) < 0)
		return -1;
	if (!rules->replace && faccessat(dirfd, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		err_set(err, ERR_CONFIG, "exists", "%s exists already", name);
		return err_hint(err, "--replace overwrites it; a secret that is lost so is lost for ever");
	}
	if (write_temporary(dirfd, content, err) < 0) {
		unlinkat(dirfd, TEMPORARY, 0);
		return -1;
	}
	if (renameat(dirfd, TEMPORARY, dirfd, file) < 0) {
		err_set_errno(err, ERR_INTERNAL, "resource", errno, "cannot put %s in place", name);
		unlinkat(dirfd, TEMPORARY, 0);
		return -1;
	}
	if (fsync(lock) < 0)
		return err_set_errno(err, ERR_INTERNAL, "resource", errno, "cannot sync the resources directory");
	return 0;
}

int store_remove(int dirfd, const char *name, struct err **err)
{
	_cleanup_close_ int lock = -1;
	char file[256];

	if (file_of_name(name, file, sizeof(file), err) < 0 || lock_directory(dirfd, &lock, err) < 0)
		return -1;
	if (unlinkat(dirfd, file, 0) < 0)
		return err_set_errno(err, ERR_CONFIG, "resource", errno, "cannot remove %s", name);
	if (fsync(lock) < 0)
		return err_set_errno(err, ERR_INTERNAL, "resource", errno, "cannot sync the resources directory");
	return 0;
}
