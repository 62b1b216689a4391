/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "verify/cert_cache.h"

#include <stdbool.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/sha.h>

static X509 *find(const struct cert_slot *slot, size_t n, const uint8_t sha256[static 32])
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(slot[i].sha256, sha256, 32) == 0)
			return slot[i].cert;
	return NULL;
}

X509 *cert_cache_get(const struct cert_cache *c, const void *der, size_t len)
{
	uint8_t sha256[SHA256_DIGEST_LENGTH];
	X509 *x;

	if (!c || !(c->n + c->leaves) || !SHA256(der, len, sha256))
		return NULL;
	x = find(c->slot, c->n, sha256);
	if (!x)
		x = find(c->leaf, c->leaves, sha256);
	return x && X509_up_ref(x) ? x : NULL;
}

/* The digest covers the bytes as they were decoded. */
static void put(struct cert_slot *slot, size_t max, size_t *n, size_t *next, X509 *x)
{
	uint8_t sha256[SHA256_DIGEST_LENGTH];
	unsigned int len = sizeof(sha256);
	size_t at;

	/* One that came from here needs no digest to be recognised. */
	for (size_t i = 0; i < *n; i++)
		if (slot[i].cert == x)
			return;
	if (X509_digest(x, EVP_sha256(), sha256, &len) != 1) {
		ERR_clear_error();
		return;
	}
	if (find(slot, *n, sha256) || !X509_up_ref(x))
		return;
	if (*n < max) {
		at = (*n)++;
	} else {
		at = *next;
		*next = (*next + 1) % max;
		X509_free(slot[at].cert);
	}
	memcpy(slot[at].sha256, sha256, sizeof(sha256));
	slot[at].cert = x;
}

void cert_cache_put(struct cert_cache *c, X509 *x)
{
	put(c->slot, CERT_CACHE_MAX, &c->n, &c->next, x);
}

void cert_cache_put_leaf(struct cert_cache *c, X509 *x)
{
	put(c->leaf, CERT_CACHE_LEAVES, &c->leaves, &c->next_leaf, x);
}

void cert_cache_clear(struct cert_cache *c)
{
	for (size_t i = 0; i < c->n; i++)
		X509_free(c->slot[i].cert);
	for (size_t i = 0; i < c->leaves; i++)
		X509_free(c->leaf[i].cert);
	c->n = c->leaves = 0;
}
