/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Public keys as files hold them, and the signatures that go with them. */
#include <openssl/ec.h>
#include <openssl/pem.h>

#include "crypto/digest.h"
#include "crypto/keypair_impl.h"

#define PEM_MAX 65536

/* RSAPublicKey of PKCS#1, or the EC point: what i2d_PublicKey() writes. */
static int fingerprint_of(const EVP_PKEY *pkey, uint8_t out[static DIGEST_MAX], struct err **err)
{
	unsigned char *der = NULL;
	int len = i2d_PublicKey(pkey, &der);
	int r;

	if (len <= 0)
		return ossl_err(err, ERR_INTERNAL, "crypto", "encoding a public key");
	r = digest_bytes(DIGEST_SHA256, der, (size_t)len, out, err);
	OPENSSL_free(der);
	return r;
}

int public_key_from_pem(const char *pem, size_t len, struct public_key *ret, uint8_t ret_fingerprint[static 32], struct err **err)
{
	_cleanup_ossl_(bio) BIO *bio = NULL;
	_cleanup_ossl_(pkey) EVP_PKEY *pkey = NULL;
	struct public_key pub;
	uint8_t digest[DIGEST_MAX];

	if (len > PEM_MAX)
		return err_set(err, ERR_CONFIG, "key-pem", "key file of %zu bytes is too long", len);
	bio = BIO_new_mem_buf(pem, (int)len);
	if (!bio)
		return ossl_err(err, ERR_NOMEM, "crypto", "reading a public key");
	pkey = PEM_read_bio_PUBKEY(bio, NULL, ossl_no_passphrase, NULL);
	if (!pkey)
		return ossl_err(err, ERR_CONFIG, "key-pem", "not a PEM public key (BEGIN PUBLIC KEY)");
	ossl_forget();
	if (pkey_read_public(pkey, &pub, err) < 0 || fingerprint_of(pkey, digest, err) < 0)
		return -1;
	*ret = pub;
	memcpy(ret_fingerprint, digest, 32);
	return 0;
}

int keypair_fingerprint(const struct keypair *kp, uint8_t out[static 32], struct err **err)
{
	uint8_t digest[DIGEST_MAX];

	if (fingerprint_of(kp->pkey, digest, err) < 0)
		return -1;
	memcpy(out, digest, 32);
	return 0;
}

int keypair_sign_sha256(const struct keypair *kp, const void *data, size_t len, uint8_t *out, size_t cap, size_t *ret_len,
			struct err **err)
{
	_cleanup_ossl_(md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = cap;

	if (!ctx || EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, kp->pkey, NULL) != 1 ||
	    EVP_DigestSign(ctx, out, &n, data, len) != 1)
		return ossl_err(err, ERR_INTERNAL, "crypto", "signature");
	*ret_len = n;
	return 0;
}

int ecdsa_signature_parse(const void *der, size_t len, size_t width, uint8_t *r, uint8_t *s, struct err **err)
{
	const unsigned char *p = der;
	_cleanup_ossl_(ecdsa_sig) ECDSA_SIG *sig = NULL;

	if (len > 2 * width + 16)
		return err_set(err, ERR_INTEGRITY, "signature", "an ECDSA signature of %zu bytes is too long", len);
	sig = d2i_ECDSA_SIG(NULL, &p, (long)len);
	if (!sig || p != (const unsigned char *)der + len || BN_is_negative(ECDSA_SIG_get0_r(sig)) ||
	    BN_is_negative(ECDSA_SIG_get0_s(sig)) || BN_bn2binpad(ECDSA_SIG_get0_r(sig), r, (int)width) < 0 ||
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), s, (int)width) < 0)
		return ossl_err(err, ERR_INTEGRITY, "signature", "not an ECDSA signature");
	return 0;
}
