/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "wire/ear_token.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "wire/json.h"
#include "wire/kbs_messages.h"
#include "wire/wire_err.h"

#define TOKEN_HEADER_MAX 1024
#define EVIDENCE_MEMBER "ear.veraison.annotated-evidence"

static void put_string(struct buf *b, const char *name, const char *value)
{
	json_put_string(b, name, strlen(name));
	buf_putc(b, ':');
	json_put_string(b, value, strlen(value));
}

/* {"nonce","tee-pubkey","additional-evidence"}: what the report data was made of. */
static int put_runtime_data(struct buf *b, const struct ear_claims *c, struct err **err)
{
	_cleanup_json_ json_t *key = NULL;

	if (jwk_to_json(c->tee_pubkey, &key, err) < 0)
		return -1;
	buf_puts(b, "\"runtime_data_claims\":{");
	put_string(b, "nonce", c->nonce);
	buf_puts(b, ",\"tee-pubkey\":");
	if (json_canonical(key, b, err) < 0)
		return -1;
	buf_puts(b, ",\"additional-evidence\":\"\"}");
	return 0;
}

static int put_evidence(struct buf *b, const struct ear_claims *c, struct err **err)
{
	buf_puts(b, "\"" EVIDENCE_MEMBER "\":{");
	json_put_string(b, c->tee, strlen(c->tee));
	buf_putc(b, ':');
	if (json_canonical(c->tee_claims, b, err) < 0)
		return -1;
	buf_putc(b, ',');
	if (c->init_data_hex) {
		put_string(b, "init_data", c->init_data_hex);
		buf_putc(b, ',');
	}
	put_string(b, "report_data", c->report_data_hex);
	buf_putc(b, ',');
	if (put_runtime_data(b, c, err) < 0)
		return -1;
	buf_putc(b, '}');
	return 0;
}

/* AR4SI tiers. Only the hardware was appraised by whoever makes this token, so only that claim carries the status; 0
 * says that no claim is made. */
static int status_tier(const char *status, struct err **err)
{
	static const struct {
		const char *name;
		int tier;
	} tiers[] = { { "none", 0 }, { "affirming", 2 }, { "warning", 32 }, { "contraindicated", 96 } };

	for (size_t i = 0; i < ARRAY_SIZE(tiers); i++)
		if (strcmp(status, tiers[i].name) == 0)
			return tiers[i].tier;
	return err_set(err, ERR_INTERNAL, "token", "unknown token status %s", status);
}

static int put_payload(struct buf *b, const struct ear_claims *c, struct err **err)
{
	int tier = status_tier(c->status, err);

	if (tier < 0)
		return -1;
	buf_puts(b, "{\"eat_profile\":\"tag:github.com,2024:confidential-containers/Trustee\",");
	buf_printf(b, "\"iat\":%" PRId64 ",\"exp\":%" PRId64 ",\"iss\":\"CoCo-Attestation-Service\",", c->iat, c->exp);
	buf_puts(b, "\"ear.verifier-id\":{\"developer\":\"cryptattest\",\"build\":\"cryptattest-kbs\"},");
	buf_puts(b, "\"submods\":{\"cpu0\":{");
	put_string(b, "ear.status", c->status);
	buf_printf(b,
		   ",\"ear.trustworthiness-vector\":{\"instance-identity\":0,\"configuration\":0,\"executables\":0,"
		   "\"file-system\":0,\"hardware\":%d,\"runtime-opaque\":0,\"storage-opaque\":0,\"sourced-data\":0},",
		   tier);
	put_string(b, "ear.appraisal-policy-id", c->policy_id);
	buf_putc(b, ',');
	if (put_evidence(b, c, err) < 0)
		return -1;
	buf_puts(b, "}}}");
	return buf_check(b, err);
}

static int put_header(struct buf *b, const struct keypair *signer, struct err **err)
{
	_cleanup_json_ json_t *key = NULL;
	struct public_key pk;

	keypair_public(signer, &pk);
	if (jwk_key_to_json(&pk, "ES256", &key, err) < 0)
		return -1;
	buf_puts(b, "{\"typ\":\"JWT\",\"alg\":\"ES256\",\"jwk\":");
	if (json_compact(key, b, err) < 0)
		return -1;
	buf_putc(b, '}');
	return buf_check(b, err);
}

static int put_b64(struct buf *b, const void *data, size_t len, struct err **err)
{
	_cleanup_free_ char *text = b64_encode_dup(B64_URL, data, len);

	if (!text)
		return err_nomem(err);
	buf_puts(b, text);
	return 0;
}

int ear_token_make(const struct keypair *signer, const struct ear_claims *c, char **ret_jwt, struct err **err)
{
	_cleanup_buf_ struct buf header = BUF_INIT(TOKEN_HEADER_MAX), payload = BUF_INIT(KBS_TOKEN_MAX),
				 jwt = BUF_INIT(KBS_TOKEN_MAX);
	uint8_t sig[64];
	char *text;

	if (put_header(&header, signer, err) < 0 || put_payload(&payload, c, err) < 0 ||
	    put_b64(&jwt, header.data, header.len, err) < 0)
		return -1;
	buf_putc(&jwt, '.');
	if (put_b64(&jwt, payload.data, payload.len, err) < 0 || buf_check(&jwt, err) < 0 ||
	    keypair_sign_es256(signer, jwt.data, jwt.len, sig, err) < 0)
		return -1;
	buf_putc(&jwt, '.');
	if (put_b64(&jwt, sig, sizeof(sig), err) < 0 || buf_check(&jwt, err) < 0)
		return -1;
	text = buf_take_str(&jwt);
	if (!text)
		return err_nomem(err);
	*ret_jwt = text;
	return 0;
}

struct jwt_parts {
	const char *header, *payload, *signature; /* texts; the first two end at the dot that follows */
	size_t header_len, payload_len;
};

static int split(const char *jwt, struct jwt_parts *ret, struct err **err)
{
	const char *dot1 = strchr(jwt, '.'), *dot2 = dot1 ? strchr(dot1 + 1, '.') : NULL;

	if (strlen(jwt) > KBS_TOKEN_MAX)
		return err_set(err, ERR_INTEGRITY, "token", "longer than %d", KBS_TOKEN_MAX);
	if (!dot2 || strchr(dot2 + 1, '.'))
		return err_set(err, ERR_INTEGRITY, "token", "not three parts");
	*ret = (struct jwt_parts){
		.header = jwt,
		.header_len = (size_t)(dot1 - jwt),
		.payload = dot1 + 1,
		.payload_len = (size_t)(dot2 - dot1) - 1,
		.signature = dot2 + 1,
	};
	return 0;
}

static int decode_json(const char *text, size_t len, bool allow_real, json_t **ret, struct err **err)
{
	_cleanup_free_ uint8_t *raw = NULL;
	_cleanup_json_ json_t *obj = NULL;
	size_t n;

	if (b64_decode_dup(B64_URL, text, len, &raw, &n, err) < 0 ||
	    json_parse((const char *)raw, n, KBS_TOKEN_MAX, allow_real, &obj, err) < 0)
		return -1;
	if (!json_is_object(obj))
		return err_set(err, ERR_INTEGRITY, "token", "not an object");
	*ret = TAKE_PTR(obj);
	return 0;
}

/* The header is judged, never obeyed: one algorithm, our own key, nothing critical. */
static int check_header(const struct jwt_parts *p, struct err **err)
{
	_cleanup_json_ json_t *header = NULL;
	const char *alg;

	if (decode_json(p->header, p->header_len, false, &header, err) < 0 ||
	    json_get_str(header, "header", "alg", &alg, err) < 0)
		return -1;
	if (strcmp(alg, "ES256") != 0)
		return err_set(err, ERR_INTEGRITY, "token", "algorithm %.16s is not ES256", alg);
	if (json_object_get(header, "crit"))
		return err_set(err, ERR_INTEGRITY, "token", "critical header members are not supported");
	return 0;
}

static int check_signature(const struct public_key *signer, const char *jwt, const struct jwt_parts *p, struct err **err)
{
	uint8_t sig[64];
	size_t n;

	if (check_header(p, err) < 0 || b64_decode(B64_URL, p->signature, strlen(p->signature), sig, sizeof(sig), &n, err) < 0)
		return -1;
	if (n != sizeof(sig))
		return err_set(err, ERR_INTEGRITY, "token", "signature of %zu bytes", n);
	return public_key_verify_es256(signer, jwt, (size_t)(p->signature - jwt) - 1, sig, err);
}

int ear_token_verify(const struct public_key *signer, const char *jwt, int64_t now, json_t **ret_payload, struct err **err)
{
	_cleanup_json_ json_t *payload = NULL;
	struct err *cause = NULL;
	struct jwt_parts p;
	uint64_t exp = 0;

	if (split(jwt, &p, &cause) < 0 || check_signature(signer, jwt, &p, &cause) < 0)
		return wire_err(err, "token-signature", cause, "token");
	if (decode_json(p.payload, p.payload_len, false, &payload, &cause) < 0 ||
	    json_get_u64(payload, "payload", "exp", 0, INT64_MAX, &exp, &cause) < 0)
		return wire_err(err, "token-payload", cause, "token");
	if ((int64_t)exp <= now)
		return err_set(err, ERR_INTEGRITY, "token-expired", "token expired %" PRId64 " seconds ago", now - (int64_t)exp);
	*ret_payload = TAKE_PTR(payload);
	return 0;
}

int ear_token_peek(const char *jwt, json_t **ret_payload, struct err **err)
{
	struct err *cause = NULL;
	struct jwt_parts p;

	if (split(jwt, &p, &cause) < 0 || decode_json(p.payload, p.payload_len, true, ret_payload, &cause) < 0)
		return wire_err(err, "token-payload", cause, "token");
	return 0;
}
