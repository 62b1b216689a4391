/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What wire/ and crypto/ take for granted about jansson and OpenSSL, asked of the libraries themselves. When a new release
 * of one changes its mind, this fails and says where to look.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "crypto/ossl.h"

#define LOAD_FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY)

static enum json_error_code problem_of(const char *text, size_t len)
{
	json_error_t e;
	json_t *v = json_loadb(text, len, LOAD_FLAGS, &e);

	if (!v)
		return json_error_code(&e);
	json_decref(v);
	return json_error_unknown;
}

/* json.c names problems by these codes. */
static void test_jansson_codes(void **state)
{
	assert_int_equal(problem_of("{\"a\":1,\"\\u0061\":2}", 18), json_error_duplicate_key);
	assert_int_equal(problem_of("9223372036854775808", 19), json_error_numeric_overflow);
	assert_int_equal(problem_of("-9223372036854775809", 20), json_error_numeric_overflow);
	assert_int_equal(problem_of("1e999", 5), json_error_numeric_overflow);
	assert_int_equal(problem_of("\"\\u0000\"", 8), json_error_null_character);
	assert_int_equal(problem_of("\"\xff\"", 3), json_error_invalid_utf8);
	assert_int_equal(problem_of("[", 1), json_error_premature_end_of_input);
	assert_int_equal(problem_of("1 2", 3), json_error_end_of_input_expected);
	assert_int_equal(problem_of("\"\\ud800\"", 8), json_error_invalid_syntax);
}

/* Why json.c never passes its message on. */
static void test_jansson_quotes_its_input(void **state)
{
	json_error_t e;

	assert_null(json_loadb("[hunter2", 8, LOAD_FLAGS, &e));
	assert_non_null(strstr(e.text, "hunter"));
}

static void test_jansson_reads_len_bytes(void **state)
{
	static const char text[] = { '[', '1', '2', ']', '3' }; /* no NUL anywhere */
	json_t *v = json_loadb(text, 4, LOAD_FLAGS, NULL);

	assert_int_equal(json_integer_value(json_array_get(v, 0)), 12);
	json_decref(v);
	assert_int_equal(problem_of(text, 5), json_error_end_of_input_expected);
}

/* Our pre-scan stops at 32; should it ever be wrong, jansson itself ends at 2048 and does not run out of stack. */
static void test_jansson_depth(void **state)
{
	char text[4096];

	memset(text, '[', sizeof(text));
	assert_int_equal(problem_of(text, sizeof(text)), json_error_stack_overflow);
}

static void test_jansson_keeps_order_and_types(void **state)
{
	json_t *v = json_loads("{\"b\":1,\"a\":-0,\"c\":1.0}", LOAD_FLAGS, NULL);
	char order[4] = "";
	const char *key;
	json_t *member;

	json_object_foreach(v, key, member)
		strncat(order, key, 1);
	assert_string_equal(order, "bac");
	assert_true(json_is_integer(json_object_get(v, "a")));
	assert_true(json_is_real(json_object_get(v, "c")));
	assert_null(json_object_get(json_object_get(v, "a"), "x"));
	assert_null(json_object_get(NULL, "x"));
	assert_null(json_string_value(NULL));
	json_decref(v);
}

static void test_jansson_strings_are_utf8(void **state)
{
	json_t *obj = json_object();

	assert_null(json_string("\xff"));
	assert_null(json_string("\xc0\xaf"));
	assert_true(json_object_set_new(obj, "k", json_string("\xff")) < 0);
	json_decref(obj);
}

/* Why json_text.c exists: RFC 8785 wants lower case, and order by UTF-16. */
static void test_jansson_dump_is_not_canonical(void **state)
{
	json_t *v = json_pack("{s:s, s:i, s:i}", "a", "\x1f", "\xef\xac\xb3", 1, "\xf0\x9f\x98\x80", 2);
	char *text = json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS);

	assert_string_equal(text, "{\"a\":\"\\u001F\",\"\xef\xac\xb3\":1,\"\xf0\x9f\x98\x80\":2}");
	free(text);
	json_decref(v);
}

static long live_blocks;

static void *counting_malloc(size_t n)
{
	live_blocks++;
	return malloc(n);
}

static void counting_free(void *p)
{
	live_blocks -= p != NULL;
	free(p);
}

/* Every block that may hold text of ours passes through the functions we set (S3). */
static void test_jansson_uses_our_allocator(void **state)
{
	json_t *v;

	json_set_alloc_funcs(counting_malloc, counting_free);
	v = json_loads("{\"passphrase\":\"c2l4dGVlbiBieXRlcyEhIQ==\",\"l\":[1,2,\"\\u00e9\"]}", LOAD_FLAGS, NULL);
	assert_true(live_blocks >= 5);
	json_decref(v);
	assert_int_equal(live_blocks, 0);
	assert_null(json_loads("{\"passphrase\":\"c2l4dGVlbiBie", LOAD_FLAGS, NULL));
	assert_int_equal(live_blocks, 0);
	json_set_alloc_funcs(malloc, free);
}

static void test_openssl_gcm(void **state)
{
	_cleanup_ossl_(cipher_ctx) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t key[32] = { 1 }, iv[12] = { 2 }, tag[16] = { 3 }, out[16];
	int n;

	assert_int_equal(EVP_CIPHER_get_iv_length(EVP_aes_256_gcm()), 12);
	assert_int_equal(EVP_CipherInit_ex2(ctx, EVP_aes_256_gcm(), key, iv, 0, NULL), 1);
	assert_int_equal(EVP_CipherUpdate(ctx, out, &n, (const uint8_t *)"12345", 5), 1);
	assert_int_equal(n, 5); /* a stream: nothing is held back for the final call */
	assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, tag), 1);
	assert_true(EVP_CipherFinal_ex(ctx, out, &n) <= 0);
	ERR_clear_error();
}

static void test_openssl_key_wrap(void **state)
{
	_cleanup_ossl_(cipher_ctx) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t kek[32] = { 1 }, in[40] = { 2 }, out[40];
	int n = -1;

	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	assert_int_equal(EVP_CipherInit_ex2(ctx, EVP_aes_256_wrap(), kek, NULL, 0, NULL), 1);
	assert_true(EVP_CipherUpdate(ctx, out, &n, in, 40) != 1 || n != 32);
	ERR_clear_error();
}

static EVP_PKEY_CTX *rsa_ctx(EVP_PKEY *key, bool encrypt, bool set_digests)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);

	assert_int_equal(encrypt ? EVP_PKEY_encrypt_init(ctx) : EVP_PKEY_decrypt_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING), 1);
	if (set_digests) {
		assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()), 1);
		assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()), 1);
	}
	return ctx;
}

/* Pitfall 9: what is encrypted with the defaults is not RSA-OAEP-256. */
static void test_openssl_oaep_default_is_sha1(void **state)
{
	_cleanup_ossl_(pkey) EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	_cleanup_ossl_(pkey_ctx) EVP_PKEY_CTX *enc = rsa_ctx(key, true, false), *dec = rsa_ctx(key, false, true);
	const EVP_MD *md = NULL;
	uint8_t ct[256], out[256];
	size_t n = sizeof(ct), m = sizeof(out);

	assert_int_equal(EVP_PKEY_CTX_get_rsa_oaep_md(enc, &md), 1);
	assert_true(md == NULL || EVP_MD_is_a(md, "SHA1"));
	assert_int_equal(EVP_PKEY_encrypt(enc, ct, &n, (const uint8_t *)"secret", 6), 1);
	assert_true(EVP_PKEY_decrypt(dec, out, &m, ct, n) <= 0);
	ERR_clear_error();
}

/* Up to 3.1 a wrong padding is an error, from 3.2 on it gives bytes of some length: public_key.c takes both. */
static void test_openssl_v15_wrong_padding(void **state)
{
	_cleanup_ossl_(pkey) EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	_cleanup_ossl_(pkey_ctx) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	uint8_t ct[256] = { 0 }, out[256];
	size_t n = sizeof(out);

	ct[255] = 2;
	assert_int_equal(EVP_PKEY_decrypt_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING), 1);
	if (EVP_PKEY_decrypt(ctx, out, &n, ct, sizeof(ct)) == 1)
		assert_true(n <= 256 - 11);
	ERR_clear_error();
}

/* keypair.c knows the curves by these names. */
static void test_openssl_curve_names(void **state)
{
	static const char *const names[][2] = { { "P-256", "prime256v1" }, { "P-521", "secp521r1" } };

	for (size_t i = 0; i < 2; i++) {
		_cleanup_ossl_(pkey) EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", names[i][0]);
		char group[64];

		assert_int_equal(EVP_PKEY_get_group_name(key, group, sizeof(group), NULL), 1);
		assert_string_equal(group, names[i][1]);
	}
}

/* public_key.c relies on this alone for the check that a point is on its curve. */
static void test_openssl_refuses_points_off_the_curve(void **state)
{
	_cleanup_ossl_(param_bld) OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	_cleanup_ossl_(param) OSSL_PARAM *params = NULL;
	_cleanup_ossl_(pkey_ctx) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;
	uint8_t point[65] = { 4, [32] = 1, [64] = 1 };

	OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
	OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point));
	params = OSSL_PARAM_BLD_to_param(bld);
	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_true(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) <= 0);
	assert_null(key);
	ERR_clear_error();
}

static void test_openssl_rsa_exponent(void **state)
{
	_cleanup_ossl_(pkey) EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	_cleanup_ossl_(bn) BIGNUM *e = NULL;

	assert_int_equal(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e), 1);
	assert_true(BN_is_word(e, 65537));
	assert_int_equal(EVP_PKEY_get_bits(key), 2048);
}

/* Junk is 0 or negative, never 1. */
static void test_openssl_verify_junk(void **state)
{
	_cleanup_ossl_(pkey) EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	_cleanup_ossl_(md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert_int_equal(EVP_DigestVerifyInit_ex(ctx, NULL, "SHA256", NULL, NULL, key, NULL), 1);
	assert_true(EVP_DigestVerify(ctx, (const uint8_t *)"junk", 4, (const uint8_t *)"data", 4) <= 0);
	ERR_clear_error();
}

static int no_passphrase(char *buf, int size, int rwflag, void *ctx)
{
	return -1;
}

static void test_openssl_pem_callback(void **state)
{
	_cleanup_ossl_(pkey) EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	_cleanup_ossl_(bio) BIO *bio = BIO_new(BIO_s_mem());
	char pass[] = "x";

	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_256_cbc(), pass, 1, NULL, NULL), 1);
	assert_null(PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL));
	ERR_clear_error();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jansson_codes),
		cmocka_unit_test(test_jansson_quotes_its_input),
		cmocka_unit_test(test_jansson_reads_len_bytes),
		cmocka_unit_test(test_jansson_depth),
		cmocka_unit_test(test_jansson_keeps_order_and_types),
		cmocka_unit_test(test_jansson_strings_are_utf8),
		cmocka_unit_test(test_jansson_dump_is_not_canonical),
		cmocka_unit_test(test_jansson_uses_our_allocator),
		cmocka_unit_test(test_openssl_gcm),
		cmocka_unit_test(test_openssl_key_wrap),
		cmocka_unit_test(test_openssl_oaep_default_is_sha1),
		cmocka_unit_test(test_openssl_v15_wrong_padding),
		cmocka_unit_test(test_openssl_curve_names),
		cmocka_unit_test(test_openssl_refuses_points_off_the_curve),
		cmocka_unit_test(test_openssl_rsa_exponent),
		cmocka_unit_test(test_openssl_verify_junk),
		cmocka_unit_test(test_openssl_pem_callback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
