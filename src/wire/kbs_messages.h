/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * KBS messages, both directions, both sides (kbs-protocol.md 2). Pure functions over text.
 *
 * wire/ is what client and server both speak, and the strict readers of JSON and TOML below it. It includes crypto/ and base/.
 * Pure over bytes, so that folders with no network in them (evidence/, luks/, config/, state/) may include it too.
 */
#ifndef CRYPTATTEST_WIRE_KBS_MESSAGES_H
#define CRYPTATTEST_WIRE_KBS_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "wire/jwk.h"

enum kbs_protocol { KBS_0_1_0, KBS_0_1_1, KBS_0_2_0, KBS_0_4_0 };

const char *kbs_protocol_name(enum kbs_protocol p);				    /* "0.4.0" */
int kbs_protocol_by_name(const char *s, enum kbs_protocol *ret, struct err **err); /* ERR_CONFIG */

#define KBS_NONCE_MAX 4096
#define KBS_TOKEN_MAX 65536
#define KBS_BODY_MAX (2 * 1024 * 1024) /* the request body limit of every server */

/* --- client -> server --- */
int kbs_auth_request(enum kbs_protocol p, const char *tee, char **ret_json, struct err **err);
/* primary: the per-TEE evidence object as JSON text, put in as it is; init_data: TOML text or NULL. Before 0.4.0 there is no
 * place for init-data: ERR_CONFIG (id "kbs-init-data") rather than an attestation without it. */
int kbs_attest_request(enum kbs_protocol p, const char *nonce, const struct jwk *jwk, const char *primary,
		       const char *init_data, char **ret_json, struct err **err);

struct kbs_auth {
	char version[16], tee[24];
	bool version_known;
	enum kbs_protocol protocol;
};
struct kbs_attest {
	enum kbs_protocol protocol;
	char *nonce; /* "" before 0.4.0: the body has none, the session's counts */
	struct jwk jwk;
	json_t *evidence; /* the per-TEE object, as json_parse_bytes() gives it */
	char *additional_evidence; /* "" if none */
	char *init_data;	    /* TOML text or NULL */
};
/* All parsers of received text: ERR_INTEGRITY, id "kbs-message". */
int kbs_auth_parse(const char *text, size_t len, struct kbs_auth *ret, struct err **err);
int kbs_attest_parse(enum kbs_protocol p, const char *text, size_t len, struct kbs_attest *ret, struct err **err);
void kbs_attest_clear(struct kbs_attest *a);

/* --- server -> client --- */
struct kbs_challenge {
	char *nonce;	   /* printable, <= KBS_NONCE_MAX */
	char hash_name[16]; /* "" = the default, SHA-384 */
};
int kbs_challenge_text(const char *nonce, char **ret_json, struct err **err);
int kbs_challenge_parse(const char *text, size_t len, struct kbs_challenge *ret, struct err **err);
void kbs_challenge_clear(struct kbs_challenge *c);
int kbs_token_text(const char *token, char **ret_json, struct err **err);
int kbs_token_parse(const char *text, size_t len, char **ret_token, struct err **err); /* printable, <= KBS_TOKEN_MAX */

/* Error body {"type": ".../errors/NAME", "detail": "..."} (2.4). */
struct kbs_error {
	char type[65];		 /* NAME, "" if the body is not of this form */
	char detail[513];	 /* sanitised; the start of the body if it is not of this form */
	char server_version[16]; /* X of "expect =X" / "expected version: =X", else "" */
};
int kbs_error_text(const char *name, const char *detail, char **ret_json, struct err **err);
void kbs_error_parse(const char *text, size_t len, struct kbs_error *ret); /* never fails */

#endif
