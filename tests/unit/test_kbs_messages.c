/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* KBS messages of all protocol versions: exact text out, both sides understand each other, bad input is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "crypto/digest.h"
#include "tests/lib/mutate.h"
#include "wire/json.h"
#include "wire/kbs_messages.h"
#include "wire/runtime_data.h"

#define NONCE "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_TEXT                                                                                          \
	"{\"alg\":\"ECDH-ES+A256KW\",\"crv\":\"P-256\",\"kty\":\"EC\","                                    \
	"\"x\":\"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA\",\"y\":\"ISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0-P0A\"}"

/* x = 1..32, y = 33..64, as in the worked example of kbs-protocol.md 3.1. */
static struct jwk example_key(void)
{
	struct jwk jwk = { .alg = JWK_ECDH_A256KW, .key = { .curve_bits = 256, .coord_len = 32 } };

	for (unsigned int i = 0; i < 32; i++) {
		jwk.key.x[i] = (uint8_t)(i + 1);
		jwk.key.y[i] = (uint8_t)(i + 33);
	}
	return jwk;
}

static struct jwk rsa_key(void)
{
	struct jwk jwk = { .alg = JWK_RSA1_5, .key = { .rsa = true, .n_len = 256, .e_len = 3, .e = { 1, 0, 1 } } };

	memset(jwk.key.n, 0xc3, 256);
	return jwk;
}

static void test_versions(void **state)
{
	static const char *const names[] = { "0.1.0", "0.1.1", "0.2.0", "0.4.0" };
	_cleanup_err_ struct err *e = NULL;
	enum kbs_protocol p;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(kbs_protocol_by_name(names[i], &p, NULL), 0);
		assert_string_equal(kbs_protocol_name(p), names[i]);
	}
	assert_int_equal(kbs_protocol_by_name("0.3.0", &p, &e), -1);
	assert_int_equal(err_class(e), ERR_CONFIG);
}

static void test_auth(void **state)
{
	_cleanup_free_ char *now = NULL, *old = NULL;
	struct kbs_auth auth;

	assert_int_equal(kbs_auth_request(KBS_0_4_0, "snp", &now, NULL), 0);
	assert_string_equal(now, "{\"version\":\"0.4.0\",\"tee\":\"snp\",\"extra-params\":{\"supported-hash-algorithms\":"
				 "[\"sha256\",\"sha384\",\"sha512\"]}}");
	assert_int_equal(kbs_auth_request(KBS_0_1_0, "tdx", &old, NULL), 0);
	assert_string_equal(old, "{\"version\":\"0.1.0\",\"tee\":\"tdx\",\"extra-params\":\"\"}");
	assert_int_equal(kbs_auth_parse(now, strlen(now), &auth, NULL), 0);
	assert_string_equal(auth.tee, "snp");
	assert_true(auth.version_known);
	assert_int_equal(auth.protocol, KBS_0_4_0);
}

static void test_auth_from_others(void **state)
{
	static const char future[] = "{\"tee\":\"az-snp-vtpm\",\"version\":\"1.0.0\",\"extra-params\":null,\"new\":[1]}";
	static const char *const bad[] = {
		"{\"version\":\"0.4.0\",\"tee\":\"snp\"}",
		"{\"version\":\"0.4.0\",\"extra-params\":\"\"}",
		"{\"tee\":\"snp\",\"extra-params\":\"\"}",
		"{\"version\":4,\"tee\":\"snp\",\"extra-params\":\"\"}",
		"{\"version\":\"0.4.0-and-much-more\",\"tee\":\"snp\",\"extra-params\":\"\"}",
		"{\"version\":\"0.4.0\",\"tee\":\"a-name-of-more-than-23-bytes\",\"extra-params\":\"\"}",
		"{\"version\":\"0.4.0\",\"tee\":\"s\\u0007p\",\"extra-params\":\"\"}",
		"{\"version\":\"0.4.0\",\"version\":\"0.2.0\",\"tee\":\"snp\",\"extra-params\":\"\"}",
		"[]",
		"",
	};
	struct kbs_auth auth;

	assert_int_equal(kbs_auth_parse(future, strlen(future), &auth, NULL), 0);
	assert_string_equal(auth.version, "1.0.0");
	assert_false(auth.version_known);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_err_ struct err *e = NULL;

		if (kbs_auth_parse(bad[i], strlen(bad[i]), &auth, &e) == 0)
			fail_msg("accepted %s", bad[i]);
		assert_int_equal(err_class(e), ERR_INTEGRITY);
		assert_string_equal(err_id(e), "kbs-message");
	}
}

static void expect_attest(enum kbs_protocol p, const char *init_data, const char *want)
{
	const struct jwk jwk = example_key();
	_cleanup_buf_ struct buf evidence = BUF_INIT(256);
	_cleanup_free_ char *text = NULL;
	struct kbs_attest a;

	assert_int_equal(kbs_attest_request(p, NONCE, &jwk, "{\"svn\":\"1\",\"a\":[2]}", init_data, &text, NULL), 0);
	assert_string_equal(text, want);
	assert_int_equal(kbs_attest_parse(p, text, strlen(text), &a, NULL), 0);
	assert_int_equal(a.protocol, p);
	assert_memory_equal(&a.jwk, &jwk, sizeof(jwk));
	assert_string_equal(a.nonce, p == KBS_0_4_0 ? NONCE : "");
	assert_int_equal(json_canonical(a.evidence, &evidence, NULL), 0);
	assert_string_equal(buf_cstr(&evidence), "{\"a\":[2],\"svn\":\"1\"}");
	assert_string_equal(a.additional_evidence, "");
	if (init_data)
		assert_string_equal(a.init_data, init_data);
	else
		assert_null(a.init_data);
	kbs_attest_clear(&a);
}

/* The three shapes of section 1.1. */
static void test_attest(void **state)
{
	expect_attest(KBS_0_4_0, NULL,
		      "{\"init-data\":null,\"runtime-data\":{\"nonce\":\"" NONCE "\",\"tee-pubkey\":" KEY_TEXT "},"
		      "\"tee-evidence\":{\"primary_evidence\":{\"svn\":\"1\",\"a\":[2]},\"additional_evidence\":\"\"}}");
	expect_attest(KBS_0_4_0, "a = \"b\"\n[data]\n",
		      "{\"init-data\":{\"format\":\"toml\",\"body\":\"a = \\\"b\\\"\\n[data]\\n\"},\"runtime-data\":{\"nonce\":\""
		      NONCE "\",\"tee-pubkey\":" KEY_TEXT "},"
		      "\"tee-evidence\":{\"primary_evidence\":{\"svn\":\"1\",\"a\":[2]},\"additional_evidence\":\"\"}}");
	expect_attest(KBS_0_2_0, NULL, "{\"tee-pubkey\":" KEY_TEXT ",\"tee-evidence\":{\"svn\":\"1\",\"a\":[2]}}");
	expect_attest(KBS_0_1_1, NULL, "{\"tee-pubkey\":" KEY_TEXT ",\"tee-evidence\":{\"svn\":\"1\",\"a\":[2]}}");
	expect_attest(KBS_0_1_0, NULL,
		      "{\"tee-pubkey\":" KEY_TEXT ",\"tee-evidence\":\"{\\\"svn\\\":\\\"1\\\",\\\"a\\\":[2]}\"}");
}

static void test_init_data_needs_0_4(void **state)
{
	const struct jwk jwk = example_key();
	_cleanup_err_ struct err *old = NULL, *bytes = NULL;
	char *text = NULL;

	assert_int_equal(kbs_attest_request(KBS_0_2_0, NONCE, &jwk, "{}", "x", &text, &old), -1);
	assert_int_equal(err_class(old), ERR_CONFIG);
	assert_string_equal(err_id(old), "kbs-init-data");
	assert_int_equal(kbs_attest_request(KBS_0_4_0, NONCE, &jwk, "{}", "\xff", &text, &bytes), -1);
	assert_int_equal(err_class(bytes), ERR_INTEGRITY);
	assert_null(text);
}

#define ATTEST(init, runtime, evidence) "{\"init-data\":" init ",\"runtime-data\":" runtime ",\"tee-evidence\":" evidence "}"
#define RUNTIME "{\"nonce\":\"n\",\"tee-pubkey\":" KEY_TEXT "}"
#define EVIDENCE "{\"primary_evidence\":{},\"additional_evidence\":\"\"}"

static void test_attest_refusals(void **state)
{
	static const char *const bad[] = {
		ATTEST("{\"format\":\"json\",\"body\":\"x\"}", RUNTIME, EVIDENCE),
		ATTEST("{\"format\":\"toml\"}", RUNTIME, EVIDENCE),
		ATTEST("\"text\"", RUNTIME, EVIDENCE),
		ATTEST("null", "{\"tee-pubkey\":" KEY_TEXT "}", EVIDENCE),
		ATTEST("null", "{\"nonce\":\"n\"}", EVIDENCE),
		ATTEST("null", "{\"nonce\":\"n\",\"tee-pubkey\":\"x\"}", EVIDENCE),
		ATTEST("null", RUNTIME, "{\"primary_evidence\":\"{}\",\"additional_evidence\":\"\"}"),
		ATTEST("null", RUNTIME, "{\"primary_evidence\":{},\"additional_evidence\":{}}"),
		ATTEST("null", RUNTIME, "{\"primary_evidence\":{}}"),
		ATTEST("null", RUNTIME, "{\"additional_evidence\":\"\"}"),
		ATTEST("null", RUNTIME, "{\"primary_evidence\":{\"policy\":1.5},\"additional_evidence\":\"\"}"),
		ATTEST("null", RUNTIME, "{\"primary_evidence\":{\"policy\":18446744073709551615},\"additional_evidence\":\"\"}"),
		"{\"tee-pubkey\":" KEY_TEXT ",\"tee-evidence\":{}}",
	};
	static const char good[] = "{\"runtime-data\":{\"nonce\":\"n\",\"tee-pubkey\":" KEY_TEXT "},\"tee-evidence\":"
				   "{\"primary_evidence\":{},\"additional_evidence\":\"{\\\"tpm\\\":1}\"}}";
	struct kbs_attest a;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_err_ struct err *e = NULL;

		if (kbs_attest_parse(KBS_0_4_0, bad[i], strlen(bad[i]), &a, &e) == 0)
			fail_msg("accepted %s", bad[i]);
		assert_int_equal(err_class(e), ERR_INTEGRITY);
		assert_string_equal(err_id(e), "kbs-message");
	}
	assert_int_equal(kbs_attest_parse(KBS_0_4_0, good, strlen(good), &a, NULL), 0);
	assert_string_equal(a.additional_evidence, "{\"tpm\":1}");
	kbs_attest_clear(&a);
	assert_int_equal(kbs_attest_parse(KBS_0_2_0, good, strlen(good), &a, NULL), -1);
	/* A string that is not JSON, where 0.1.0 has a string of JSON. */
	assert_int_equal(kbs_attest_parse(KBS_0_1_0, "{\"tee-pubkey\":" KEY_TEXT ",\"tee-evidence\":\"{\"}",
					  strlen("{\"tee-pubkey\":" KEY_TEXT ",\"tee-evidence\":\"{\"}"), &a, NULL),
			 -1);
}

static void test_challenge(void **state)
{
	static const char selected[] = "{\"nonce\":\"abc\",\"extra-params\":{\"selected-hash-algorithm\":\"SHA512\"}}";
	static const char *const plain[] = { "{\"nonce\":\"abc\",\"extra-params\":\"\"}", "{\"nonce\":\"abc\",\"extra-params\":{}}",
					     "{\"nonce\":\"abc\",\"extra-params\":null}", "{\"nonce\":\"abc\"}" };
	_cleanup_free_ char *text = NULL;
	struct kbs_challenge c;

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		assert_int_equal(kbs_challenge_parse(plain[i], strlen(plain[i]), &c, NULL), 0);
		assert_string_equal(c.nonce, "abc");
		assert_string_equal(c.hash_name, "");
		kbs_challenge_clear(&c);
	}
	assert_int_equal(kbs_challenge_parse(selected, strlen(selected), &c, NULL), 0);
	assert_string_equal(c.hash_name, "sha512");
	kbs_challenge_clear(&c);
	assert_int_equal(kbs_challenge_text(NONCE, &text, NULL), 0);
	assert_string_equal(text, "{\"nonce\":\"" NONCE "\",\"extra-params\":\"\"}");
}

static void test_challenge_refusals(void **state)
{
	static const char *const bad[] = {
		"{\"nonce\":\"\"}",
		"{\"nonce\":7}",
		"{\"extra-params\":\"\"}",
		"{\"nonce\":\"a\\nb\"}",
		"{\"nonce\":\"\\u00e9\"}",
		"{\"nonce\":\"a\",\"extra-params\":{\"selected-hash-algorithm\":1}}",
		"{\"nonce\":\"a\",\"extra-params\":{\"selected-hash-algorithm\":\"sha-of-sixteen-bytes\"}}",
		"<html>502 Bad Gateway</html>",
	};
	char big[KBS_NONCE_MAX + 32];
	struct kbs_challenge c;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (kbs_challenge_parse(bad[i], strlen(bad[i]), &c, NULL) == 0)
			fail_msg("accepted %s", bad[i]);
	snprintf(big, sizeof(big), "{\"nonce\":\"%0*d\"}", KBS_NONCE_MAX + 1, 0);
	assert_int_equal(kbs_challenge_parse(big, strlen(big), &c, NULL), -1);
	snprintf(big, sizeof(big), "{\"nonce\":\"%0*d\"}", KBS_NONCE_MAX, 0);
	assert_int_equal(kbs_challenge_parse(big, strlen(big), &c, NULL), 0);
	kbs_challenge_clear(&c);
}

static void test_token(void **state)
{
	static const char *const bad[] = { "{\"token\":\"\"}", "{\"token\":null}", "{}", "{\"token\":\"a\\u0001\"}", "token" };
	char *big = malloc(KBS_TOKEN_MAX + 64);
	char *token = NULL, *text = NULL;

	assert_int_equal(kbs_token_text("aaa.bbb.ccc", &text, NULL), 0);
	assert_string_equal(text, "{\"token\":\"aaa.bbb.ccc\"}");
	assert_int_equal(kbs_token_parse(text, strlen(text), &token, NULL), 0);
	assert_string_equal(token, "aaa.bbb.ccc");
	free(token);
	free(text);
	token = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(kbs_token_parse(bad[i], strlen(bad[i]), &token, NULL), -1);
	snprintf(big, KBS_TOKEN_MAX + 64, "{\"token\":\"%0*d\"}", KBS_TOKEN_MAX + 1, 0);
	assert_int_equal(kbs_token_parse(big, strlen(big), &token, NULL), -1);
	assert_null(token);
	free(big);
}

static void expect_error(const char *text, const char *type, const char *detail, const char *version)
{
	struct kbs_error e;

	kbs_error_parse(text, strlen(text), &e);
	assert_string_equal(e.type, type);
	assert_string_equal(e.detail, detail);
	assert_string_equal(e.server_version, version);
}

#define ERRORS "{\"type\":\"https://github.com/confidential-containers/kbs/errors/"

static void test_errors(void **state)
{
	_cleanup_free_ char *text = NULL;

	assert_int_equal(kbs_error_text("PolicyDeny", "Access denied by policy", &text, NULL), 0);
	assert_string_equal(text, ERRORS "PolicyDeny\",\"detail\":\"Access denied by policy\"}");
	expect_error(text, "PolicyDeny", "Access denied by policy", "");
	expect_error(ERRORS "AttestationError\",\"detail\":\"Attestation error: RCAR handshake Auth failed: KBS Client Protocol "
			    "Version Mismatch: expect =0.4.0 while the request is 0.2.0\"}",
		     "AttestationError",
		     "Attestation error: RCAR handshake Auth failed: KBS Client Protocol Version Mismatch: expect =0.4.0 while the "
		     "request is 0.2.0",
		     "0.4.0");
	expect_error(ERRORS "ProtocolVersion\",\"detail\":\"expected version: =0.1.1, requested version: 0.4.0\"}", "ProtocolVersion",
		     "expected version: =0.1.1, requested version: 0.4.0", "0.1.1");
	expect_error(ERRORS "X\",\"detail\":\"expect =0.2.0.\"}", "X", "expect =0.2.0.", "0.2.0");
	expect_error(ERRORS "X\",\"detail\":\"expect =999999999999999999999\"}", "X", "expect =999999999999999999999", "");
	expect_error(ERRORS "Bad Name\",\"detail\":7}", "", "", "");
	expect_error("{\"type\":\"PolicyDeny\",\"detail\":\"a\\nb\"}", "", "a?b", "");
	expect_error("404 page\x1b[31m not found", "", "404 page?[31m not found", "");
	expect_error("", "", "", "");
	expect_error("[1.5]", "", "[1.5]", "");
}

static void test_error_bounds(void **state)
{
	char text[2048];
	struct kbs_error e;

	snprintf(text, sizeof(text), ERRORS "%0*d\",\"detail\":\"%0*d\"}", 65, 0, 600, 0);
	kbs_error_parse(text, strlen(text), &e);
	assert_string_equal(e.type, "");
	assert_int_equal(strlen(e.detail), 512);
	memset(text, 'x', sizeof(text));
	kbs_error_parse(text, sizeof(text), &e);
	assert_int_equal(strlen(e.detail), 512);
}

static void any_attest(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	_cleanup_err_ struct err *e = NULL;
	struct kbs_attest a;

	if (kbs_attest_parse(KBS_0_4_0, (const char *)data, len, &a, &e) == 0)
		kbs_attest_clear(&a);
	else
		assert_int_equal(err_class(e), ERR_INTEGRITY);
}

static void test_attest_mutations(void **state)
{
	static const char good[] = ATTEST("{\"format\":\"toml\",\"body\":\"x\"}", RUNTIME, EVIDENCE);

	mutate_bit_flips((const uint8_t *)good, 0, sizeof(good) - 1, sizeof(good) - 1, any_attest, NULL);
	mutate_truncations((const uint8_t *)good, sizeof(good) - 1, 1, any_attest, NULL);
}

/* 3.1, 3.2: the digest of the three-member object, padded on the right, for every size of digest. */
static void test_report_data(void **state)
{
	static const char want[] = "fa2bfbebfc1598cd2e795fb6416bbdaf3bebca4f4df71c4a9d44ed88af372401745cd13ee7dd4fc1fa0c79927f85954d"
				   "00000000000000000000000000000000";
	static const char zero[32] = { 0 };
	const struct jwk jwk = example_key();
	uint8_t out[64];
	char hex[129];

	assert_int_equal(runtime_data_report_data(KBS_0_4_0, DIGEST_SHA384, NONCE, &jwk, "", out, NULL), 0);
	hex_encode(out, 64, hex);
	assert_string_equal(hex, want);
	assert_int_equal(runtime_data_report_data(KBS_0_4_0, DIGEST_SHA256, NONCE, &jwk, "", out, NULL), 0);
	assert_memory_equal(out + 32, zero, 32);
	assert_int_equal(runtime_data_report_data(KBS_0_4_0, DIGEST_SHA512, NONCE, &jwk, "", out, NULL), 0);
	assert_memory_not_equal(out + 32, zero, 32);
}

/* 3.3: 0.1.1 hashes as 0.2.0 does; 0.1.0 hashes nonce, n and e as bare texts. */
static void test_report_data_old(void **state)
{
	const struct jwk ec = example_key(), rsa = rsa_key();
	_cleanup_free_ char *a = NULL, *b = NULL, *c = NULL, *n = b64_encode_dup(B64_URL, rsa.key.n, 256);
	_cleanup_err_ struct err *e = NULL;
	char want[1024], *none;

	assert_int_equal(runtime_data_text(KBS_0_1_1, NONCE, &ec, "", &a, NULL), 0);
	assert_int_equal(runtime_data_text(KBS_0_2_0, NONCE, &ec, "ignored", &b, NULL), 0);
	assert_string_equal(a, b);
	assert_string_equal(a, "{\"nonce\":\"" NONCE "\",\"tee-pubkey\":" KEY_TEXT "}");
	assert_int_equal(runtime_data_text(KBS_0_1_0, NONCE, &rsa, "", &c, NULL), 0);
	snprintf(want, sizeof(want), NONCE "%sAQAB", n);
	assert_string_equal(c, want);
	assert_int_equal(runtime_data_text(KBS_0_1_0, NONCE, &ec, "", &none, &e), -1);
	assert_int_equal(err_class(e), ERR_CONFIG);
	/* A nonce that goes on into the modulus would certify another key for the nonce it starts with. */
	static const char *const odd[] = { NONCE "AAAA", NONCE NONCE, "AAAA", "",
					   "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g" /* 33 bytes */,
					   "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==" /* 31 bytes */,
					   "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8_" };

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		err_clear(&e);
		assert_int_equal(runtime_data_text(KBS_0_1_0, odd[i], &rsa, "", &none, &e), -1);
		assert_int_equal(err_class(e), ERR_INTEGRITY);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_auth),
		cmocka_unit_test(test_auth_from_others),
		cmocka_unit_test(test_attest),
		cmocka_unit_test(test_init_data_needs_0_4),
		cmocka_unit_test(test_attest_refusals),
		cmocka_unit_test(test_challenge),
		cmocka_unit_test(test_challenge_refusals),
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_error_bounds),
		cmocka_unit_test(test_attest_mutations),
		cmocka_unit_test(test_report_data),
		cmocka_unit_test(test_report_data_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
