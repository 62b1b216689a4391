/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The agent's ephemeral key (S4: one per attempt, never written) and the JWE key operations.
 * Also public keys received by the server side.
 */
#ifndef CRYPTATTEST_CRYPTO_KEYPAIR_H
#define CRYPTATTEST_CRYPTO_KEYPAIR_H

#include <stdbool.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "crypto/digest.h"

enum key_type { KEY_RSA_2048, KEY_RSA_3072, KEY_RSA_4096, KEY_EC_P256, KEY_EC_P521 };

#define KEY_COORD_MAX 66   /* P-521 */
#define KEY_MODULUS_MAX 512 /* 4096 bits */

/* Big-endian; n and e minimal, x and y at full curve width. */
struct public_key {
	bool rsa;
	unsigned int curve_bits; /* 256 or 521 when !rsa */
	uint8_t n[KEY_MODULUS_MAX], e[8], x[KEY_COORD_MAX], y[KEY_COORD_MAX];
	size_t n_len, e_len, coord_len;
};

struct keypair;

const char *key_type_name(enum key_type t); /* "rsa-3072", "ec-p256" ... as in the configuration */
int key_type_by_name(const char *name, enum key_type *ret, struct err **err); /* ERR_CONFIG */
int keypair_generate(enum key_type type, struct keypair **ret, struct err **err); /* thread-safe */
/* The same, given up within milliseconds once *stop is true (RSA; an EC key takes no time): ERR_TIMEOUT. */
int keypair_generate_until(enum key_type type, const atomic_bool *stop, struct keypair **ret, struct err **err);
/* PEM private key, for test vectors and the server's token key. ERR_CONFIG. */
int keypair_from_pem(const char *pem, size_t len, struct keypair **ret, struct err **err);
int keypair_to_pem(const struct keypair *kp, struct secret **ret, struct err **err);
void keypair_free(struct keypair *kp);
void keypair_public(const struct keypair *kp, struct public_key *ret);

/* RSA-OAEP-256 (digest and MGF1 SHA-256) and PKCS#1 v1.5. ERR_INTEGRITY when it does not decrypt; the v1.5
 * variant never tells: it yields 32 random bytes instead (kbs-protocol.md 4.3). */
int keypair_rsa_decrypt(const struct keypair *kp, bool oaep, const void *in, size_t len, struct secret **ret,
			struct err **err);
int public_key_rsa_encrypt(const struct public_key *pk, bool oaep, const void *in, size_t len, uint8_t *out,
			   size_t cap, size_t *ret_len, struct err **err);
/* Z = X coordinate at full width. The point is checked to be on the curve: ERR_INTEGRITY. */
int keypair_ecdh(const struct keypair *kp, const struct public_key *peer, struct secret **ret_z, struct err **err);
/* Concat KDF of RFC 7518 4.6 with SHA-256 for "ECDH-ES+A256KW": a 32-byte KEK. */
int ecdh_concat_kdf(const struct secret *z, const char *alg_id, struct secret **ret_kek, struct err **err);
int aes_key_unwrap(const struct secret *kek, const void *in, size_t len, struct secret **ret, struct err **err);
int aes_key_wrap(const struct secret *kek, const struct secret *key, uint8_t *out, size_t cap, size_t *ret_len,
		 struct err **err);
/* ES256 over data: r||s, 64 bytes. */
int keypair_sign_es256(const struct keypair *kp, const void *data, size_t len, uint8_t out[static 64], struct err **err);
/* RSASSA-PKCS1-v1_5 over data with SHA-2 of this length; ERR_INTEGRITY "signature" when it is not by this RSA key. */
int public_key_verify_rsassa(const struct public_key *pk, enum digest_alg alg, const void *data, size_t len, const uint8_t *sig,
			     size_t sig_len, struct err **err);
int public_key_verify_es256(const struct public_key *pk, const void *data, size_t len, const uint8_t sig[static 64],
			    struct err **err); /* ERR_INTEGRITY */

/* Over data with SHA-256: RSASSA-PKCS1-v1_5 of an RSA key, ECDSA in DER of an EC key. */
int keypair_sign_sha256(const struct keypair *kp, const void *data, size_t len, uint8_t *out, size_t cap, size_t *ret_len,
			struct err **err);
/* As in public_key_from_pem(). */
int keypair_fingerprint(const struct keypair *kp, uint8_t out[static 32], struct err **err);

/* "BEGIN PUBLIC KEY". The fingerprint is the SHA-256 of RSAPublicKey (PKCS#1), or of the EC point: what systemd calls pkfp.
 * ERR_CONFIG. */
int public_key_from_pem(const char *pem, size_t len, struct public_key *ret, uint8_t ret_fingerprint[static 32],
			struct err **err);
/* DER to two numbers of `width` bytes each; r and s are written only for a signature of that shape. ERR_INTEGRITY. */
int ecdsa_signature_parse(const void *der, size_t len, size_t width, uint8_t *r, uint8_t *s, struct err **err);

#endif
