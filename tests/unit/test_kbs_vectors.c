/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* JWE responses and runtime data that an independent implementation made (fixtures kbs/). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "tests/lib/fixture.h"
#include "wire/json.h"
#include "wire/jwe.h"
#include "wire/runtime_data.h"

static json_t *load(const char *rel)
{
	_cleanup_free_ uint8_t *text = NULL;
	json_t *v = NULL;
	size_t len;

	text = fixture_read(rel, &len);
	assert_int_equal(json_parse((const char *)text, len, 1 << 20, false, &v, NULL), 0);
	assert_true(json_is_array(v) && json_array_size(v) > 0);
	return v;
}

static const char *str(const json_t *obj, const char *key)
{
	const char *s = json_string_value(json_object_get(obj, key));

	assert_non_null(s);
	return s;
}

static void check_plain(const json_t *vector, const struct secret *plain)
{
	const char *text = str(vector, "plaintext_b64");
	_cleanup_free_ uint8_t *want = NULL;
	size_t len;

	assert_int_equal(b64_decode_dup(B64_STD, text, strlen(text), &want, &len, NULL), 0);
	assert_int_equal(secret_len(plain), len);
	assert_memory_equal(secret_cdata(plain), want, len);
}

/* The key in the vector and the key of its PEM must be the same: our export is checked by the way. */
static void check_public_half(const struct keypair *kp, const struct jwk *jwk)
{
	struct public_key pk;

	keypair_public(kp, &pk);
	assert_memory_equal(&pk, &jwk->key, sizeof(pk));
}

static void run_jwe_vector(const json_t *vector)
{
	_cleanup_buf_ struct buf response = BUF_INIT(1 << 20);
	_cleanup_secret_ struct secret *plain = NULL;
	_cleanup_err_ struct err *e = NULL;
	const char *pem = str(vector, "private_key_pkcs8_pem");
	bool old_form = strcmp(str(vector, "protocol"), "0.1.0-0.1.1") == 0;
	struct keypair *kp;
	struct jwk jwk;
	struct jwe jwe;
	int r;

	assert_int_equal(keypair_from_pem(pem, strlen(pem), &kp, NULL), 0);
	assert_int_equal(jwk_from_json(json_object_get(vector, "tee_pubkey"), &jwk, NULL), 0);
	check_public_half(kp, &jwk);
	assert_int_equal(json_compact(json_object_get(vector, "response"), &response, NULL), 0);
	assert_int_equal(jwe_parse((const char *)response.data, response.len, &jwe, NULL), 0);
	r = jwe_decrypt(&jwe, kp, jwk.alg, old_form, &plain, &e);
	if (strcmp(str(vector, "expect"), "ok") == 0) {
		if (r < 0)
			fail_msg("%s: %s", str(vector, "name"), err_message(e));
		check_plain(vector, plain);
	} else {
		assert_int_equal(r, -1);
		assert_int_equal(err_class(e), ERR_INTEGRITY);
		assert_string_equal(err_id(e), "jwe");
	}
	jwe_clear(&jwe);
	keypair_free(kp);
}

static void test_jwe(void **state)
{
	_cleanup_json_ json_t *vectors = load("kbs/jwe-vectors.json");
	json_t *vector;
	size_t i;

	json_array_foreach(vectors, i, vector)
		run_jwe_vector(vector);
	assert_true(i >= 8);
}

static void run_runtime_vector(const json_t *vector)
{
	const char *additional = json_string_value(json_object_get(vector, "additional_evidence"));
	_cleanup_free_ char *text = NULL;
	enum kbs_protocol protocol;
	uint8_t want[64], got[64];
	struct jwk jwk;

	assert_int_equal(kbs_protocol_by_name(str(vector, "protocol"), &protocol, NULL), 0);
	assert_int_equal(jwk_from_json(json_object_get(vector, "tee_pubkey"), &jwk, NULL), 0);
	assert_int_equal(runtime_data_text(protocol, str(vector, "nonce"), &jwk, additional, &text, NULL), 0);
	assert_string_equal(text, str(vector, "canonical"));
	assert_int_equal(hex_decode(str(vector, "report_data_64"), 128, want, 64, NULL), 0);
	assert_int_equal(runtime_data_report_data(protocol, DIGEST_SHA384, str(vector, "nonce"), &jwk, additional, got, NULL), 0);
	assert_memory_equal(got, want, 64);
	assert_int_equal(hex_decode(str(vector, "sha384"), 96, want, 48, NULL), 0);
	assert_memory_equal(got, want, 48);
}

static void test_runtime_data(void **state)
{
	_cleanup_json_ json_t *vectors = load("kbs/runtime-data-vectors.json");
	json_t *vector;
	size_t i;

	json_array_foreach(vectors, i, vector)
		run_runtime_vector(vector);
	assert_true(i >= 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_jwe), cmocka_unit_test(test_runtime_data) };

	fixtures_or_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
