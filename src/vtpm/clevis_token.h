/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Tokens of type "clevis" with the pin tpm2 (tpm-sealing.md 5.5): a JWE (dir, A256GCM) around the passphrase, whose key, a JWK, is
 * what the TPM sealed. Pure.
 */
#ifndef CRYPTATTEST_VTPM_CLEVIS_TOKEN_H
#define CRYPTATTEST_VTPM_CLEVIS_TOKEN_H

#include "vtpm/foreign_token.h"

/* Everything but type and keyslot. Not supported: other pins (tang, sss around tpm2 too), hashes other than SHA-256, policies of the Rust
 * program (policy_*). */
int clevis_token_parse(const json_t *token, struct foreign_token *ret, struct err **err);
/* The passphrase, from the unsealed JWK. ERR_INTEGRITY "foreign-secret". */
int clevis_token_decrypt(const struct foreign_token *k, const struct secret *jwk, struct secret **ret, struct err **err);

#endif
