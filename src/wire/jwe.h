/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* JWE flattened JSON as Trustee speaks it (kbs-protocol.md 4.2-4.4). Pure; no I/O. */
#ifndef CRYPTATTEST_WIRE_JWE_H
#define CRYPTATTEST_WIRE_JWE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "wire/jwk.h"

#define JWE_TEXT_MAX (2 * 1024 * 1024)
#define JWE_MEMBER_MAX (1536 * 1024) /* bytes of one member's text */
#define JWE_HEADER_MAX 1024	     /* bytes of the protected header, decoded */
#define JWE_PLAIN_MAX (1024 * 1024)

/* The five members as received (text, NUL-terminated). Owned. */
struct jwe {
	char *protected_text, *encrypted_key, *iv, *ciphertext, *tag;
};

int jwe_parse(const char *text, size_t len, struct jwe *ret, struct err **err); /* ERR_INTEGRITY, id "jwe" */
void jwe_clear(struct jwe *jwe);
/* alg is our own key's; the header must agree (never lets the header choose). old_form: 0.1.x (4.4). The AAD is the
 * protected string as received. ERR_INTEGRITY, id "jwe". */
int jwe_decrypt(const struct jwe *jwe, const struct keypair *kp, enum jwk_alg alg, bool old_form, struct secret **ret,
		struct err **err);
/* Server: compact JSON text in the byte-exact form Rust clients rebuild. plain at most JWE_PLAIN_MAX. */
int jwe_encrypt(const struct jwk *to, const void *plain, size_t len, char **ret_json, struct err **err);

#endif
