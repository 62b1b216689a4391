/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* ECDH-ES+A256KW in its three steps (RFC 7518 4.6, RFC 3394), and ES256 (RFC 7518 3.4). */
#include <string.h>

#include "crypto/digest.h"
#include "crypto/keypair_impl.h"

int keypair_ecdh(const struct keypair *kp, const struct public_key *peer, struct secret **ret_z, struct err **err)
{
	_cleanup_ossl_(pkey) EVP_PKEY *peer_key = NULL;
	_cleanup_ossl_(pkey_ctx) EVP_PKEY_CTX *ctx = NULL;
	_cleanup_secret_ struct secret *z = NULL;
	size_t n = kp->pub.coord_len;

	if (kp->pub.rsa)
		return err_set(err, ERR_INTERNAL, "crypto", "ECDH with an RSA key");
	if (peer->rsa || peer->curve_bits != kp->pub.curve_bits)
		return err_set(err, ERR_INTEGRITY, "public-key", "the peer's key is not on our curve");
	/* Checks that the point is on the curve; both curves have cofactor 1, so OpenSSL's slower check of the order
	 * (last argument 1) would add nothing. */
	if (public_key_to_pkey(peer, &peer_key, err) < 0)
		return -1;
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, kp->pkey, NULL);
	if (!ctx || EVP_PKEY_derive_init(ctx) != 1 || EVP_PKEY_derive_set_peer_ex(ctx, peer_key, 0) != 1)
		return ossl_err(err, ERR_INTERNAL, "crypto", "ECDH");
	if (secret_new(KEY_COORD_MAX, &z, err) < 0)
		return -1;
	if (EVP_PKEY_derive(ctx, secret_data(z), &n) != 1 || n != kp->pub.coord_len)
		return ossl_err(err, ERR_INTERNAL, "crypto", "ECDH");
	secret_set_len(z, n);
	*ret_z = TAKE_PTR(z);
	return 0;
}

int ecdh_concat_kdf(const struct secret *z, const char *alg_id, struct secret **ret_kek, struct err **err)
{
	const size_t id_len = strlen(alg_id);
	const uint8_t round[4] = { 0, 0, 0, 1 };
	const uint8_t prefix[4] = { 0, 0, (uint8_t)(id_len >> 8), (uint8_t)id_len };
	const uint8_t no_party_and_256_bits[12] = { [10] = 1 }; /* empty PartyUInfo, PartyVInfo; SuppPubInfo 256 */
	const struct digest_piece pieces[] = {
		{ round, sizeof(round) },
		{ secret_cdata(z), secret_len(z) },
		{ prefix, sizeof(prefix) },
		{ alg_id, id_len },
		{ no_party_and_256_bits, sizeof(no_party_and_256_bits) },
	};
	_cleanup_secret_ struct secret *kek = NULL;

	if (secret_new(DIGEST_MAX, &kek, err) < 0 ||
	    digest_pieces(DIGEST_SHA256, pieces, ARRAY_SIZE(pieces), secret_data(kek), err) < 0)
		return -1;
	secret_set_len(kek, 32);
	*ret_kek = TAKE_PTR(kek);
	return 0;
}

static int wrap_start(const struct secret *kek, int encrypt, EVP_CIPHER_CTX **ret, struct err **err)
{
	_cleanup_ossl_(cipher_ctx) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (secret_len(kek) != 32)
		return err_set(err, ERR_INTERNAL, "crypto", "key wrap with a key of %zu bytes", secret_len(kek));
	if (!ctx)
		return err_nomem(err);
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_CipherInit_ex2(ctx, EVP_aes_256_wrap(), secret_cdata(kek), NULL, encrypt, NULL) != 1)
		return ossl_err(err, ERR_INTERNAL, "crypto", "AES-256 key wrap");
	*ret = TAKE_PTR(ctx);
	return 0;
}

#define WRAP_MAX 4096

int aes_key_unwrap(const struct secret *kek, const void *in, size_t len, struct secret **ret, struct err **err)
{
	_cleanup_ossl_(cipher_ctx) EVP_CIPHER_CTX *ctx = NULL;
	_cleanup_secret_ struct secret *key = NULL;
	int n = 0;

	if (len < 24 || len > WRAP_MAX || len % 8 != 0)
		return err_set(err, ERR_INTEGRITY, "key-wrap", "wrapped key of %zu bytes", len);
	if (wrap_start(kek, 0, &ctx, err) < 0 || secret_new(len, &key, err) < 0)
		return -1;
	if (EVP_CipherUpdate(ctx, secret_data(key), &n, in, (int)len) != 1 || n != (int)len - 8) {
		ossl_forget();
		return err_set(err, ERR_INTEGRITY, "key-wrap", "wrapped key fails its integrity check");
	}
	secret_set_len(key, (size_t)n);
	*ret = TAKE_PTR(key);
	return 0;
}

int aes_key_wrap(const struct secret *kek, const struct secret *key, uint8_t *out, size_t cap, size_t *ret_len,
		 struct err **err)
{
	_cleanup_ossl_(cipher_ctx) EVP_CIPHER_CTX *ctx = NULL;
	size_t len = secret_len(key);
	int n = 0;

	if (len < 16 || len % 8 != 0 || len + 8 > WRAP_MAX || len + 8 > cap)
		return err_set(err, ERR_INTERNAL, "crypto", "key of %zu bytes cannot be wrapped", len);
	if (wrap_start(kek, 1, &ctx, err) < 0)
		return -1;
	if (EVP_CipherUpdate(ctx, out, &n, secret_cdata(key), (int)len) != 1 || n != (int)len + 8)
		return ossl_err(err, ERR_INTERNAL, "crypto", "AES-256 key wrap");
	*ret_len = (size_t)n;
	return 0;
}

static int der_to_raw(const uint8_t *der, size_t len, uint8_t out[static 64], struct err **err)
{
	_cleanup_ossl_(ecdsa_sig) ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);

	if (!sig || BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, 32) != 32 ||
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + 32, 32) != 32)
		return ossl_err(err, ERR_INTERNAL, "crypto", "ES256 signature form");
	return 0;
}

int keypair_sign_es256(const struct keypair *kp, const void *data, size_t len, uint8_t out[static 64], struct err **err)
{
	_cleanup_ossl_(md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t der[80];
	size_t n = sizeof(der);

	if (kp->pub.rsa || kp->pub.curve_bits != 256)
		return err_set(err, ERR_CONFIG, "key-type", "ES256 needs a P-256 key");
	if (!ctx || EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, kp->pkey, NULL) != 1 ||
	    EVP_DigestSign(ctx, der, &n, data, len) != 1)
		return ossl_err(err, ERR_INTERNAL, "crypto", "ES256 signature");
	return der_to_raw(der, n, out, err);
}

static int raw_to_der(const uint8_t raw[static 64], uint8_t **ret, size_t *ret_len, struct err **err)
{
	_cleanup_ossl_(ecdsa_sig) ECDSA_SIG *sig = ECDSA_SIG_new();
	_cleanup_ossl_(bn) BIGNUM *r = BN_bin2bn(raw, 32, NULL), *s = BN_bin2bn(raw + 32, 32, NULL);
	uint8_t *der = NULL;
	int n;

	if (!sig || !r || !s || ECDSA_SIG_set0(sig, r, s) != 1)
		return ossl_err(err, ERR_NOMEM, "crypto", "ES256 signature form");
	r = s = NULL; /* now sig's */
	n = i2d_ECDSA_SIG(sig, &der);
	if (n <= 0)
		return ossl_err(err, ERR_INTERNAL, "crypto", "ES256 signature form");
	*ret = der;
	*ret_len = (size_t)n;
	return 0;
}

int public_key_verify_es256(const struct public_key *pk, const void *data, size_t len, const uint8_t sig[static 64],
			    struct err **err)
{
	_cleanup_ossl_(pkey) EVP_PKEY *pkey = NULL;
	_cleanup_ossl_(md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t *der = NULL;
	size_t der_len = 0;
	int r;

	if (pk->rsa || pk->curve_bits != 256)
		return err_set(err, ERR_INTEGRITY, "public-key", "ES256 needs a P-256 key");
	if (public_key_to_pkey(pk, &pkey, err) < 0)
		return -1;
	if (!ctx || EVP_DigestVerifyInit_ex(ctx, NULL, "SHA256", NULL, NULL, pkey, NULL) != 1)
		return ossl_err(err, ERR_INTERNAL, "crypto", "ES256 verification");
	if (raw_to_der(sig, &der, &der_len, err) < 0)
		return -1;
	r = EVP_DigestVerify(ctx, der, der_len, data, len);
	OPENSSL_free(der);
	ossl_forget();
	if (r != 1)
		return err_set(err, ERR_INTEGRITY, "signature", "ES256 signature does not verify");
	return 0;
}
