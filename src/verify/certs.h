/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Certificates as input: bundles of either encoding, names, pins, trust anchors. Private to verify/. */
#ifndef CRYPTATTEST_VERIFY_CERTS_H
#define CRYPTATTEST_VERIFY_CERTS_H

#include <openssl/x509.h>

#include "verify/cert_cache.h"
#include "verify/verify.h"

#define CERT_POOL_MAX 48
#define CERT_BUNDLE_MAX (64 * 1024)
#define CERT_NAME_MAX 64

/* Candidates for a chain, from whatever source: nothing in a pool is trusted. */
struct cert_pool {
	X509 *cert[CERT_POOL_MAX];
	size_t n;
	const struct cert_cache *cache; /* may be NULL */
};

void cert_pool_free(struct cert_pool *p);
#define _cleanup_pool_ __attribute__((cleanup(cert_pool_free)))
/* Adds every certificate of a PEM text (other text between is skipped) or of DER, one after the other; at least one. cls is
 * the class of every failure, what names the source. */
int cert_pool_add(struct cert_pool *p, const void *data, size_t len, const char *what, enum err_class cls, struct err **err);
/* The operator's own bundle from this file (NULL: it is called CA): its certificates may be remembered before they have proved anything. ERR_CONFIG. */
int cert_pool_add_own(struct cert_pool *p, const void *data, size_t len, const char *file, struct cert_cache *cache, struct err **err);
/* The i-th certificate with exactly this common name, counted from *from; NULL when there is no more. */
X509 *cert_pool_next(const struct cert_pool *p, const char *cn, size_t *from);
bool cert_pool_has(const struct cert_pool *p, const char *cn);

/* The one common name, printable and cut; "" when there is none, or more than one. */
void cert_subject(const X509 *x, char out[static CERT_NAME_MAX]);
void cert_issuer(const X509 *x, char out[static CERT_NAME_MAX]);
int cert_sha256(const X509 *x, uint8_t out[static 32], struct err **err);

/* One thread at a time: the cache is written through a const object. */
struct trust_anchors {
	struct cert_pool test;
	struct cert_cache *cache;
};

/* Is it a built-in root of that TEE, or a test root (*ret_test)? A digest that cannot be made is "no". */
bool anchors_trust(const struct trust_anchors *ta, enum tee_kind tee, const X509 *x, bool *ret_test);

#endif
