/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Public keys as JSON: both ways, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "wire/json.h"
#include "wire/jwk.h"

static struct jwk new_jwk(enum key_type type, enum jwk_alg alg)
{
	struct jwk jwk = { .alg = alg };
	struct keypair *kp;

	assert_int_equal(keypair_generate(type, &kp, NULL), 0);
	keypair_public(kp, &jwk.key);
	keypair_free(kp);
	return jwk;
}

static void test_jwk_round_trip(void **state)
{
	const struct jwk cases[] = { new_jwk(KEY_RSA_2048, JWK_RSA_OAEP_256), new_jwk(KEY_RSA_2048, JWK_RSA1_5), new_jwk(KEY_EC_P256, JWK_ECDH_A256KW),
				     new_jwk(KEY_EC_P521, JWK_ECDH_A256KW) };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *obj = NULL;
		struct jwk back;

		assert_int_equal(jwk_to_json(&cases[i], &obj, NULL), 0);
		assert_int_equal(json_object_size(obj), cases[i].key.rsa ? 4 : 5);
		json_object_set_new(obj, "kid", json_string("dropped"));
		json_object_set_new(obj, "use", json_string("enc"));
		assert_int_equal(jwk_from_json(obj, &back, NULL), 0);
		assert_memory_equal(&back, &cases[i], sizeof(back));
	}
}

static void refuse_jwk(const json_t *good, const char *key, const char *value, const char *word)
{
	_cleanup_json_ json_t *bad = json_deep_copy(good);
	_cleanup_err_ struct err *e = NULL;
	struct jwk jwk;

	json_object_set_new(bad, key, value ? json_string(value) : json_null());
	if (jwk_from_json(bad, &jwk, &e) == 0)
		fail_msg("accepted %s = %s", key, value);
	assert_int_equal(err_class(e), ERR_INTEGRITY);
	assert_string_equal(err_id(e), "jwk");
	if (!strstr(err_message(e), word))
		fail_msg("said \"%s\", expected \"%s\"", err_message(e), word);
}

static char *number(size_t len, uint8_t first)
{
	uint8_t *n = calloc(1, len);
	char *text;

	n[0] = first;
	n[len - 1] |= 1;
	text = b64_encode_dup(B64_URL, n, len);
	free(n);
	return text;
}

static void test_jwk_refusals(void **state)
{
	struct jwk r = new_jwk(KEY_RSA_2048, JWK_RSA_OAEP_256), e = new_jwk(KEY_EC_P256, JWK_ECDH_A256KW);
	_cleanup_json_ json_t *ro = NULL, *eo = NULL;
	_cleanup_free_ char *small = number(256, 0x7f), *zero = number(257, 0), *large = number(513, 0x80),
			    *wide = number(33, 0), *narrow = number(31, 1);
	struct jwk jwk;

	assert_int_equal(jwk_to_json(&r, &ro, NULL), 0);
	assert_int_equal(jwk_to_json(&e, &eo, NULL), 0);
	refuse_jwk(ro, "n", small, "less than 2048 bits");
	refuse_jwk(ro, "n", zero, "zero byte");
	refuse_jwk(ro, "n", large, "more than 512");
	refuse_jwk(ro, "n", "", "zero byte");
	refuse_jwk(ro, "n", "AQAB=", "base64");
	refuse_jwk(ro, "n", "AQ+B", "base64");
	refuse_jwk(ro, "e", "AAEAAQ", "zero byte");
	refuse_jwk(ro, "e", NULL, "not a string");
	refuse_jwk(ro, "alg", "RSA-OAEP", "not supported");
	refuse_jwk(ro, "alg", "ECDH-ES+A256KW", "does not fit");
	refuse_jwk(ro, "kty", "oct", "not supported");
	refuse_jwk(eo, "alg", "RSA-OAEP-256", "does not fit");
	refuse_jwk(eo, "crv", "P-384", "not supported");
	refuse_jwk(eo, "x", wide, "more than 32");
	refuse_jwk(eo, "x", narrow, "31 bytes wide");
	json_object_del(eo, "alg");
	assert_int_equal(jwk_from_json(eo, &jwk, NULL), -1);
	assert_int_equal(jwk_from_json(NULL, &jwk, NULL), -1);
}

static void test_form_without_alg(void **state)
{
	struct jwk jwk = new_jwk(KEY_EC_P521, JWK_ECDH_A256KW);
	_cleanup_json_ json_t *obj = NULL;
	struct public_key back;

	assert_int_equal(jwk_key_to_json(&jwk.key, NULL, &obj, NULL), 0);
	assert_int_equal(json_object_size(obj), 4);
	assert_int_equal(jwk_key_from_json(obj, &back, NULL), 0);
	assert_memory_equal(&back, &jwk.key, sizeof(back));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jwk_round_trip),
		cmocka_unit_test(test_jwk_refusals),
		cmocka_unit_test(test_form_without_alg),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
