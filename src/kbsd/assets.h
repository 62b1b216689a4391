/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Everything the server reads from files: policy, resources, chain certificates, test roots, token key, TLS context. All
 * of it is read again on SIGHUP, each part by itself: a part that is bad then keeps its earlier state in force, and the log
 * says so. At start a bad part is fatal, except single bad resources.
 */
#ifndef CRYPTATTEST_KBSD_ASSETS_H
#define CRYPTATTEST_KBSD_ASSETS_H

#include "crypto/keypair.h"
#include "kbsd/certs.h"
#include "kbsd/options.h"
#include "kbsd/statedir.h"
#include "kbsd/store.h"
#include "verify/policy.h"
#include "verify/verify.h"

/* Paths given on the command line; NULL: the file of the server's directory. */
struct assets_paths {
	const char *cert, *key, *policy, *ca, *store;
	struct option_list test_roots;
};

struct assets {
	const struct statedir *dir;
	struct assets_paths paths;
	SSL_CTX *tls;
	struct policy *policy;
	struct store *resources;
	char *ca; /* PEM or DER; NULL: none */
	size_t ca_len;
	struct keypair *token_key;
	struct trust_anchors *anchors;
	const char *store_dir; /* offline certificates; NULL: none */
	char *own_store_dir;
};

/* dir and the strings of paths must outlive it. ERR_CONFIG. */
int assets_load(const struct statedir *dir, const struct assets_paths *paths, struct assets *ret, struct err **err);
/* Never fails: logs what stayed as it was. Returns the number of parts (and resources) that were bad. The token key and
 * the test roots are not read again: what a running server trusts does not grow. */
unsigned int assets_reload(struct assets *a);
void assets_clear(struct assets *a);

#endif
