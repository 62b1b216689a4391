/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* SHA-2, HMAC and random bytes; OpenSSL behind plain C. crypto/ includes base/ only. ERR_INTERNAL, ERR_NOMEM. */
#ifndef CRYPTATTEST_CRYPTO_DIGEST_H
#define CRYPTATTEST_CRYPTO_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"

/* Those after SHA-512 exist because TPMs keep PCR banks of them (the cap extends every bank); nothing is ever decided by them. */
enum digest_alg { DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512, DIGEST_SHA1, DIGEST_SM3, DIGEST_SHA3_256, DIGEST_SHA3_384, DIGEST_SHA3_512 };

#define DIGEST_MAX 64

size_t digest_size(enum digest_alg alg);
/* Case-insensitive "sha256|sha384|sha512", nothing else; ERR_INTEGRITY. */
int digest_by_name(const char *name, enum digest_alg *ret, struct err **err);
int digest_bytes(enum digest_alg alg, const void *data, size_t len, uint8_t out[static DIGEST_MAX], struct err **err);
/* Several pieces, as if concatenated. */
struct digest_piece {
	const void *data;
	size_t len;
};
int digest_pieces(enum digest_alg alg, const struct digest_piece *pieces, size_t n, uint8_t out[static DIGEST_MAX],
		  struct err **err);
int hmac_sha256(const struct secret *key, const void *data, size_t len, uint8_t out[static 32], struct err **err);
/* PBKDF2-HMAC-SHA256; out_len bytes. */
int pbkdf2_sha256(const struct secret *password, const void *salt, size_t salt_len, unsigned int iterations, size_t out_len,
		  struct secret **ret, struct err **err);
int random_bytes(void *out, size_t len, struct err **err);

#endif
