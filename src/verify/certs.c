/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "verify/certs.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/text.h"
#include "crypto/ossl.h"

void cert_pool_free(struct cert_pool *p)
{
	for (size_t i = 0; i < p->n; i++)
		X509_free(p->cert[i]);
	p->n = 0;
}

static int pool_put(struct cert_pool *p, X509 *x, const char *what, enum err_class cls, struct err **err)
{
	if (p->n == CERT_POOL_MAX) {
		X509_free(x);
		return err_set(err, cls, "certificate", "%s: more than %d certificates", what, CERT_POOL_MAX);
	}
	p->cert[p->n++] = x;
	return 0;
}

static int add_der(struct cert_pool *p, const uint8_t *data, size_t len, const char *what, enum err_class cls,
		   struct err **err)
{
	const uint8_t *at = data, *end = data + len;

	while (at < end) {
		X509 *x = cert_cache_get(p->cache, at, (size_t)(end - at));

		if (x)
			return pool_put(p, x, what, cls, err);
		x = d2i_X509(NULL, &at, (long)(end - at));
		if (!x) {
			ERR_clear_error();
			return err_set(err, cls, "certificate", "%s: no certificate at byte %zu", what, (size_t)(at - data));
		}
		if (pool_put(p, x, what, cls, err) < 0)
			return -1;
	}
	return 0;
}

/* 1: one block decoded, 0: no more, -1: malformed. */
static int next_pem(BIO *mem, const struct cert_cache *cache, X509 **ret)
{
	unsigned char *der = NULL;
	const unsigned char *at;
	unsigned long e;
	long len;

	if (!PEM_bytes_read_bio(&der, &len, NULL, PEM_STRING_X509, mem, ossl_no_passphrase, NULL)) {
		e = ERR_peek_last_error();
		ERR_clear_error();
		return ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE ? 0 : -1;
	}
	at = der;
	*ret = cert_cache_get(cache, der, (size_t)len);
	if (!*ret)
		*ret = d2i_X509(NULL, &at, len);
	OPENSSL_free(der);
	ERR_clear_error();
	return *ret ? 1 : -1;
}

static int add_pem(struct cert_pool *p, const void *data, size_t len, const char *what, enum err_class cls,
		   struct err **err)
{
	BIO *mem = BIO_new_mem_buf(data, (int)len);
	size_t before = p->n;
	int more, r = 0;
	X509 *x;

	if (!mem)
		return ossl_err(err, ERR_INTERNAL, "openssl", "%s", what);
	while ((more = next_pem(mem, p->cache, &x)) > 0 && (r = pool_put(p, x, what, cls, err)) == 0)
		;
	BIO_free(mem);
	if (r < 0)
		return r;
	if (more < 0)
		return err_set(err, cls, "certificate", "%s: certificate %zu is malformed", what, p->n - before + 1);
	if (p->n == before)
		return err_set(err, cls, "certificate", "%s: no certificate, neither DER nor PEM", what);
	return 0;
}

int cert_pool_add(struct cert_pool *p, const void *data, size_t len, const char *what, enum err_class cls, struct err **err)
{
	const uint8_t *bytes = data;

	if (len > CERT_BUNDLE_MAX)
		return err_set(err, cls, "certificate", "%s: %zu bytes, at most %d", what, len, CERT_BUNDLE_MAX);
	/* A DER certificate starts with SEQUENCE, which as text is the digit 0. */
	if (len > 1 && bytes[0] == 0x30 && bytes[1] & 0x80)
		return add_der(p, bytes, len, what, cls, err);
	return add_pem(p, data, len, what, cls, err);
}

int cert_pool_add_own(struct cert_pool *p, const void *data, size_t len, const char *file, struct cert_cache *cache, struct err **err)
{
	size_t before = p->n;

	if (cert_pool_add(p, data, len, file ? file : "CA", ERR_CONFIG, err) < 0)
		return -1;
	for (size_t i = before; i < p->n; i++)
		cert_cache_put(cache, p->cert[i]);
	return 0;
}

X509 *cert_pool_next(const struct cert_pool *p, const char *cn, size_t *from)
{
	while (*from < p->n) {
		X509 *x = p->cert[(*from)++];
		char name[CERT_NAME_MAX];

		cert_subject(x, name);
		if (strcmp(name, cn) == 0)
			return x;
	}
	return NULL;
}

bool cert_pool_has(const struct cert_pool *p, const char *cn)
{
	size_t from = 0;

	return cert_pool_next(p, cn, &from) != NULL;
}

static void common_name(const X509_NAME *name, char out[static CERT_NAME_MAX])
{
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	unsigned char *text = NULL;
	int len;

	out[0] = 0;
	if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
		return;
	len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	if (len > 0)
		text_sanitise((char *)text, (size_t)len, out, CERT_NAME_MAX);
	OPENSSL_free(text);
	ERR_clear_error();
}

void cert_subject(const X509 *x, char out[static CERT_NAME_MAX])
{
	common_name(X509_get_subject_name(x), out);
}

void cert_issuer(const X509 *x, char out[static CERT_NAME_MAX])
{
	common_name(X509_get_issuer_name(x), out);
}

int cert_sha256(const X509 *x, uint8_t out[static 32], struct err **err)
{
	unsigned int len = 32;

	if (X509_digest(x, EVP_sha256(), out, &len) != 1 || len != 32)
		return ossl_err(err, ERR_INTERNAL, "openssl", "certificate digest");
	return 0;
}
