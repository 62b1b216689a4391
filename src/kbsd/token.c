/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "kbsd/token.h"

#include <string.h>

#include "base/encode.h"
#include "evidence/trustee_json.h"
#include "wire/ear_token.h"
#include "wire/json.h"

int token_make(const struct keypair *signer, const struct session *s, struct attested *a, struct moment now,
	       struct err **err)
{
	_cleanup_json_ json_t *claims = NULL;
	char report_data[2 * TEE_REPORT_DATA + 1], init_data[2 * DIGEST_MAX + 1];
	uint8_t bytes[TEE_REPORT_DATA];

	if (evidence_claims(&a->evidence, &claims, err) < 0 || evidence_report_data(&a->evidence, bytes, err) < 0)
		return -1;
	hex_encode(bytes, sizeof(bytes), report_data);
	if (a->has_init_data)
		hex_encode(a->init_data.digest, digest_size(a->init_data.alg), init_data);
	const struct ear_claims c = {
		.iat = now.wall,
		.exp = s->expires_wall,
		.tee = tee_kind_name(s->tee),
		.status = "none",
		.policy_id = "cryptattest-kbs:at-release",
		.tee_claims = claims,
		.init_data_hex = a->has_init_data ? init_data : NULL,
		.report_data_hex = report_data,
		.nonce = s->nonce,
		.tee_pubkey = &a->jwk,
	};
	return ear_token_make(signer, &c, &a->token, err);
}

static const char *nonce_of(const json_t *payload)
{
	const json_t *v = payload;
	static const char *const path[] = { "submods", "cpu0", "ear.veraison.annotated-evidence", "runtime_data_claims",
					    "nonce" };

	for (size_t i = 0; i < sizeof(path) / sizeof(path[0]); i++)
		v = json_object_get(v, path[i]);
	return json_string_value(v);
}

int token_session(const struct keypair *signer, struct sessions *t, const char *jwt, struct moment now,
		  struct session **ret, struct err **err)
{
	_cleanup_json_ json_t *payload = NULL;
	struct public_key pk;
	struct session *s;
	const char *nonce;

	keypair_public(signer, &pk);
	if (ear_token_verify(&pk, jwt, now.wall, &payload, err) < 0) {
		err_reclass(err, ERR_REFUSED);
		return -1;
	}
	nonce = nonce_of(payload);
	s = nonce ? sessions_find_by_nonce(t, nonce, now) : NULL;
	if (!s || !s->attested)
		return err_set(err, ERR_REFUSED, "token-session", "the session of this token is over");
	/* One session certifies one key, so its token is one text; anything else under our signature is from elsewhere. */
	if (strcmp(s->attested->token, jwt) != 0)
		return err_set(err, ERR_REFUSED, "token-key", "not the token that this session was given");
	*ret = s;
	return 0;
}
