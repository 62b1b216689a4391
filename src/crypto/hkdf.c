/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "crypto/hkdf.h"

#include <openssl/kdf.h>
#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "crypto/ossl.h"

#define LABEL "cryptattest:kbs+vtpm:v1"
#define BOTH_LEN 32

static void kdf_freep(EVP_KDF **k)
{
	EVP_KDF_free(*k);
}

static void kdf_ctx_freep(EVP_KDF_CTX **c)
{
	EVP_KDF_CTX_free(*c);
}

int hkdf_sha256(const struct secret *ikm, const void *salt, size_t salt_len, const void *info, size_t info_len, size_t len,
		struct secret **ret, struct err **err)
{
	_cleanup_(kdf_freep) EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	_cleanup_(kdf_ctx_freep) EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	_cleanup_secret_ struct secret *out = NULL;
	/* OpenSSL 3.0 takes no empty salt; RFC 5869 2.2: none is a block of zeros, which is its default. */
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret_cdata(ikm), secret_len(ikm)),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, info_len),
		salt_len ? OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt, salt_len) : OSSL_PARAM_construct_end(),
		OSSL_PARAM_construct_end(),
	};

	if (secret_new(len, &out, err) < 0)
		return -1;
	if (!ctx || EVP_KDF_derive(ctx, secret_data(out), len, params) != 1)
		return ossl_err(err, ERR_INTERNAL, "crypto", "HKDF");
	secret_set_len(out, len);
	*ret = TAKE_PTR(out);
	return 0;
}

int secret_base64(const struct secret *bytes, struct secret **ret, struct err **err)
{
	size_t len = b64_encoded_len(B64_STD, secret_len(bytes));
	_cleanup_secret_ struct secret *text = NULL;

	if (secret_new(len + 1, &text, err) < 0) /* the encoder ends with a NUL */
		return -1;
	b64_encode(B64_STD, secret_cdata(bytes), secret_len(bytes), (char *)secret_data(text));
	secret_set_len(text, len);
	*ret = TAKE_PTR(text);
	return 0;
}

static int append_part(struct secret *ikm, const struct secret *part, struct err **err)
{
	size_t n = secret_len(part);
	const uint8_t len[4] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };

	if (n < BOTH_PART_MIN)
		return err_set(err, ERR_INTEGRITY, "both-parts", "a part of %zu bytes; each of the two needs %d", n, BOTH_PART_MIN);
	if (secret_append(ikm, len, sizeof(len), err) < 0)
		return -1;
	return secret_append(ikm, secret_cdata(part), n, err);
}

int both_parts_passphrase(const struct secret *kbs_part, const struct secret *sealed_part, const char *uuid, const char *name,
			  struct secret **ret, struct err **err)
{
	_cleanup_secret_ struct secret *ikm = NULL, *okm = NULL;
	_cleanup_buf_ struct buf info = BUF_INIT(256);

	buf_append(&info, LABEL, sizeof(LABEL)); /* with its NUL, and that of the UUID */
	buf_append(&info, uuid, strlen(uuid) + 1);
	buf_append(&info, name, strlen(name));
	if (buf_check(&info, err) < 0 || secret_new(8 + secret_len(kbs_part) + secret_len(sealed_part), &ikm, err) < 0)
		return -1;
	if (append_part(ikm, kbs_part, err) < 0)
		return err_wrap(err, "the key broker's part");
	if (append_part(ikm, sealed_part, err) < 0)
		return err_wrap(err, "the sealed part");
	if (hkdf_sha256(ikm, NULL, 0, info.data, info.len, BOTH_LEN, &okm, err) < 0)
		return -1;
	return secret_base64(okm, ret, err);
}
