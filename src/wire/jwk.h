/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The public key as JSON (kbs-protocol.md 2.2, 3.4, 4.1): exactly kty, alg, n, e or kty, alg, crv, x, y; members
 * base64url without padding. Extra members are accepted by the parser and dropped (pitfall 4).
 */
#ifndef CRYPTATTEST_WIRE_JWK_H
#define CRYPTATTEST_WIRE_JWK_H

#include <jansson.h>

#include "crypto/keypair.h"

enum jwk_alg { JWK_RSA_OAEP_256, JWK_RSA1_5, JWK_ECDH_A256KW };

struct jwk {
	enum jwk_alg alg;
	struct public_key key;
};

const char *jwk_alg_name(enum jwk_alg alg);
/* Members in alphabetical order. */
int jwk_to_json(const struct jwk *jwk, json_t **ret, struct err **err);
/* ERR_INTEGRITY (id "jwk"); refuses RSA below 2048 or above 4096 bits, unknown alg and curve, wrong coordinate width,
 * numbers with leading zeros (they would hash differently). Form only: whether a point is on its curve is checked by
 * every operation that uses the key. */
int jwk_from_json(const json_t *obj, struct jwk *ret, struct err **err);

/* The same without `alg`: the ephemeral key of a JWE header, the signer key of a token header. alg NULL leaves the member
 * out. */
int jwk_key_to_json(const struct public_key *key, const char *alg, json_t **ret, struct err **err);
int jwk_key_from_json(const json_t *obj, struct public_key *ret, struct err **err);

#endif
