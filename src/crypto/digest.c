/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "crypto/digest.h"

#include <openssl/rand.h>
#include <strings.h>

#include "crypto/ossl.h"

static const struct {
	const char *name;
	size_t size;
	const EVP_MD *(*md)(void);
} digests[] = {
	[DIGEST_SHA256] = { "sha256", 32, EVP_sha256 },
	[DIGEST_SHA384] = { "sha384", 48, EVP_sha384 },
	[DIGEST_SHA512] = { "sha512", 64, EVP_sha512 },
	[DIGEST_SHA1] = { "sha1", 20, EVP_sha1 },
	[DIGEST_SM3] = { "sm3", 32, EVP_sm3 },
	[DIGEST_SHA3_256] = { "sha3_256", 32, EVP_sha3_256 },
	[DIGEST_SHA3_384] = { "sha3_384", 48, EVP_sha3_384 },
	[DIGEST_SHA3_512] = { "sha3_512", 64, EVP_sha3_512 },
};

size_t digest_size(enum digest_alg alg)
{
	return digests[alg].size;
}

int digest_by_name(const char *name, enum digest_alg *ret, struct err **err)
{
	for (size_t i = 0; i <= DIGEST_SHA512; i++) {
		if (strcasecmp(name, digests[i].name) != 0)
			continue;
		*ret = (enum digest_alg)i;
		return 0;
	}
	return err_set(err, ERR_INTEGRITY, "digest", "unknown hash algorithm %s (known: sha256, sha384, sha512)", name);
}

int digest_pieces(enum digest_alg alg, const struct digest_piece *pieces, size_t n, uint8_t out[static DIGEST_MAX],
		  struct err **err)
{
	_cleanup_ossl_(md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (!ctx || EVP_DigestInit_ex(ctx, digests[alg].md(), NULL) != 1)
		return ossl_err(err, ERR_INTERNAL, "crypto", "%s", digests[alg].name);
	for (size_t i = 0; i < n; i++)
		if (EVP_DigestUpdate(ctx, pieces[i].data, pieces[i].len) != 1)
			return ossl_err(err, ERR_INTERNAL, "crypto", "%s", digests[alg].name);
	if (EVP_DigestFinal_ex(ctx, out, NULL) != 1)
		return ossl_err(err, ERR_INTERNAL, "crypto", "%s", digests[alg].name);
	return 0;
}

int digest_bytes(enum digest_alg alg, const void *data, size_t len, uint8_t out[static DIGEST_MAX], struct err **err)
{
	const struct digest_piece piece = { data, len };

	return digest_pieces(alg, &piece, 1, out, err);
}

int hmac_sha256(const struct secret *key, const void *data, size_t len, uint8_t out[static 32], struct err **err)
{
	size_t out_len = 0;

	if (!EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, secret_cdata(key), secret_len(key), data, len, out, 32, &out_len) ||
	    out_len != 32)
		return ossl_err(err, ERR_INTERNAL, "crypto", "HMAC-SHA256");
	return 0;
}

int pbkdf2_sha256(const struct secret *password, const void *salt, size_t salt_len, unsigned int iterations, size_t out_len,
		  struct secret **ret, struct err **err)
{
	_cleanup_secret_ struct secret *out = NULL;

	if (secret_new(out_len, &out, err) < 0)
		return -1;
	if (PKCS5_PBKDF2_HMAC((const char *)secret_cdata(password), (int)secret_len(password), salt, (int)salt_len, (int)iterations,
			      EVP_sha256(), (int)out_len, secret_data(out)) != 1)
		return ossl_err(err, ERR_INTERNAL, "crypto", "PBKDF2");
	secret_set_len(out, out_len);
	*ret = TAKE_PTR(out);
	return 0;
}

int random_bytes(void *out, size_t len, struct err **err)
{
	if (RAND_bytes_ex(NULL, out, len, 0) != 1)
		return ossl_err(err, ERR_INTERNAL, "crypto", "random bytes");
	return 0;
}
