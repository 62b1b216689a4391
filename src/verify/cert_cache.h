/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Decoded certificates by the digest of their bytes: decoding one costs OpenSSL twice as long as checking its signature,
 * and a server sees the same intermediates with every handshake, and the same leaf from every machine on one processor. It
 * remembers decoding alone, never a judgement, and only certificates that ended in a good path or came from the operator, so
 * that strangers cannot push them out; leaves, of which anybody can have many, only push out leaves. Private to verify/.
 */
#ifndef CRYPTATTEST_VERIFY_CERT_CACHE_H
#define CRYPTATTEST_VERIFY_CERT_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#define CERT_CACHE_MAX 24
#define CERT_CACHE_LEAVES 64

struct cert_slot {
	uint8_t sha256[32];
	X509 *cert;
};

struct cert_cache {
	struct cert_slot slot[CERT_CACHE_MAX], leaf[CERT_CACHE_LEAVES];
	size_t n, next, leaves, next_leaf;
};

/* A reference for the caller, or NULL. der is exactly one certificate. */
X509 *cert_cache_get(const struct cert_cache *c, const void *der, size_t len);
void cert_cache_put(struct cert_cache *c, X509 *x);
void cert_cache_put_leaf(struct cert_cache *c, X509 *x);
void cert_cache_clear(struct cert_cache *c);

#endif
