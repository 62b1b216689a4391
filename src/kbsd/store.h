/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Resources: one file each below resources/, mode 0600, named like the resource with ':' for '/' (a segment can hold
 * neither). The server keeps them in locked memory and reads the directory at start and on SIGHUP; a file that is bad then
 * (mode, owner, size, a broken secret document) leaves the copy already in memory in force. Writers never change a file in
 * place: a temporary file is completed, synced and put under the name in one step, so that a crash leaves the old content
 * or the new one.
 */
#ifndef CRYPTATTEST_KBSD_STORE_H
#define CRYPTATTEST_KBSD_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/secret.h"

#define RESOURCE_SIZE_MAX (64 * 1024)
#define RESOURCES_MAX 8192

struct resource {
	char name[256]; /* "default/web-042/root" */
	struct secret *content;
	bool document; /* a secret document (contracts.md 2) */
};

struct store; /* a snapshot, sorted by name */

/* dirfd: the resources directory. previous may be NULL; its contents are copied where a file is bad now. Every bad file is
 * logged and counted in *ret_bad. ERR_CONFIG when the directory itself cannot be read. */
int store_load(int dirfd, const struct store *previous, struct store **ret, size_t *ret_bad, struct err **err);
void store_free(struct store *s);
size_t store_count(const struct store *s);
const struct resource *store_at(const struct store *s, size_t i);
const struct resource *store_find(const struct store *s, const char *name);

/* What `resource add` asks of the content. */
struct store_rules {
	bool document; /* must be a valid secret document */
	bool binary;   /* any bytes; otherwise a passphrase of at least 16 bytes without a newline at its end */
	bool replace;  /* may take the place of one that exists */
};

/* name in any spelling of wire/resource_uri.h. ERR_CONFIG: name, size, exists; ERR_INTEGRITY: not a valid document. */
int store_add(int dirfd, const char *name, const struct secret *content, const struct store_rules *rules,
	      struct err **err);
int store_remove(int dirfd, const char *name, struct err **err); /* ERR_CONFIG when absent */

#endif
