/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "crypto/aead.h"

#include <limits.h>

#include "crypto/ossl.h"

#define GCM_TAG_LEN 16

/* The default IV length of EVP_aes_256_gcm() is the 12 bytes that we use. */
static int gcm_start(EVP_CIPHER_CTX *ctx, const struct secret *key, const uint8_t *iv, const void *aad, size_t aad_len,
		     size_t data_len, int encrypt, struct err **err)
{
	int n;

	if (secret_len(key) != 32)
		return err_set(err, ERR_INTERNAL, "crypto", "AES-256-GCM key of %zu bytes", secret_len(key));
	if (aad_len > INT_MAX || data_len > INT_MAX)
		return err_set(err, ERR_INTERNAL, "crypto", "AES-256-GCM input too long");
	if (!ctx || EVP_CipherInit_ex2(ctx, EVP_aes_256_gcm(), secret_cdata(key), iv, encrypt, NULL) != 1)
		return ossl_err(err, ERR_INTERNAL, "crypto", "AES-256-GCM");
	if (aad_len > 0 && EVP_CipherUpdate(ctx, NULL, &n, aad, (int)aad_len) != 1)
		return ossl_err(err, ERR_INTERNAL, "crypto", "AES-256-GCM");
	return 0;
}

int aes256gcm_open(const struct secret *key, const uint8_t iv[static 12], const void *aad, size_t aad_len,
		   const void *ct, size_t ct_len, const uint8_t tag[static 16], struct secret **ret, struct err **err)
{
	_cleanup_ossl_(cipher_ctx) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	_cleanup_secret_ struct secret *plain = NULL;
	uint8_t rest[16];
	int n = 0;

	if (gcm_start(ctx, key, iv, aad, aad_len, ct_len, 0, err) < 0 ||
	    secret_new(ct_len ? ct_len : 1, &plain, err) < 0)
		return -1;
	if ((ct_len > 0 && EVP_CipherUpdate(ctx, secret_data(plain), &n, ct, (int)ct_len) != 1) ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_LEN, (void *)tag) != 1)
		return ossl_err(err, ERR_INTERNAL, "crypto", "AES-256-GCM");
	if (EVP_CipherFinal_ex(ctx, rest, &n) != 1) {
		ossl_forget();
		return err_set(err, ERR_INTEGRITY, "gcm-tag", "authentication tag does not match");
	}
	secret_set_len(plain, ct_len);
	*ret = TAKE_PTR(plain);
	return 0;
}

int aes256gcm_seal(const struct secret *key, const uint8_t iv[static 12], const void *aad, size_t aad_len,
		   const void *pt, size_t pt_len, uint8_t *out_ct, uint8_t out_tag[static 16], struct err **err)
{
	_cleanup_ossl_(cipher_ctx) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t rest[16];
	int n = 0;

	if (gcm_start(ctx, key, iv, aad, aad_len, pt_len, 1, err) < 0)
		return -1;
	if ((pt_len > 0 && EVP_CipherUpdate(ctx, out_ct, &n, pt, (int)pt_len) != 1) ||
	    EVP_CipherFinal_ex(ctx, rest, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_LEN, out_tag) != 1)
		return ossl_err(err, ERR_INTERNAL, "crypto", "AES-256-GCM");
	return 0;
}
