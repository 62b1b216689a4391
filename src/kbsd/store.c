/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The reading side; store_write.c holds the writing one. */
#include "kbsd/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "kbsd/store_file.h"
#include "wire/document.h"

struct store {
	struct resource *items;
	size_t n, room;
};

void store_free(struct store *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		secret_free(s->items[i].content);
	free(s->items);
	free(s);
}

size_t store_count(const struct store *s)
{
	return s->n;
}

const struct resource *store_at(const struct store *s, size_t i)
{
	return i < s->n ? &s->items[i] : NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct resource *)a)->name, ((const struct resource *)b)->name);
}

const struct resource *store_find(const struct store *s, const char *name)
{
	struct resource key;

	if (strlen(name) >= sizeof(key.name))
		return NULL;
	strcpy(key.name, name);
	return s->n ? bsearch(&key, s->items, s->n, sizeof(key), by_name) : NULL;
}

/* Is it a document, and if so a good one? Anything too short for a passphrase can only have been added as --binary. */
static int judge_content(const struct secret *content, bool *ret_document, struct err **err)
{
	struct secret_document doc = { 0 };

	*ret_document = false;
	if (secret_len(content) < STORE_PASSPHRASE_MIN)
		return 0;
	if (secret_document_parse(content, FORM_AUTO, false, &doc, err) < 0)
		return -1;
	*ret_document = doc.is_document;
	secret_document_clear(&doc);
	return 0;
}

static int check_file(int fd, struct err **err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set_errno(err, ERR_CONFIG, "resource", errno, "cannot look at it");
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_CONFIG, "resource", "not a regular file");
	if (st.st_mode & 077)
		return err_set(err, ERR_CONFIG, "resource", "mode %04o lets others in, it must be 0600",
			       (unsigned int)(st.st_mode & 07777));
	if (st.st_uid != geteuid())
		return err_set(err, ERR_CONFIG, "resource", "belongs to uid %u, not to the server",
			       (unsigned int)st.st_uid);
	if (st.st_size < 1 || st.st_size > RESOURCE_SIZE_MAX)
		return err_set(err, ERR_CONFIG, "resource", "%lld bytes, must be 1 to %d", (long long)st.st_size,
			       RESOURCE_SIZE_MAX);
	return 0;
}

static int read_resource(int dirfd, const char *file, struct resource *ret, struct err **err)
{
	_cleanup_close_ int fd = openat(dirfd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	_cleanup_secret_ struct secret *content = NULL;

	if (fd < 0)
		return err_set_errno(err, ERR_CONFIG, "resource", errno, "cannot open it");
	if (check_file(fd, err) < 0 || secret_read_fd(fd, RESOURCE_SIZE_MAX, &content, err) < 0 ||
	    judge_content(content, &ret->document, err) < 0)
		return -1;
	ret->content = TAKE_PTR(content);
	return 0;
}

static int keep_previous(const struct store *previous, struct resource *r, struct err **err)
{
	const struct resource *old = previous ? store_find(previous, r->name) : NULL;

	if (!old) {
		log_error("resource %s: not available until it is repaired", r->name);
		return 0;
	}
	log_warning("resource %s: the earlier content stays in force", r->name);
	r->document = old->document;
	return secret_from(secret_cdata(old->content), secret_len(old->content), &r->content, err);
}

static int take_file(struct store *s, int dirfd, const char *file, const struct store *previous, size_t *bad,
		     struct err **err)
{
	_cleanup_err_ struct err *why = NULL;
	struct resource r = { 0 };

	if (!store_name_of_file(file, r.name, sizeof(r.name))) {
		log_warning("resources/%s: not the name of a resource, ignored", file);
		++*bad;
		return 0;
	}
	if (s->n == RESOURCES_MAX)
		return err_set(err, ERR_CONFIG, "resource", "more than %d resources", RESOURCES_MAX);
	if (read_resource(dirfd, file, &r, &why) < 0) {
		log_error("resource %s: %s", r.name, err_message(why));
		++*bad;
		if (keep_previous(previous, &r, err) < 0)
			return -1;
		if (!r.content)
			return 0;
	}
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		struct resource *items = reallocarray(s->items, room, sizeof(*items));

		if (!items) {
			secret_free(r.content);
			return err_nomem(err);
		}
		s->items = items;
		s->room = room;
	}
	s->items[s->n++] = r;
	return 0;
}

int store_load(int dirfd, const struct store *previous, struct store **ret, size_t *ret_bad, struct err **err)
{
	_cleanup_close_ int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct store *s;
	struct dirent *e;
	size_t bad = 0;

	if (!dir)
		return err_set_errno(err, ERR_CONFIG, "resource", errno, "cannot read the resources directory");
	fd = -1; /* dir owns it */
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_nomem(err);
	while ((errno = 0, e = readdir(dir))) {
		/* Dot names are ours: files that an add has not finished. */
		if (e->d_name[0] != '.' && take_file(s, dirfd, e->d_name, previous, &bad, err) < 0) {
			store_free(s);
			return -1;
		}
	}
	if (errno) {
		err_set_errno(err, ERR_CONFIG, "resource", errno, "cannot read the resources directory");
		store_free(s);
		return -1;
	}
	if (s->n)
		qsort(s->items, s->n, sizeof(*s->items), by_name);
	*ret = s;
	*ret_bad = bad;
	return 0;
}
