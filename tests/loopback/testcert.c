/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/loopback/testcert.h"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/encode.h"

#define HOUR 3600
#define DAY (24 * HOUR)

struct testca {
	X509 *cert;
	EVP_PKEY *key;
	char pem[2048];
};

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "testcert: %s failed\n", what);
	abort();
}

static void bio_text(BIO *b, char *out, size_t cap)
{
	char *p = NULL;
	long n = BIO_get_mem_data(b, &p);

	must(n > 0 && (size_t)n < cap, "PEM");
	memcpy(out, p, (size_t)n);
	out[n] = 0;
	BIO_free(b);
}

static void cert_text(X509 *cert, char *out, size_t cap)
{
	BIO *b = BIO_new(BIO_s_mem());

	must(b && PEM_write_bio_X509(b, cert) == 1, "writing a certificate");
	bio_text(b, out, cap);
}

static void set_name(X509 *cert, const char *cn)
{
	X509_NAME *n = X509_get_subject_name(cert);

	must(X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0) == 1, "name");
}

static void add_ext(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	must(ext && X509_add_ext(cert, ext, -1) == 1, "extension");
	X509_EXTENSION_free(ext);
}

static X509 *new_cert(EVP_PKEY *key, const char *cn, int64_t from, int64_t to)
{
	X509 *cert = X509_new();
	uint64_t serial = 0;

	must(cert && RAND_bytes((unsigned char *)&serial, 7) == 1, "certificate");
	ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial | 1);
	X509_set_version(cert, 2);
	must(ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)from) && ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)to),
	     "dates");
	X509_set_pubkey(cert, key);
	set_name(cert, cn);
	return cert;
}

struct testca *testca_new(const char *name)
{
	struct testca *ca = calloc(1, sizeof(*ca));
	int64_t now = (int64_t)time(NULL);

	must(ca != NULL, "memory");
	ca->key = EVP_EC_gen("P-256");
	must(ca->key != NULL, "key");
	ca->cert = new_cert(ca->key, name, now - 3650 * (int64_t)DAY, now + 3650 * (int64_t)DAY);
	X509_set_issuer_name(ca->cert, X509_get_subject_name(ca->cert));
	add_ext(ca->cert, ca->cert, NID_basic_constraints, "critical,CA:TRUE");
	add_ext(ca->cert, ca->cert, NID_key_usage, "critical,keyCertSign");
	must(X509_sign(ca->cert, ca->key, EVP_sha256()) > 0, "signing");
	cert_text(ca->cert, ca->pem, sizeof(ca->pem));
	return ca;
}

void testca_free(struct testca *ca)
{
	if (!ca)
		return;
	X509_free(ca->cert);
	EVP_PKEY_free(ca->key);
	free(ca);
}

const char *testca_pem(const struct testca *ca)
{
	return ca->pem;
}

static bool is_address(const char *s)
{
	return strchr(s, ':') || strspn(s, "0123456789.") == strlen(s);
}

static void add_names(X509 *cert, X509 *issuer, const char *const *names)
{
	static const char *const loopback[] = { "127.0.0.1", NULL };
	struct buf b = BUF_INIT(4096);

	if (!names)
		names = loopback;
	for (; *names; names++)
		buf_printf(&b, "%s%s:%s", b.len ? "," : "", is_address(*names) ? "IP" : "DNS", *names);
	if (b.len)
		add_ext(cert, issuer, NID_subject_alt_name, buf_cstr(&b));
	buf_free(&b);
}

static void make_pin(X509 *cert, char *out, size_t cap)
{
	unsigned char *der = NULL, digest[32];
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
	char text[45];

	must(n > 0 && EVP_Digest(der, (size_t)n, digest, NULL, EVP_sha256(), NULL) == 1, "pin");
	OPENSSL_free(der);
	b64_encode(B64_STD, digest, sizeof(digest), text);
	snprintf(out, cap, "sha256//%s", text);
}

void testcert_make(const struct testca *ca, const struct testcert_params *p, struct testcert *ret)
{
	int64_t now = (int64_t)time(NULL);
	EVP_PKEY *key = EVP_EC_gen("P-256");
	BIO *b = BIO_new(BIO_s_mem());
	X509 *cert;

	must(key && b, "key");
	cert = new_cert(key, p->cn ? p->cn : "test server", p->not_before ? p->not_before : now - HOUR,
			p->not_after ? p->not_after : now + DAY);
	X509_set_issuer_name(cert, X509_get_subject_name(ca->cert));
	add_ext(cert, ca->cert, NID_basic_constraints, "critical,CA:FALSE");
	add_names(cert, ca->cert, p->names);
	must(X509_sign(cert, ca->key, EVP_sha256()) > 0, "signing");
	cert_text(cert, ret->cert_pem, sizeof(ret->cert_pem));
	must(PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL) == 1, "writing a key");
	bio_text(b, ret->key_pem, sizeof(ret->key_pem));
	make_pin(cert, ret->pin, sizeof(ret->pin));
	X509_free(cert);
	EVP_PKEY_free(key);
}
