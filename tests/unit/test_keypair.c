/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Keys of all five types, RSA decryption, ECDH with its KDF and key wrap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/kdf.h>
#include <openssl/pem.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "crypto/keypair_impl.h"
#include "tests/lib/mutate.h"

/* Generated once: RSA keys cost a fraction of a second each. */
static struct keypair *keys[5];
static const enum key_type types[] = { KEY_RSA_2048, KEY_RSA_3072, KEY_RSA_4096, KEY_EC_P256, KEY_EC_P521 };

static int setup(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (keypair_generate(types[i], &keys[i], NULL) < 0)
			return -1;
	return 0;
}

static int teardown(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		keypair_free(keys[i]);
	return 0;
}

static struct secret *secret_of(const void *data, size_t len)
{
	struct secret *s = NULL;

	assert_int_equal(secret_from(data, len, &s, NULL), 0);
	return s;
}

static struct secret *secret_of_hex(const char *hex)
{
	uint8_t raw[256];

	assert_int_equal(hex_decode(hex, strlen(hex), raw, strlen(hex) / 2, NULL), 0);
	return secret_of(raw, strlen(hex) / 2);
}

static void test_names(void **state)
{
	_cleanup_err_ struct err *e = NULL;
	enum key_type t;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		assert_int_equal(key_type_by_name(key_type_name(types[i]), &t, NULL), 0);
		assert_int_equal(t, types[i]);
	}
	assert_int_equal(key_type_by_name("rsa-1024", &t, &e), -1);
	assert_int_equal(err_class(e), ERR_CONFIG);
}

/* Every operation on a received key begins with this. */
static bool usable(const struct public_key *pk)
{
	_cleanup_ossl_(pkey) EVP_PKEY *pkey = NULL;

	return public_key_to_pkey(pk, &pkey, NULL) == 0;
}

static void test_public_parts(void **state)
{
	static const size_t modulus[] = { 256, 384, 512 }, coord[] = { 32, 66 };
	struct public_key pk;

	for (size_t i = 0; i < 5; i++) {
		keypair_public(keys[i], &pk);
		assert_int_equal(pk.rsa, i < 3);
		assert_true(usable(&pk));
		if (pk.rsa) {
			assert_int_equal(pk.n_len, modulus[i]);
			assert_true(pk.n[0] & 0x80);
			assert_int_equal(pk.e_len, 3);
		} else {
			assert_int_equal(pk.coord_len, coord[i - 3]);
			assert_int_equal(pk.curve_bits, i == 3 ? 256 : 521);
		}
	}
}

static void test_pem_round_trip(void **state)
{
	for (size_t i = 0; i < 5; i++) {
		_cleanup_secret_ struct secret *pem = NULL;
		struct public_key a, b;
		struct keypair *again;

		assert_int_equal(keypair_to_pem(keys[i], &pem, NULL), 0);
		assert_int_equal(keypair_from_pem((const char *)secret_cdata(pem), secret_len(pem), &again, NULL), 0);
		keypair_public(keys[i], &a);
		keypair_public(again, &b);
		assert_memory_equal(&a, &b, sizeof(a));
		keypair_free(again);
	}
}

static void refuse_pem(EVP_PKEY *pkey, const EVP_CIPHER *cipher, const char *id)
{
	_cleanup_ossl_(bio) BIO *bio = BIO_new(BIO_s_mem());
	_cleanup_ossl_(pkey) EVP_PKEY *owned = pkey;
	_cleanup_err_ struct err *e = NULL;
	struct keypair *kp;
	char *text, pass[] = "pass";
	long len;

	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, owned, cipher, pass, 4, NULL, NULL), 1);
	len = BIO_get_mem_data(bio, &text);
	assert_int_equal(keypair_from_pem(text, (size_t)len, &kp, &e), -1);
	assert_int_equal(err_class(e), ERR_CONFIG);
	assert_string_equal(err_id(e), id);
}

/* The encrypted one would hang at a passphrase prompt if the callback were missing. */
static void test_pem_refused(void **state)
{
	_cleanup_err_ struct err *e = NULL;
	struct keypair *kp;

	refuse_pem(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), EVP_aes_128_cbc(), "key-pem");
	refuse_pem(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"), NULL, "key-type");
	refuse_pem(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024), NULL, "key-type");
	refuse_pem(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL, "key-type");
	assert_int_equal(keypair_from_pem("hello", 5, &kp, &e), -1);
	assert_int_equal(err_class(e), ERR_CONFIG);
}

static void test_bad_public_keys(void **state)
{
	struct public_key pk, bad;

	keypair_public(keys[3], &pk);
	bad = pk;
	bad.y[31] ^= 1; /* off the curve */
	assert_false(usable(&bad));
	bad = pk;
	memset(bad.x, 0xff, 32); /* past the field */
	assert_false(usable(&bad));
	bad = pk;
	bad.curve_bits = 521;
	assert_false(usable(&bad));
	keypair_public(keys[0], &pk);
	bad = pk;
	bad.n_len = 255; /* 2040 bits */
	assert_false(usable(&bad));
	bad = pk;
	bad.n[255] &= 0xfe;
	assert_false(usable(&bad));
	bad = pk;
	bad.e[0] = 1;
	bad.e_len = 1;
	assert_false(usable(&bad));
}

static void test_rsa_oaep(void **state)
{
	for (size_t i = 0; i < 3; i++) {
		_cleanup_secret_ struct secret *out = NULL, *none = NULL;
		_cleanup_err_ struct err *e = NULL;
		uint8_t ct[KEY_MODULUS_MAX];
		struct public_key pk;
		size_t n;

		keypair_public(keys[i], &pk);
		assert_int_equal(public_key_rsa_encrypt(&pk, true, "0123456789abcdef", 16, ct, sizeof(ct), &n, NULL), 0);
		assert_int_equal(n, pk.n_len);
		assert_int_equal(keypair_rsa_decrypt(keys[i], true, ct, n, &out, NULL), 0);
		assert_int_equal(secret_len(out), 16);
		assert_memory_equal(secret_cdata(out), "0123456789abcdef", 16);
		ct[n / 2] ^= 1;
		assert_int_equal(keypair_rsa_decrypt(keys[i], true, ct, n, &none, &e), -1);
		assert_int_equal(err_class(e), ERR_INTEGRITY);
		assert_null(none);
	}
}

static void v15_decrypt(const uint8_t *ct, size_t n, uint8_t out[static 32])
{
	_cleanup_secret_ struct secret *s = NULL;

	assert_int_equal(keypair_rsa_decrypt(keys[0], false, ct, n, &s, NULL), 0);
	assert_int_equal(secret_len(s), 32);
	memcpy(out, secret_cdata(s), 32);
}

/* Every kind of failure looks like success with another key each time. */
static void test_rsa_v15_never_tells(void **state)
{
	uint8_t ct[KEY_MODULUS_MAX], key[32], a[32], b[32];
	struct public_key pk;
	size_t n;

	memset(key, 0x5a, 32);
	keypair_public(keys[0], &pk);
	assert_int_equal(public_key_rsa_encrypt(&pk, false, key, 32, ct, sizeof(ct), &n, NULL), 0);
	v15_decrypt(ct, n, a);
	assert_memory_equal(a, key, 32);
	v15_decrypt(ct, n - 1, a); /* wrong length */
	v15_decrypt(ct, n - 1, b);
	assert_memory_not_equal(a, b, 32);
	ct[0] ^= 1; /* wrong padding */
	v15_decrypt(ct, n, a);
	v15_decrypt(ct, n, b);
	assert_memory_not_equal(a, b, 32);
	assert_int_equal(public_key_rsa_encrypt(&pk, false, key, 16, ct, sizeof(ct), &n, NULL), 0);
	v15_decrypt(ct, n, a); /* right padding, 16 bytes of key */
	v15_decrypt(ct, n, b);
	assert_memory_not_equal(a, b, 32);
	assert_memory_not_equal(a, key, 16);
}

static void check_ecdh_both_ways(const struct keypair *a, const struct keypair *b)
{
	_cleanup_secret_ struct secret *za = NULL, *zb = NULL;
	struct public_key pa, pb;

	keypair_public(a, &pa);
	keypair_public(b, &pb);
	assert_int_equal(keypair_ecdh(a, &pb, &za, NULL), 0);
	assert_int_equal(keypair_ecdh(b, &pa, &zb, NULL), 0);
	assert_int_equal(secret_len(za), pa.coord_len);
	assert_true(secret_equal(za, zb));
}

/* A coordinate, or Z, that starts with a zero byte comes about once in 256 keys (pitfall 10). */
static void test_ecdh_leading_zeros(void **state)
{
	bool seen_coord = false, seen_z = false;

	for (int i = 0; i < 20000 && !(seen_coord && seen_z); i++) {
		_cleanup_secret_ struct secret *z = NULL;
		struct public_key pk;
		struct keypair *kp;

		assert_int_equal(keypair_generate(KEY_EC_P256, &kp, NULL), 0);
		keypair_public(kp, &pk);
		assert_int_equal(keypair_ecdh(keys[3], &pk, &z, NULL), 0);
		assert_int_equal(secret_len(z), 32);
		if ((pk.x[0] == 0 || pk.y[0] == 0) && !seen_coord) {
			check_ecdh_both_ways(keys[3], kp);
			seen_coord = true;
		}
		if (secret_cdata(z)[0] == 0 && !seen_z) {
			check_ecdh_both_ways(keys[3], kp);
			seen_z = true;
		}
		keypair_free(kp);
	}
	assert_true(seen_coord && seen_z);
}

static void test_ecdh_p521_and_refusals(void **state)
{
	_cleanup_err_ struct err *curve = NULL, *point = NULL;
	struct keypair *other;
	struct public_key pk;
	struct secret *z = NULL;

	assert_int_equal(keypair_generate(KEY_EC_P521, &other, NULL), 0);
	check_ecdh_both_ways(keys[4], other);
	keypair_public(other, &pk);
	keypair_free(other);
	assert_int_equal(keypair_ecdh(keys[3], &pk, &z, &curve), -1);
	assert_int_equal(err_class(curve), ERR_INTEGRITY);
	pk.x[65] ^= 1;
	assert_int_equal(keypair_ecdh(keys[4], &pk, &z, &point), -1);
	assert_int_equal(err_class(point), ERR_INTEGRITY);
	assert_null(z);
}

/* Against OpenSSL's own single-step KDF, for both widths of Z. */
static void test_concat_kdf(void **state)
{
	static const char info[] = "\0\0\0\x0e" "ECDH-ES+A256KW" "\0\0\0\0" "\0\0\0\0" "\0\0\1";
	uint8_t z[66], want[32];

	for (size_t i = 0; i < sizeof(z); i++)
		z[i] = (uint8_t)(i * 7);
	for (size_t len = 32; len <= 66; len += 34) {
		_cleanup_secret_ struct secret *zs = secret_of(z, len), *kek = NULL;
		EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SSKDF", NULL);
		EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
		char md[] = "SHA256";
		OSSL_PARAM params[] = {
			OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, md, 0),
			OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, z, len),
			OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, sizeof(info)),
			OSSL_PARAM_construct_end(),
		};

		assert_int_equal(sizeof(info), 4 + 14 + 4 + 4 + 4);
		assert_int_equal(EVP_KDF_derive(ctx, want, sizeof(want), params), 1);
		assert_int_equal(ecdh_concat_kdf(zs, "ECDH-ES+A256KW", &kek, NULL), 0);
		assert_int_equal(secret_len(kek), 32);
		assert_memory_equal(secret_cdata(kek), want, 32);
		EVP_KDF_CTX_free(ctx);
		EVP_KDF_free(kdf);
	}
}

static void expect_unwrap_fails(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	_cleanup_err_ struct err *e = NULL;
	struct secret *key = NULL;

	if (aes_key_unwrap(ctx, data, len, &key, &e) == 0)
		fail_msg("unwrapped with %s", what);
	assert_null(key);
	assert_int_equal(err_class(e), ERR_INTEGRITY);
}

/* RFC 3394 section 4.6. */
static void test_key_wrap(void **state)
{
	_cleanup_secret_ struct secret *kek =
		secret_of_hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
	_cleanup_secret_ struct secret *key =
		secret_of_hex("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f");
	_cleanup_secret_ struct secret *back = NULL;
	uint8_t want[40], got[40];
	size_t n;

	assert_int_equal(hex_decode("28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21", 80, want,
				    40, NULL),
			 0);
	assert_int_equal(aes_key_wrap(kek, key, got, sizeof(got), &n, NULL), 0);
	assert_int_equal(n, 40);
	assert_memory_equal(got, want, 40);
	assert_int_equal(aes_key_unwrap(kek, want, 40, &back, NULL), 0);
	assert_true(secret_equal(back, key));
	mutate_bit_flips(want, 0, 40, 40, expect_unwrap_fails, kek);
	mutate_truncations(want, 40, 1, expect_unwrap_fails, kek);
	assert_int_equal(aes_key_wrap(kek, key, got, 39, &n, NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_public_parts),
		cmocka_unit_test(test_pem_round_trip),
		cmocka_unit_test(test_pem_refused),
		cmocka_unit_test(test_bad_public_keys),
		cmocka_unit_test(test_rsa_oaep),
		cmocka_unit_test(test_rsa_v15_never_tells),
		cmocka_unit_test(test_ecdh_leading_zeros),
		cmocka_unit_test(test_ecdh_p521_and_refusals),
		cmocka_unit_test(test_concat_kdf),
		cmocka_unit_test(test_key_wrap),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
