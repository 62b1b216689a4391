/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* JWE: round trips of every key type, the exact bytes that a server sends, and every way to refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"
#include "crypto/aead.h"
#include "tests/lib/mutate.h"
#include "tests/unit/three_keys.h"
#include "wire/json.h"
#include "wire/jwe.h"

static const char plain[] = "correct horse battery staple";

static struct jwk jwk_of(const struct keypair *kp, enum jwk_alg alg)
{
	struct jwk jwk = { .alg = alg };

	keypair_public(kp, &jwk.key);
	return jwk;
}

static struct jwe parse(const char *text)
{
	struct jwe jwe;

	assert_int_equal(jwe_parse(text, strlen(text), &jwe, NULL), 0);
	return jwe;
}

static struct jwe encrypt(const struct keypair *kp, enum jwk_alg alg)
{
	struct jwk jwk = jwk_of(kp, alg);
	_cleanup_free_ char *text = NULL;

	assert_int_equal(jwe_encrypt(&jwk, plain, sizeof(plain), &text, NULL), 0);
	return parse(text);
}

static void expect_refused(const struct jwe *jwe, const struct keypair *kp, enum jwk_alg alg, bool old_form, const char *word)
{
	_cleanup_err_ struct err *e = NULL;
	struct secret *out = NULL;

	if (jwe_decrypt(jwe, kp, alg, old_form, &out, &e) == 0)
		fail_msg("decrypted, expected: %s", word);
	assert_null(out);
	assert_int_equal(err_class(e), ERR_INTEGRITY);
	assert_string_equal(err_id(e), "jwe");
	if (!strstr(err_message(e), word))
		fail_msg("said \"%s\", expected \"%s\"", err_message(e), word);
}

static void test_round_trips(void **state)
{
	const struct {
		const struct keypair *kp;
		enum jwk_alg alg;
	} cases[] = { { rsa, JWK_RSA_OAEP_256 }, { rsa, JWK_RSA1_5 }, { p256, JWK_ECDH_A256KW }, { p521, JWK_ECDH_A256KW } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_secret_ struct secret *out = NULL;
		struct jwe jwe = encrypt(cases[i].kp, cases[i].alg);

		assert_int_equal(jwe_decrypt(&jwe, cases[i].kp, cases[i].alg, false, &out, NULL), 0);
		assert_int_equal(secret_len(out), sizeof(plain));
		assert_memory_equal(secret_cdata(out), plain, sizeof(plain));
		jwe_clear(&jwe);
	}
}

static char *header_text(const struct jwe *jwe)
{
	uint8_t *raw;
	size_t len;
	char *text;

	assert_int_equal(b64_decode_dup(B64_URL, jwe->protected_text, strlen(jwe->protected_text), &raw, &len, NULL), 0);
	text = strndup((char *)raw, len);
	free(raw);
	return text;
}

/* Rust clients rebuild the header: alg, enc, then the others in alphabetical order, compact (4.2). */
static void test_server_header_bytes(void **state)
{
	static const char start[] = "{\"alg\":\"ECDH-ES+A256KW\",\"enc\":\"A256GCM\",\"epk\":{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"";
	struct jwe r = encrypt(rsa, JWK_RSA_OAEP_256), e = encrypt(p256, JWK_ECDH_A256KW);
	_cleanup_free_ char *rt = header_text(&r), *et = header_text(&e);

	assert_string_equal(r.protected_text, "eyJhbGciOiJSU0EtT0FFUC0yNTYiLCJlbmMiOiJBMjU2R0NNIn0");
	assert_string_equal(rt, "{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\"}");
	assert_int_equal(strncmp(et, start, strlen(start)), 0);
	assert_int_equal(strncmp(et + strlen(start) + 43, "\",\"y\":\"", 7), 0);
	assert_string_equal(et + strlen(start) + 43 + 7 + 43, "\"}}");
	assert_int_equal(strlen(e.iv), 16);
	assert_int_equal(strlen(e.tag), 22);
	jwe_clear(&r);
	jwe_clear(&e);
}

static void test_response_members(void **state)
{
	static const char *const names[] = { "protected", "encrypted_key", "iv", "ciphertext", "tag" };
	struct jwk jwk = jwk_of(p256, JWK_ECDH_A256KW);
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *obj = NULL;

	assert_int_equal(jwe_encrypt(&jwk, plain, sizeof(plain), &text, NULL), 0);
	assert_int_equal(json_parse(text, strlen(text), 4096, false, &obj, NULL), 0);
	assert_int_equal(json_object_size(obj), 5);
	for (size_t i = 0; i < 5; i++)
		assert_true(json_is_string(json_object_get(obj, names[i])));
	assert_null(strpbrk(text, " \n\t"));
}

static void test_fresh_every_time(void **state)
{
	struct jwe a = encrypt(p256, JWK_ECDH_A256KW), b = encrypt(p256, JWK_ECDH_A256KW);

	assert_string_not_equal(a.protected_text, b.protected_text); /* epk */
	assert_string_not_equal(a.encrypted_key, b.encrypted_key);
	assert_string_not_equal(a.iv, b.iv);
	assert_string_not_equal(a.ciphertext, b.ciphertext);
	jwe_clear(&a);
	jwe_clear(&b);
}

static void test_header_does_not_choose(void **state)
{
	struct jwe r = encrypt(rsa, JWK_RSA1_5), e = encrypt(p521, JWK_ECDH_A256KW);

	expect_refused(&r, rsa, JWK_RSA_OAEP_256, false, "algorithm RSA1_5 is not our key's RSA-OAEP-256");
	expect_refused(&e, p256, JWK_ECDH_A256KW, false, "not on our curve");
	expect_refused(&r, rsa, JWK_RSA1_5, true, "JSON"); /* the old form has no base64 there */
	expect_refused(&e, p521, JWK_ECDH_A256KW, true, "old form knows RSA1_5 only");
	jwe_clear(&r);
	jwe_clear(&e);
}

static void replace(char **member, const char *with)
{
	free(*member);
	*member = text_dup(with);
}

static void replace_header(struct jwe *jwe, const char *header)
{
	free(jwe->protected_text);
	jwe->protected_text = b64_encode_dup(B64_URL, header, strlen(header));
}

static void test_bad_headers(void **state)
{
	static const char *const cases[][2] = {
		{ "{\"alg\":\"RSA-OAEP-256\"}", "no member enc" },
		{ "{\"enc\":\"A256GCM\"}", "no member alg" },
		{ "{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A128GCM\"}", "A128GCM" },
		{ "{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256CBC-HS512\"}", "A256CBC" },
		{ "{\"alg\":\"RSA-OAEP\",\"enc\":\"A256GCM\"}", "RSA-OAEP is not" },
		{ "{\"alg\":\"none\",\"enc\":\"A256GCM\"}", "none is not" },
		{ "{\"alg\":7,\"enc\":\"A256GCM\"}", "not a string" },
		{ "{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"zip\":\"DEF\"}", "zip" },
		{ "{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"crit\":[\"x\"]}", "crit" },
		{ "{\"alg\":\"RSA-OAEP-256\",\"alg\":\"RSA1_5\",\"enc\":\"A256GCM\"}", "duplicate" },
		{ "[]", "not an object" },
		{ "", "empty" },
	};
	struct jwe jwe = encrypt(rsa, JWK_RSA_OAEP_256);
	char big[JWE_HEADER_MAX + 64];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		replace_header(&jwe, cases[i][0]);
		expect_refused(&jwe, rsa, JWK_RSA_OAEP_256, false, cases[i][1]);
	}
	snprintf(big, sizeof(big), "{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"kid\":\"%0*d\"}", JWE_HEADER_MAX, 0);
	replace_header(&jwe, big);
	expect_refused(&jwe, rsa, JWK_RSA_OAEP_256, false, "more than 1024 bytes");
	/* Only the additional data differs: one space. */
	replace_header(&jwe, "{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\" }");
	expect_refused(&jwe, rsa, JWK_RSA_OAEP_256, false, "tag does not match");
	jwe_clear(&jwe);
}

static void test_bad_members(void **state)
{
	static const char *const keys[][2] = {
		{ "", "RSA-OAEP-256 does not decrypt" }, { "AAAA", "does not decrypt" }, { "AA==", "base64" }, { "A A", "base64" },
	};
	struct jwe jwe = encrypt(rsa, JWK_RSA_OAEP_256);
	char *saved = text_dup(jwe.encrypted_key);

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		replace(&jwe.encrypted_key, keys[i][0]);
		expect_refused(&jwe, rsa, JWK_RSA_OAEP_256, false, keys[i][1]);
	}
	replace(&jwe.encrypted_key, saved);
	free(saved);
	saved = text_dup(jwe.iv);
	replace(&jwe.iv, "AAAAAAAAAAA");
	expect_refused(&jwe, rsa, JWK_RSA_OAEP_256, false, "iv of 8 bytes");
	replace(&jwe.iv, "AAAAAAAAAAAAAAAAAAAAAA");
	expect_refused(&jwe, rsa, JWK_RSA_OAEP_256, false, "more than 12");
	replace(&jwe.iv, saved);
	free(saved);
	saved = text_dup(jwe.tag);
	saved[20] = '\0'; /* a shortened tag is easier to forge */
	replace(&jwe.tag, saved);
	expect_refused(&jwe, rsa, JWK_RSA_OAEP_256, false, "no tag of 16 bytes");
	replace(&jwe.tag, "");
	expect_refused(&jwe, rsa, JWK_RSA_OAEP_256, false, "no tag of 16 bytes");
	free(saved);
	jwe_clear(&jwe);
}

static void test_content_key_of_wrong_size(void **state)
{
	struct jwe jwe = encrypt(rsa, JWK_RSA_OAEP_256);
	struct public_key pk;
	uint8_t ct[256];
	size_t n;

	keypair_public(rsa, &pk);
	assert_int_equal(public_key_rsa_encrypt(&pk, true, "0123456789abcdef", 16, ct, sizeof(ct), &n, NULL), 0);
	free(jwe.encrypted_key);
	jwe.encrypted_key = b64_encode_dup(B64_URL, ct, n);
	expect_refused(&jwe, rsa, JWK_RSA_OAEP_256, false, "content key of 16 bytes");
	jwe_clear(&jwe);
}

/* Whatever is wrong with an RSA1_5 key text, the answer is the same one (4.3). */
static void test_v15_gives_one_answer(void **state)
{
	struct jwe jwe = encrypt(rsa, JWK_RSA1_5);
	struct public_key pk;
	uint8_t ct[256];
	size_t n;

	keypair_public(rsa, &pk);
	assert_int_equal(public_key_rsa_encrypt(&pk, false, "0123456789abcdef", 16, ct, sizeof(ct), &n, NULL), 0);
	free(jwe.encrypted_key);
	jwe.encrypted_key = b64_encode_dup(B64_URL, ct, n);
	expect_refused(&jwe, rsa, JWK_RSA1_5, false, "encrypted response: authentication tag does not match");
	ct[7] ^= 1;
	free(jwe.encrypted_key);
	jwe.encrypted_key = b64_encode_dup(B64_URL, ct, n);
	expect_refused(&jwe, rsa, JWK_RSA1_5, false, "encrypted response: authentication tag does not match");
	replace(&jwe.encrypted_key, "AAAA");
	expect_refused(&jwe, rsa, JWK_RSA1_5, false, "encrypted response: authentication tag does not match");
	jwe_clear(&jwe);
}

struct ecdh_case {
	const char *key, *value, *says;
};

/* epk with one member changed; key "epk" replaces the whole. */
static void test_bad_epk(void **state)
{
	static const struct ecdh_case cases[] = {
		{ "x", "\"AAAA\"", "32" },
		{ "y", "\"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA\"", "not a valid EC public key" },
		{ "crv", "\"P-384\"", "P-384" },
		{ "crv", "\"P-521\"", "66" },
		{ "kty", "\"OKP\"", "OKP" },
		{ "y", "null", "not a string" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct jwe jwe = encrypt(p256, JWK_ECDH_A256KW);
		_cleanup_free_ char *text = header_text(&jwe);
		_cleanup_buf_ struct buf b = BUF_INIT(4096);
		_cleanup_json_ json_t *header = NULL, *value = NULL;

		assert_int_equal(json_parse(text, strlen(text), 4096, false, &header, NULL), 0);
		assert_int_equal(json_parse(cases[i].value, strlen(cases[i].value), 4096, false, &value, NULL), 0);
		json_object_set(json_object_get(header, "epk"), cases[i].key, value);
		assert_int_equal(json_compact(header, &b, NULL), 0);
		replace_header(&jwe, buf_cstr(&b));
		expect_refused(&jwe, p256, JWK_ECDH_A256KW, false, cases[i].says);
		jwe_clear(&jwe);
	}
}

static void flip_text(char **member, const struct jwe *jwe, const struct keypair *kp, enum jwk_alg alg)
{
	for (size_t i = 0; (*member)[i]; i++) {
		char saved = (*member)[i];
		struct secret *out = NULL;

		(*member)[i] = saved == 'A' ? 'B' : 'A';
		if (jwe_decrypt(jwe, kp, alg, false, &out, NULL) == 0)
			fail_msg("accepted with character %zu changed", i);
		(*member)[i] = saved;
	}
}

/* No character of a response can change. */
static void test_every_character_counts(void **state)
{
	struct jwe jwe = encrypt(p256, JWK_ECDH_A256KW);
	_cleanup_secret_ struct secret *out = NULL;

	flip_text(&jwe.protected_text, &jwe, p256, JWK_ECDH_A256KW);
	flip_text(&jwe.encrypted_key, &jwe, p256, JWK_ECDH_A256KW);
	flip_text(&jwe.iv, &jwe, p256, JWK_ECDH_A256KW);
	flip_text(&jwe.ciphertext, &jwe, p256, JWK_ECDH_A256KW);
	flip_text(&jwe.tag, &jwe, p256, JWK_ECDH_A256KW);
	assert_int_equal(jwe_decrypt(&jwe, p256, JWK_ECDH_A256KW, false, &out, NULL), 0);
	jwe_clear(&jwe);
}

/* Section 4.4, made by hand: raw header, tag at the end of the ciphertext, no additional data. */
static void test_old_form(void **state)
{
	_cleanup_secret_ struct secret *cek = NULL, *out = NULL;
	uint8_t iv[12] = { 9 }, ct[sizeof(plain) + 16], wrapped[256], key[32] = { 3 };
	struct public_key pk;
	struct jwe jwe;
	size_t n;

	keypair_public(rsa, &pk);
	assert_int_equal(secret_from(key, 32, &cek, NULL), 0);
	assert_int_equal(aes256gcm_seal(cek, iv, NULL, 0, plain, sizeof(plain), ct, ct + sizeof(plain), NULL), 0);
	assert_int_equal(public_key_rsa_encrypt(&pk, false, key, 32, wrapped, sizeof(wrapped), &n, NULL), 0);
	jwe = (struct jwe){
		.protected_text = text_dup("{\"alg\":\"RSA1_5\",\"enc\":\"A256GCM\"}"),
		.encrypted_key = b64_encode_dup(B64_URL, wrapped, n),
		.iv = b64_encode_dup(B64_URL, iv, 12),
		.ciphertext = b64_encode_dup(B64_URL, ct, sizeof(ct)),
		.tag = text_dup(""),
	};
	assert_int_equal(jwe_decrypt(&jwe, rsa, JWK_RSA1_5, true, &out, NULL), 0);
	assert_memory_equal(secret_cdata(out), plain, sizeof(plain));
	expect_refused(&jwe, rsa, JWK_RSA1_5, false, "base64"); /* never taken for the other form */
	replace(&jwe.tag, "AAAAAAAAAAAAAAAAAAAAAA");
	expect_refused(&jwe, rsa, JWK_RSA1_5, true, "tag beside");
	replace(&jwe.tag, "");
	replace(&jwe.ciphertext, "AAAA");
	expect_refused(&jwe, rsa, JWK_RSA1_5, true, "no tag of 16 bytes");
	jwe_clear(&jwe);
}

static void refuse_response(const char *text, const char *word)
{
	_cleanup_err_ struct err *e = NULL;
	struct jwe jwe;

	if (jwe_parse(text, strlen(text), &jwe, &e) == 0)
		fail_msg("parsed: %s", text);
	assert_string_equal(err_id(e), "jwe");
	if (!strstr(err_message(e), word))
		fail_msg("said \"%s\", expected \"%s\"", err_message(e), word);
}

static void test_parse_refusals(void **state)
{
	struct jwe jwe;

	jwe = parse("{\"tag\":\"e\",\"ciphertext\":\"d\",\"iv\":\"c\",\"encrypted_key\":\"b\",\"protected\":\"a\",\"more\":1}");
	assert_string_equal(jwe.protected_text, "a");
	assert_string_equal(jwe.tag, "e");
	jwe_clear(&jwe);
	refuse_response("{\"protected\":\"a\",\"encrypted_key\":\"b\",\"iv\":\"c\",\"ciphertext\":\"d\"}", "no member tag");
	refuse_response("{\"protected\":1,\"encrypted_key\":\"b\",\"iv\":\"c\",\"ciphertext\":\"d\",\"tag\":\"e\"}", "not a string");
	refuse_response("{\"protected\":\"a\",\"encrypted_key\":\"b\",\"iv\":\"c\",\"ciphertext\":\"d\",\"tag\":\"e\",\"aad\":\"f\"}",
			"aad");
	refuse_response("<html>", "JSON");
	refuse_response("[]", "not an object");
}

static void test_size_limits(void **state)
{
	struct jwk jwk = jwk_of(p256, JWK_ECDH_A256KW);
	_cleanup_secret_ struct secret *out = NULL;
	_cleanup_free_ char *text = NULL, *none = NULL;
	uint8_t *data = calloc(1, JWE_PLAIN_MAX + 1);
	struct jwe jwe;

	assert_int_equal(jwe_encrypt(&jwk, data, JWE_PLAIN_MAX, &text, NULL), 0);
	jwe = parse(text);
	assert_int_equal(jwe_decrypt(&jwe, p256, JWK_ECDH_A256KW, false, &out, NULL), 0);
	assert_int_equal(secret_len(out), JWE_PLAIN_MAX);
	assert_int_equal(jwe_encrypt(&jwk, data, JWE_PLAIN_MAX + 1, &none, NULL), -1);
	free(jwe.ciphertext);
	jwe.ciphertext = b64_encode_dup(B64_URL, data, JWE_PLAIN_MAX + 1);
	expect_refused(&jwe, p256, JWK_ECDH_A256KW, false, "at most 1048576");
	jwe_clear(&jwe);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_server_header_bytes),
		cmocka_unit_test(test_response_members),
		cmocka_unit_test(test_fresh_every_time),
		cmocka_unit_test(test_header_does_not_choose),
		cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_bad_members),
		cmocka_unit_test(test_content_key_of_wrong_size),
		cmocka_unit_test(test_v15_gives_one_answer),
		cmocka_unit_test(test_bad_epk),
		cmocka_unit_test(test_every_character_counts),
		cmocka_unit_test(test_old_form),
		cmocka_unit_test(test_parse_refusals),
		cmocka_unit_test(test_size_limits),
	};

	return cmocka_run_group_tests(tests, keys_make, keys_free);
}
