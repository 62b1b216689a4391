/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Public keys that others sent: checked first, then used. */
#include <openssl/rsa.h>
#include <string.h>

#include "crypto/digest.h"
#include "crypto/keypair_impl.h"

static int from_params(OSSL_PARAM_BLD *bld, const char *type, EVP_PKEY **ret, struct err **err)
{
	_cleanup_ossl_(param) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	_cleanup_ossl_(pkey_ctx) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);

	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1)
		return ossl_err(err, ERR_INTERNAL, "crypto", "building a public key");
	/* An EC point that is not on the curve fails here. */
	if (EVP_PKEY_fromdata(ctx, ret, EVP_PKEY_PUBLIC_KEY, params) != 1)
		return ossl_err(err, ERR_INTEGRITY, "public-key", "not a valid %s public key", type);
	return 0;
}

static int rsa_to_pkey(const struct public_key *pk, EVP_PKEY **ret, struct err **err)
{
	_cleanup_ossl_(bn) BIGNUM *n = BN_bin2bn(pk->n, (int)pk->n_len, NULL);
	_cleanup_ossl_(bn) BIGNUM *e = BN_bin2bn(pk->e, (int)pk->e_len, NULL);
	_cleanup_ossl_(param_bld) OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();

	if (!n || !e || !bld)
		return ossl_err(err, ERR_NOMEM, "crypto", "building a public key");
	if (BN_num_bits(n) < 2048 || BN_num_bits(n) > 4096)
		return err_set(err, ERR_INTEGRITY, "public-key", "RSA modulus of %d bits, 2048 to 4096 are accepted",
			       BN_num_bits(n));
	if (!BN_is_odd(n) || !BN_is_odd(e) || BN_is_one(e))
		return err_set(err, ERR_INTEGRITY, "public-key", "not an RSA modulus and exponent");
	if (OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e) != 1)
		return ossl_err(err, ERR_INTERNAL, "crypto", "building a public key");
	return from_params(bld, "RSA", ret, err);
}

static int ec_to_pkey(const struct public_key *pk, EVP_PKEY **ret, struct err **err)
{
	_cleanup_ossl_(param_bld) OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	const char *group = pk->curve_bits == 256 ? "P-256" : pk->curve_bits == 521 ? "P-521" : NULL;
	uint8_t point[1 + 2 * KEY_COORD_MAX] = { 4 }; /* uncompressed */

	if (!group || pk->coord_len != (pk->curve_bits + 7) / 8)
		return err_set(err, ERR_INTEGRITY, "public-key", "EC key on an unknown curve");
	memcpy(point + 1, pk->x, pk->coord_len);
	memcpy(point + 1 + pk->coord_len, pk->y, pk->coord_len);
	if (!bld || OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) != 1 ||
	    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * pk->coord_len) != 1)
		return ossl_err(err, ERR_INTERNAL, "crypto", "building a public key");
	return from_params(bld, "EC", ret, err);
}

int public_key_to_pkey(const struct public_key *pk, EVP_PKEY **ret, struct err **err)
{
	return pk->rsa ? rsa_to_pkey(pk, ret, err) : ec_to_pkey(pk, ret, err);
}

/* The defaults of OAEP are SHA-1: both digests are set (kbs-protocol.md 4.3, pitfall 9). */
static int rsa_padding(EVP_PKEY_CTX *ctx, bool oaep)
{
	if (!oaep)
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1;
}

int public_key_rsa_encrypt(const struct public_key *pk, bool oaep, const void *in, size_t len, uint8_t *out, size_t cap,
			   size_t *ret_len, struct err **err)
{
	_cleanup_ossl_(pkey) EVP_PKEY *pkey = NULL;
	_cleanup_ossl_(pkey_ctx) EVP_PKEY_CTX *ctx = NULL;
	size_t n = cap;

	if (!pk->rsa)
		return err_set(err, ERR_INTERNAL, "crypto", "RSA operation with an EC key");
	if (public_key_to_pkey(pk, &pkey, err) < 0)
		return -1;
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	if (!ctx || EVP_PKEY_encrypt_init(ctx) != 1 || !rsa_padding(ctx, oaep) || EVP_PKEY_encrypt(ctx, out, &n, in, len) != 1)
		return ossl_err(err, ERR_INTERNAL, "crypto", "RSA encryption");
	*ret_len = n;
	return 0;
}

static int rsa_decrypt_start(const struct keypair *kp, bool oaep, EVP_PKEY_CTX **ret, struct err **err)
{
	_cleanup_ossl_(pkey_ctx) EVP_PKEY_CTX *ctx = NULL;

	if (!kp->pub.rsa)
		return err_set(err, ERR_INTERNAL, "crypto", "RSA operation with an EC key");
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, kp->pkey, NULL);
	if (!ctx || EVP_PKEY_decrypt_init(ctx) != 1 || !rsa_padding(ctx, oaep))
		return ossl_err(err, ERR_INTERNAL, "crypto", "RSA decryption");
	*ret = TAKE_PTR(ctx);
	return 0;
}

/* Bleichenbacher's oracle needs to hear whether the padding was right. Here a wrong padding, a wrong length and a wrong
 * key all give 32 random bytes, chosen before the result is known, and the caller meets the difference only as a GCM tag
 * that does not match. (OpenSSL 3.2 rejects implicitly with bytes of its own; the length check still applies.) */
static int rsa_decrypt_v15(EVP_PKEY_CTX *ctx, const void *in, size_t len, struct secret **ret, struct err **err)
{
	_cleanup_secret_ struct secret *found = NULL, *key = NULL;
	size_t n = KEY_MODULUS_MAX;
	unsigned char mask;
	int r;

	if (secret_new(KEY_MODULUS_MAX, &found, err) < 0 || secret_new(32, &key, err) < 0 ||
	    random_bytes(secret_data(key), 32, err) < 0)
		return -1;
	secret_set_len(key, 32);
	r = EVP_PKEY_decrypt(ctx, secret_data(found), &n, in, len);
	ossl_forget();
	mask = (unsigned char)-(int)((r == 1) & (n == 32));
	for (size_t i = 0; i < 32; i++)
		secret_data(key)[i] = (unsigned char)((secret_data(found)[i] & mask) | (secret_data(key)[i] & ~mask));
	*ret = TAKE_PTR(key);
	return 0;
}

int keypair_rsa_decrypt(const struct keypair *kp, bool oaep, const void *in, size_t len, struct secret **ret,
			struct err **err)
{
	_cleanup_ossl_(pkey_ctx) EVP_PKEY_CTX *ctx = NULL;
	_cleanup_secret_ struct secret *out = NULL;
	size_t n = KEY_MODULUS_MAX;

	if (rsa_decrypt_start(kp, oaep, &ctx, err) < 0)
		return -1;
	if (!oaep)
		return rsa_decrypt_v15(ctx, in, len, ret, err);
	if (secret_new(KEY_MODULUS_MAX, &out, err) < 0)
		return -1;
	if (EVP_PKEY_decrypt(ctx, secret_data(out), &n, in, len) != 1) {
		ossl_forget();
		return err_set(err, ERR_INTEGRITY, "rsa-oaep", "RSA-OAEP-256 does not decrypt with our key");
	}
	secret_set_len(out, n);
	*ret = TAKE_PTR(out);
	return 0;
}

/* What a signature may be over; the older digests are for reading PCRs. */
static const EVP_MD *md_of(enum digest_alg alg)
{
	switch (alg) {
	case DIGEST_SHA256:
		return EVP_sha256();
	case DIGEST_SHA384:
		return EVP_sha384();
	case DIGEST_SHA512:
		return EVP_sha512();
	default:
		return NULL;
	}
}

int public_key_verify_rsassa(const struct public_key *pk, enum digest_alg alg, const void *data, size_t len, const uint8_t *sig,
			     size_t sig_len, struct err **err)
{
	_cleanup_ossl_(md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	_cleanup_ossl_(pkey) EVP_PKEY *pkey = NULL;
	EVP_PKEY_CTX *padding = NULL; /* of ctx */

	if (!pk->rsa || !md_of(alg))
		return err_set(err, ERR_INTERNAL, "crypto", "RSA signature with an EC key or an old digest");
	if (public_key_to_pkey(pk, &pkey, err) < 0)
		return -1;
	if (!ctx || EVP_DigestVerifyInit(ctx, &padding, md_of(alg), NULL, pkey) != 1 ||
	    EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PADDING) != 1)
		return ossl_err(err, ERR_INTERNAL, "crypto", "RSA signature");
	if (EVP_DigestVerify(ctx, sig, sig_len, data, len) == 1)
		return 0;
	ossl_forget();
	return err_set(err, ERR_INTEGRITY, "signature", "the RSA signature is not by this key");
}
