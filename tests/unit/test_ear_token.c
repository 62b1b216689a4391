/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Attestation tokens: made here, checked here, read without a check, and forged in the usual ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"
#include "wire/ear_token.h"
#include "wire/json.h"
#include "wire/kbs_messages.h"

#define NOW 1760426134

static struct keypair *signer, *stranger, *guest;
static struct public_key signer_key;
static struct jwk guest_jwk;
static json_t *tee_claims;

static int setup(void **state)
{
	static const char claims[] = "{\"measurement\":\"ab\",\"policy_debug_allowed\":false,\"vmpl\":0}";

	if (keypair_generate(KEY_EC_P256, &signer, NULL) < 0 || keypair_generate(KEY_EC_P256, &stranger, NULL) < 0 ||
	    keypair_generate(KEY_RSA_2048, &guest, NULL) < 0)
		return -1;
	keypair_public(signer, &signer_key);
	guest_jwk.alg = JWK_RSA_OAEP_256;
	keypair_public(guest, &guest_jwk.key);
	return json_parse(claims, strlen(claims), 4096, false, &tee_claims, NULL);
}

static int teardown(void **state)
{
	keypair_free(signer);
	keypair_free(stranger);
	keypair_free(guest);
	json_decref(tee_claims);
	return 0;
}

static struct ear_claims claims(void)
{
	return (struct ear_claims){
		.iat = NOW,
		.exp = NOW + 300,
		.tee = "snp",
		.status = "affirming",
		.policy_id = "web-042",
		.tee_claims = tee_claims,
		.init_data_hex = "00ff",
		.report_data_hex = "0102",
		.nonce = "AAEC",
		.tee_pubkey = &guest_jwk,
	};
}

static char *make(const struct keypair *kp)
{
	struct ear_claims c = claims();
	char *jwt = NULL;

	assert_int_equal(ear_token_make(kp, &c, &jwt, NULL), 0);
	return jwt;
}

static void test_made_and_verified(void **state)
{
	_cleanup_free_ char *jwt = make(signer);
	_cleanup_json_ json_t *payload = NULL, *peeked = NULL;

	assert_int_equal(ear_token_verify(&signer_key, jwt, NOW + 299, &payload, NULL), 0);
	assert_int_equal(json_integer_value(json_object_get(payload, "iat")), NOW);
	assert_int_equal(json_integer_value(json_object_get(payload, "exp")), NOW + 300);
	assert_int_equal(ear_token_peek(jwt, &peeked, NULL), 0);
	assert_true(json_equal(payload, peeked));
}

/* The paths that other programs read (kbs-protocol.md 6). */
static void test_members(void **state)
{
	_cleanup_free_ char *jwt = make(signer);
	_cleanup_json_ json_t *payload = NULL;
	const json_t *cpu, *evidence;
	struct jwk jwk;

	assert_int_equal(ear_token_verify(&signer_key, jwt, NOW, &payload, NULL), 0);
	assert_string_equal(json_string_value(json_object_get(payload, "eat_profile")),
			    "tag:github.com,2024:confidential-containers/Trustee");
	assert_string_equal(json_string_value(json_object_get(payload, "iss")), "CoCo-Attestation-Service");
	assert_non_null(json_object_get(json_object_get(payload, "ear.verifier-id"), "developer"));
	cpu = json_object_get(json_object_get(payload, "submods"), "cpu0");
	assert_string_equal(json_string_value(json_object_get(cpu, "ear.status")), "affirming");
	assert_string_equal(json_string_value(json_object_get(cpu, "ear.appraisal-policy-id")), "web-042");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(cpu, "ear.trustworthiness-vector"), "hardware")), 2);
	evidence = json_object_get(cpu, "ear.veraison.annotated-evidence");
	assert_true(json_equal(json_object_get(evidence, "snp"), tee_claims));
	assert_string_equal(json_string_value(json_object_get(evidence, "init_data")), "00ff");
	assert_string_equal(json_string_value(json_object_get(evidence, "report_data")), "0102");
	evidence = json_object_get(evidence, "runtime_data_claims");
	assert_string_equal(json_string_value(json_object_get(evidence, "nonce")), "AAEC");
	assert_string_equal(json_string_value(json_object_get(evidence, "additional-evidence")), "");
	assert_int_equal(jwk_from_json(json_object_get(evidence, "tee-pubkey"), &jwk, NULL), 0);
	assert_memory_equal(&jwk, &guest_jwk, sizeof(jwk));
}

static json_t *header_of(const char *jwt)
{
	uint8_t *raw = NULL;
	json_t *v = NULL;
	size_t n;

	assert_int_equal(b64_decode_dup(B64_URL, jwt, strcspn(jwt, "."), &raw, &n, NULL), 0);
	assert_int_equal(json_parse((char *)raw, n, 4096, false, &v, NULL), 0);
	free(raw);
	return v;
}

static void test_header(void **state)
{
	_cleanup_free_ char *jwt = make(signer);
	_cleanup_json_ json_t *header = header_of(jwt);
	struct public_key pk;

	assert_string_equal(json_string_value(json_object_get(header, "typ")), "JWT");
	assert_string_equal(json_string_value(json_object_get(header, "alg")), "ES256");
	assert_string_equal(json_string_value(json_object_get(json_object_get(header, "jwk"), "alg")), "ES256");
	assert_int_equal(jwk_key_from_json(json_object_get(header, "jwk"), &pk, NULL), 0);
	assert_memory_equal(&pk, &signer_key, sizeof(pk));
}

static void refuse(const char *jwt, int64_t now, const char *id, const char *word)
{
	_cleanup_err_ struct err *e = NULL;
	json_t *payload = NULL;

	if (ear_token_verify(&signer_key, jwt, now, &payload, &e) == 0)
		fail_msg("verified: %.200s", jwt);
	assert_null(payload);
	assert_int_equal(err_class(e), ERR_INTEGRITY);
	if (strcmp(err_id(e), id) != 0 || !strstr(err_message(e), word))
		fail_msg("said [%s] \"%s\", expected [%s] \"%s\"", err_id(e), err_message(e), id, word);
}

static void test_expiry(void **state)
{
	_cleanup_free_ char *jwt = make(signer);

	refuse(jwt, NOW + 300, "token-expired", "0 seconds ago");
	refuse(jwt, NOW + 400, "token-expired", "100 seconds ago");
}

/* Valid in itself, and its own key is in the header. */
static void test_stranger(void **state)
{
	_cleanup_free_ char *jwt = make(stranger);

	refuse(jwt, NOW, "token-signature", "does not verify");
}

static char *signed_token(const char *header, const char *payload)
{
	_cleanup_free_ char *h = b64_encode_dup(B64_URL, header, strlen(header));
	_cleanup_free_ char *p = b64_encode_dup(B64_URL, payload, strlen(payload));
	_cleanup_free_ char *text = text_printf("%s.%s", h, p), *s = NULL;
	uint8_t sig[64];

	assert_int_equal(keypair_sign_es256(signer, text, strlen(text), sig, NULL), 0);
	s = b64_encode_dup(B64_URL, sig, 64);
	return text_printf("%s.%s", text, s);
}

static void test_forged_headers(void **state)
{
	static const char *const cases[][2] = {
		{ "{\"alg\":\"none\"}", "none is not ES256" },
		{ "{\"alg\":\"HS256\"}", "HS256 is not ES256" },
		{ "{\"alg\":\"es256\"}", "es256 is not ES256" },
		{ "{\"alg\":\"ES256\",\"crit\":[\"b64\"],\"b64\":false}", "critical" },
		{ "{\"typ\":\"JWT\"}", "no member alg" },
		{ "{\"alg\":\"ES256\",\"alg\":\"none\"}", "duplicate" },
		{ "[]", "not an object" },
		{ "", "empty" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *jwt = signed_token(cases[i][0], "{\"exp\":9999999999}");

		refuse(jwt, NOW, "token-signature", cases[i][1]);
	}
}

static void test_bad_payloads(void **state)
{
	static const char *const cases[][2] = {
		{ "{}", "no member exp" },	    { "{\"exp\":\"9999999999\"}", "not an integer" },
		{ "{\"exp\":1e300}", "integer" },  { "{\"exp\":-1}", "not within" },
		{ "[]", "not an object" },	    { "not json", "JSON" },
	};
	_cleanup_free_ char *good = signed_token("{\"alg\":\"ES256\"}", "{\"exp\":9999999999}");
	_cleanup_json_ json_t *payload = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *jwt = signed_token("{\"alg\":\"ES256\"}", cases[i][0]);

		refuse(jwt, NOW, "token-payload", cases[i][1]);
	}
	assert_int_equal(ear_token_verify(&signer_key, good, NOW, &payload, NULL), 0);
}

static void test_shape(void **state)
{
	_cleanup_free_ char *jwt = make(signer), *more = text_printf("%s.x", jwt), *padded = text_printf("%s==", jwt);
	_cleanup_free_ char *two = strndup(jwt, strlen(jwt) - 87), *cut = strndup(jwt, strlen(jwt) - 2);
	char *big = malloc(KBS_TOKEN_MAX + 2);

	refuse(more, NOW, "token-signature", "not three parts");
	refuse(two, NOW, "token-signature", "not three parts");
	refuse(cut, NOW, "token-signature", "63 bytes");
	refuse(padded, NOW, "token-signature", "base64");
	refuse("", NOW, "token-signature", "not three parts");
	refuse("..", NOW, "token-signature", "empty");
	memset(big, '.', KBS_TOKEN_MAX + 1);
	big[KBS_TOKEN_MAX + 1] = '\0';
	refuse(big, NOW, "token-signature", "longer than");
	free(big);
}

/* Every character of header, payload and signature, changed one by one. */
static void test_every_character_counts(void **state)
{
	_cleanup_free_ char *jwt = make(signer);

	for (size_t i = 0; jwt[i]; i++) {
		char saved = jwt[i];
		json_t *payload = NULL;

		jwt[i] = saved == 'A' ? 'B' : 'A';
		if (ear_token_verify(&signer_key, jwt, NOW, &payload, NULL) == 0)
			fail_msg("verified with character %zu changed", i);
		jwt[i] = saved;
	}
}

static void test_peek_checks_nothing(void **state)
{
	static const char real[] = "x.eyJhIjoxLjV9."; /* {"a":1.5}: claims of others may hold reals */
	_cleanup_err_ struct err *e = NULL;
	_cleanup_json_ json_t *payload = NULL;
	json_t *none = NULL;

	assert_int_equal(ear_token_peek(real, &payload, NULL), 0);
	assert_true(json_is_real(json_object_get(payload, "a")));
	assert_int_equal(ear_token_peek("x.!.y", &none, &e), -1);
	assert_string_equal(err_id(e), "token-payload");
	assert_int_equal(ear_token_peek("nodots", &none, NULL), -1);
	assert_null(none);
}

static void test_status(void **state)
{
	struct ear_claims c = claims();
	_cleanup_err_ struct err *e = NULL;
	_cleanup_free_ char *jwt = NULL;
	char *none = NULL;

	c.status = "contraindicated";
	c.init_data_hex = NULL;
	assert_int_equal(ear_token_make(signer, &c, &jwt, NULL), 0);
	c.status = "good";
	assert_int_equal(ear_token_make(signer, &c, &none, &e), -1);
	assert_int_equal(err_class(e), ERR_INTERNAL);
	assert_null(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made_and_verified),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_stranger),
		cmocka_unit_test(test_forged_headers),
		cmocka_unit_test(test_bad_payloads),
		cmocka_unit_test(test_shape),
		cmocka_unit_test(test_every_character_counts),
		cmocka_unit_test(test_peek_checks_nothing),
		cmocka_unit_test(test_status),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
