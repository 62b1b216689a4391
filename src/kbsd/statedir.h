/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The server's directory. Mode 0700, owned by the server's user; `init` lays it out:
 *
 *   server.crt  certificate (chain) of the listener      next.key       key of the next certificate, its pin given out
 *   server.key  its private key                          policy.conf    release policy, cryptattest-policy(5)
 *   token.key   signs attestation tokens                 resources/     one file per resource, '/' written as ':'
 *   ca.pem      optional: AMD chain certificates         kds-store/     optional: vcek/HWID/..._vcek.der
 *
 * A process that starts as root becomes the directory's owner before it touches anything inside, so that no file ends up
 * unreadable to the server and no root process parses what an outsider sent.
 */
#ifndef CRYPTATTEST_KBSD_STATEDIR_H
#define CRYPTATTEST_KBSD_STATEDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

#define STATEDIR_DEFAULT "/var/lib/cryptattest-kbs" /* as StateDirectory= of the unit, whatever the prefix */
#define STATEDIR_USER "cryptattest-kbs" /* whom systemd/cryptattest-kbs.sysusers makes */

#define FILE_CERT "server.crt"
#define FILE_KEY "server.key"
#define FILE_NEXT_KEY "next.key"
#define FILE_TOKEN_KEY "token.key"
#define FILE_POLICY "policy.conf"
#define FILE_CA "ca.pem"
#define DIR_RESOURCES "resources"
#define DIR_STORE "kds-store"

struct statedir {
	int fd;
	const char *path; /* as the caller named it, for messages */
	uid_t uid;	  /* its owner */
	gid_t gid;
};

#define STATEDIR_INIT { .fd = -1 }

/* ERR_CONFIG: not there, not a directory, not 0700, owned by somebody else. Changes no identity. */
int statedir_open(const char *path, struct statedir *ret, struct err **err);
/* Makes the last component when it is not there, 0700 and owned by user (NULL: whoever calls), then opens it. */
int statedir_make(const char *path, const char *user, struct statedir *ret, struct err **err);
/* Does the directory belong to this user, and is it not root? ERR_CONFIG. */
int statedir_check_user(const struct statedir *d, const char *user, struct err **err);
/* As root: becomes the owner for good, without supplementary groups; otherwise checks that we are the owner already. A
 * directory owned by root is refused when server is set: the server never runs as root. ERR_CONFIG. */
int statedir_become_owner(const struct statedir *d, bool server, struct err **err);
bool statedir_has(const struct statedir *d, const char *name);

/* The certificates that the owner of the machines downloaded into the directory; NULL: there are none of that kind. */
struct statedir_certs {
	const char *dir;  /* NULL: the usual one, of which an absent or unreadable one is none; a given one must be there */
	char *ca, *store; /* paths */
};
/* ctx: struct statedir_certs. For verify_options.find: where there are any, root becomes the directory's owner, whose files they are.
 * ERR_CONFIG. */
int statedir_find_certs(void *ctx, const char **ret_ca, const char **ret_store, struct err **err);
void statedir_certs_clear(struct statedir_certs *c);
#define _cleanup_certs_ __attribute__((cleanup(statedir_certs_clear)))

void statedir_close(struct statedir *d);
#define _cleanup_statedir_ __attribute__((cleanup(statedir_close)))

#endif
