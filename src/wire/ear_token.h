/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* EAR JWT (kbs-protocol.md 6 "Token"): the server makes and checks them, the client only reads claims. */
#ifndef CRYPTATTEST_WIRE_EAR_TOKEN_H
#define CRYPTATTEST_WIRE_EAR_TOKEN_H

#include <stdint.h>

#include "base/err.h"
#include "wire/jwk.h"

/* The signature algorithm is ES256 and nothing else; a key in the header is never used. */

struct ear_claims {
	int64_t iat, exp;
	const char *tee;	      /* "snp" | "tdx" */
	const char *status;	      /* "none" | "affirming" | "warning" | "contraindicated" */
	const char *policy_id;
	const json_t *tee_claims;     /* object */
	const char *init_data_hex;    /* or NULL */
	const char *report_data_hex;
	const char *nonce;
	const struct jwk *tee_pubkey;
};

int ear_token_make(const struct keypair *signer, const struct ear_claims *c, char **ret_jwt, struct err **err);
/* Checks signature and exp against now; returns the payload. ERR_INTEGRITY ids "token-signature", "token-payload",
 * "token-expired". */
int ear_token_verify(const struct public_key *signer, const char *jwt, int64_t now, json_t **ret_payload, struct err **err);
/* Payload without any check: for `attest`, labelled "not verified here". */
int ear_token_peek(const char *jwt, json_t **ret_payload, struct err **err);

#endif
