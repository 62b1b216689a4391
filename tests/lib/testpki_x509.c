/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "crypto/ossl.h"
#include "tests/lib/testpki_int.h"

int pki_fail(struct err **err, const char *what)
{
	return ossl_err(err, ERR_INTERNAL, "testpki", "test PKI: %s", what);
}

/* As many primes as OpenSSL allows: a key of the right size in a tenth of the time, to be thrown away. */
int pki_key_rsa(int bits, EVP_PKEY **ret, struct err **err)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, NULL);
	EVP_PKEY *key = NULL;
	bool ok = ctx && EVP_PKEY_keygen_init(ctx) > 0 && EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, bits) > 0 &&
		  EVP_PKEY_CTX_set_rsa_keygen_primes(ctx, bits < 4096 ? 3 : 4) > 0 && EVP_PKEY_keygen(ctx, &key) > 0;

	EVP_PKEY_CTX_free(ctx);
	if (!ok)
		return pki_fail(err, "RSA key");
	*ret = key;
	return 0;
}

int pki_key_ec(const char *curve, EVP_PKEY **ret, struct err **err)
{
	EVP_PKEY *key = EVP_EC_gen(curve);

	if (!key)
		return pki_fail(err, "EC key");
	*ret = key;
	return 0;
}

static int add_name(X509_NAME *n, const char *type, const char *value)
{
	return X509_NAME_add_entry_by_txt(n, type, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0);
}

static int set_name(X509 *x, const struct pki_name *name)
{
	X509_NAME *n = X509_get_subject_name(x);

	if (name->intel)
		return add_name(n, "CN", name->cn) && add_name(n, "O", "Intel Corporation") &&
		       add_name(n, "L", "Santa Clara") && add_name(n, "ST", "CA") && add_name(n, "C", "US");
	return add_name(n, "OU", "Engineering") && add_name(n, "C", "US") && add_name(n, "L", "Santa Clara") &&
	       add_name(n, "ST", "CA") && add_name(n, "O", "Advanced Micro Devices") && add_name(n, "CN", name->cn);
}

static int add_ext(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	int ok;

	X509V3_set_ctx(&ctx, issuer ? issuer : x, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = ext && X509_add_ext(x, ext, -1);
	X509_EXTENSION_free(ext);
	return ok;
}

int pki_add_raw(X509 *x, const char *oid, const void *value, size_t len)
{
	ASN1_OBJECT *obj = OBJ_txt2obj(oid, 1);
	ASN1_OCTET_STRING *data = ASN1_OCTET_STRING_new();
	X509_EXTENSION *ext = NULL;
	int ok;

	ok = obj && data && ASN1_OCTET_STRING_set(data, value, (int)len) &&
	     (ext = X509_EXTENSION_create_by_OBJ(NULL, obj, 0, data)) && X509_add_ext(x, ext, -1);
	X509_EXTENSION_free(ext);
	ASN1_OCTET_STRING_free(data);
	ASN1_OBJECT_free(obj);
	return ok;
}

static int add_usage(X509 *x, const struct pki_cert *c)
{
	char constraints[40];

	if (c->pathlen >= 0) {
		snprintf(constraints, sizeof(constraints), "critical,CA:TRUE,pathlen:%d", c->pathlen);
		return add_ext(x, c->issuer, NID_subject_key_identifier, "hash") &&
		       add_ext(x, c->issuer, NID_basic_constraints, constraints) &&
		       add_ext(x, c->issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
	}
	if (!c->end_entity_constraints)
		return 1;
	return add_ext(x, c->issuer, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_ext(x, c->issuer, NID_key_usage, "critical,digitalSignature,nonRepudiation");
}

static int sign_cert(X509 *x, EVP_PKEY *key, enum pki_sig sig)
{
	EVP_MD_CTX *m = EVP_MD_CTX_new();
	EVP_PKEY_CTX *p = NULL;
	int ok;

	if (sig == SIG_ECDSA_SHA256) {
		EVP_MD_CTX_free(m);
		return X509_sign(x, key, EVP_sha256()) > 0;
	}
	ok = m && EVP_DigestSignInit(m, &p, EVP_sha384(), NULL, key) > 0 &&
	     EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) > 0 &&
	     EVP_PKEY_CTX_set_rsa_pss_saltlen(p, sig == SIG_PSS ? 48 : 32) > 0 &&
	     EVP_PKEY_CTX_set_rsa_mgf1_md(p, EVP_sha384()) > 0 && X509_sign_ctx(x, m) > 0;
	EVP_MD_CTX_free(m);
	return ok;
}

int pki_issue(const struct pki_cert *c, X509 **ret, struct err **err)
{
	static long serial = 1;
	X509 *x = X509_new();
	bool ok = x && X509_set_version(x, X509_VERSION_3) && ASN1_INTEGER_set(X509_get_serialNumber(x), serial++) &&
		  set_name(x, &c->subject) &&
		  X509_set_issuer_name(x, X509_get_subject_name(c->issuer ? c->issuer : x)) &&
		  ASN1_TIME_set(X509_getm_notBefore(x), c->not_before) &&
		  ASN1_TIME_set(X509_getm_notAfter(x), c->not_after) && X509_set_pubkey(x, c->key) && add_usage(x, c) &&
		  (!c->extend || c->extend(x, c->arg)) && sign_cert(x, c->issuer_key, c->sig);

	if (!ok) {
		X509_free(x);
		return pki_fail(err, c->subject.cn);
	}
	*ret = x;
	return 0;
}

int pki_sign_rs(EVP_PKEY *key, const EVP_MD *md, const void *data, size_t len, uint8_t *r, uint8_t *s, int n,
		struct err **err)
{
	uint8_t der[160];
	const uint8_t *p = der;
	size_t der_len = sizeof(der);
	EVP_MD_CTX *m = EVP_MD_CTX_new();
	ECDSA_SIG *sig = NULL;
	bool ok = m && EVP_DigestSignInit(m, NULL, md, NULL, key) > 0 && EVP_DigestSign(m, der, &der_len, data, len) > 0 &&
		  (sig = d2i_ECDSA_SIG(NULL, &p, (long)der_len)) && BN_bn2binpad(ECDSA_SIG_get0_r(sig), r, n) == n &&
		  BN_bn2binpad(ECDSA_SIG_get0_s(sig), s, n) == n;

	ECDSA_SIG_free(sig);
	EVP_MD_CTX_free(m);
	return ok ? 0 : pki_fail(err, "signature");
}
