/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* ES256, made and verified, and RSASSA-PKCS1-v1_5, verified. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/rsa.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "crypto/keypair_impl.h"
#include "tests/lib/mutate.h"
#include "tests/unit/three_keys.h"

/* RFC 7515 appendix A.3. */
static void test_es256_vector(void **state)
{
	static const char signed_text[] = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
					  "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
	static const char sig_text[] = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
	struct public_key pk = { .curve_bits = 256, .coord_len = 32 };
	uint8_t sig[64];
	size_t n;

	assert_int_equal(b64_decode(B64_URL, "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", 43, pk.x, 32, &n, NULL), 0);
	assert_int_equal(b64_decode(B64_URL, "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", 43, pk.y, 32, &n, NULL), 0);
	assert_int_equal(b64_decode(B64_URL, sig_text, strlen(sig_text), sig, 64, &n, NULL), 0);
	assert_int_equal(public_key_verify_es256(&pk, signed_text, strlen(signed_text), sig, NULL), 0);
}

struct es256_case {
	struct public_key pk;
	const char *text;
};

static void expect_bad_signature(const uint8_t *sig, size_t len, const char *what, void *ctx)
{
	const struct es256_case *c = ctx;
	_cleanup_err_ struct err *e = NULL;

	if (public_key_verify_es256(&c->pk, c->text, strlen(c->text), sig, &e) == 0)
		fail_msg("verified with %s", what);
	assert_int_equal(err_class(e), ERR_INTEGRITY);
}

static void test_es256(void **state)
{
	struct es256_case c = { .text = "header.payload" };
	_cleanup_err_ struct err *e = NULL;
	uint8_t sig[64];

	keypair_public(p256, &c.pk);
	for (int i = 0; i < 300; i++) { /* r or s with a leading zero among them */
		assert_int_equal(keypair_sign_es256(p256, c.text, strlen(c.text), sig, NULL), 0);
		assert_int_equal(public_key_verify_es256(&c.pk, c.text, strlen(c.text), sig, NULL), 0);
	}
	assert_int_equal(public_key_verify_es256(&c.pk, "header.payloaD", strlen(c.text), sig, NULL), -1);
	mutate_bit_flips(sig, 0, 64, 64, expect_bad_signature, &c);
	memset(sig, 0, sizeof(sig));
	expect_bad_signature(sig, 64, "zero", &c);
	assert_int_equal(keypair_sign_es256(p521, "x", 1, sig, &e), -1);
	assert_int_equal(err_class(e), ERR_CONFIG);
}

struct rsassa_case {
	struct public_key pk;
	size_t len;
};

static void expect_bad_rsassa(const uint8_t *sig, size_t len, const char *what, void *ctx)
{
	const struct rsassa_case *c = ctx;
	_cleanup_err_ struct err *e = NULL;

	if (public_key_verify_rsassa(&c->pk, DIGEST_SHA256, "certificate", 11, sig, len, &e) == 0)
		fail_msg("verified with %s", what);
	assert_string_equal(err_id(e), "signature");
}

/* Signed by OpenSSL itself: only the verifying is ours. */
static size_t sign_rsassa(const EVP_MD *md, int padding, uint8_t *out, size_t cap)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	size_t n = cap;

	assert_int_equal(EVP_DigestSignInit(ctx, &pctx, md, NULL, rsa->pkey), 1);
	assert_true(EVP_PKEY_CTX_set_rsa_padding(pctx, padding) > 0);
	assert_int_equal(EVP_DigestSign(ctx, out, &n, (const uint8_t *)"certificate", 11), 1);
	EVP_MD_CTX_free(ctx);
	return n;
}

static void test_rsassa(void **state)
{
	struct rsassa_case c = { 0 };
	struct public_key ec;
	uint8_t sig[512];

	keypair_public(rsa, &c.pk);
	keypair_public(p256, &ec);
	c.len = sign_rsassa(EVP_sha256(), RSA_PKCS1_PADDING, sig, sizeof(sig));
	assert_int_equal(public_key_verify_rsassa(&c.pk, DIGEST_SHA256, "certificate", 11, sig, c.len, NULL), 0);
	assert_int_equal(public_key_verify_rsassa(&c.pk, DIGEST_SHA256, "certificatE", 11, sig, c.len, NULL), -1);
	assert_int_equal(public_key_verify_rsassa(&c.pk, DIGEST_SHA384, "certificate", 11, sig, c.len, NULL), -1);
	assert_int_equal(public_key_verify_rsassa(&c.pk, DIGEST_SHA1, "certificate", 11, sig, c.len, NULL), -1);
	assert_int_equal(public_key_verify_rsassa(&ec, DIGEST_SHA256, "certificate", 11, sig, c.len, NULL), -1);
	mutate_bit_flips(sig, 0, c.len, c.len, expect_bad_rsassa, &c);
	mutate_truncations(sig, c.len, 17, expect_bad_rsassa, &c);
	c.len = sign_rsassa(EVP_sha384(), RSA_PKCS1_PADDING, sig, sizeof(sig));
	assert_int_equal(public_key_verify_rsassa(&c.pk, DIGEST_SHA384, "certificate", 11, sig, c.len, NULL), 0);
	c.len = sign_rsassa(EVP_sha256(), RSA_PKCS1_PSS_PADDING, sig, sizeof(sig));
	expect_bad_rsassa(sig, c.len, "PSS", &c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_es256_vector),
		cmocka_unit_test(test_es256),
		cmocka_unit_test(test_rsassa),
	};

	return cmocka_run_group_tests(tests, keys_make, keys_free);
}
