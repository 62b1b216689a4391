/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "verify/cert_cache.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/sha.h>

X509 *cert_cache_get(const struct cert_cache *c, const void *der, size_t len)
{
	uint8_t sha256[SHA256_DIGEST_LENGTH];

	if (!c || !c->n || !SHA256(der, len, sha256))
		return NULL;
	for (size_t i = 0; i < c->n; i++)
		if (memcmp(c->slot[i].sha256, sha256, sizeof(sha256)) == 0 && X509_up_ref(c->slot[i].cert))
			return c->slot[i].cert;
	return NULL;
}

/* The digest covers the bytes as they were decoded. */
void cert_cache_put(struct cert_cache *c, X509 *x)
{
	uint8_t sha256[SHA256_DIGEST_LENGTH];
	unsigned int len = sizeof(sha256);
	size_t at;

	if (X509_digest(x, EVP_sha256(), sha256, &len) != 1) {
		ERR_clear_error();
		return;
	}
	for (size_t i = 0; i < c->n; i++)
		if (memcmp(c->slot[i].sha256, sha256, sizeof(sha256)) == 0)
			return;
	if (!X509_up_ref(x))
		return;
	if (c->n < CERT_CACHE_MAX) {
		at = c->n++;
	} else {
		at = c->next;
		c->next = (c->next + 1) % CERT_CACHE_MAX;
		X509_free(c->slot[at].cert);
	}
	memcpy(c->slot[at].sha256, sha256, sizeof(sha256));
	c->slot[at].cert = x;
}

void cert_cache_clear(struct cert_cache *c)
{
	for (size_t i = 0; i < c->n; i++)
		X509_free(c->slot[i].cert);
	c->n = 0;
}
