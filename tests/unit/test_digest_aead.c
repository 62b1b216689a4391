/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* SHA-2, HMAC, random bytes and AES-GCM against published vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "crypto/aead.h"
#include "crypto/digest.h"
#include "tests/lib/mutate.h"

static void from_hex(const char *hex, void *out)
{
	assert_int_equal(hex_decode(hex, strlen(hex), out, strlen(hex) / 2, NULL), 0);
}

/* FIPS 180-4 and 202 examples for "abc"; GB/T 32905 A.1 for SM3. */
static void test_digests(void **state)
{
	static const char *const expected[] = {
		[DIGEST_SHA256] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		[DIGEST_SHA384] = "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca1"
				  "34c825a7",
		[DIGEST_SHA512] = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23"
				  "a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
		[DIGEST_SHA1] = "a9993e364706816aba3e25717850c26c9cd0d89d",
		[DIGEST_SM3] = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
		[DIGEST_SHA3_256] = "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
		[DIGEST_SHA3_384] = "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f539f1edf2"
				    "28376d25",
		[DIGEST_SHA3_512] = "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e10e116e9192af3c91a7ec576"
				    "47e3934057340b4cf408d5a56592f8274eec53f0",
	};
	const struct digest_piece pieces[] = { { "a", 1 }, { "", 0 }, { "bc", 2 } };
	uint8_t want[DIGEST_MAX], got[DIGEST_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		from_hex(expected[i], want);
		assert_int_equal(digest_bytes((enum digest_alg)i, "abc", 3, got, NULL), 0);
		assert_memory_equal(got, want, digest_size((enum digest_alg)i));
		assert_int_equal(digest_pieces((enum digest_alg)i, pieces, 3, got, NULL), 0);
		assert_memory_equal(got, want, digest_size((enum digest_alg)i));
	}
}

static void test_digest_names(void **state)
{
	_cleanup_err_ struct err *e = NULL;
	enum digest_alg alg;

	assert_int_equal(digest_by_name("SHA512", &alg, &e), 0);
	assert_int_equal(alg, DIGEST_SHA512);
	assert_int_equal(digest_by_name("sha1", &alg, NULL), -1);
	assert_int_equal(digest_by_name("sm3", &alg, &e), -1);
	assert_int_equal(err_class(e), ERR_INTEGRITY);
}

/* RFC 4231, cases 2 and 6 (a key longer than the block). */
static void test_hmac(void **state)
{
	_cleanup_secret_ struct secret *jefe = NULL, *longer = NULL;
	uint8_t want[32], got[32], key[131];

	memset(key, 0xaa, sizeof(key));
	assert_int_equal(secret_from("Jefe", 4, &jefe, NULL), 0);
	assert_int_equal(secret_from(key, sizeof(key), &longer, NULL), 0);
	from_hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", want);
	assert_int_equal(hmac_sha256(jefe, "what do ya want for nothing?", 28, got, NULL), 0);
	assert_memory_equal(got, want, 32);
	from_hex("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", want);
	assert_int_equal(hmac_sha256(longer, "Test Using Larger Than Block-Size Key - Hash Key First", 54, got, NULL), 0);
	assert_memory_equal(got, want, 32);
}

static void test_random(void **state)
{
	uint8_t a[32] = { 0 }, b[32] = { 0 };

	assert_int_equal(random_bytes(a, sizeof(a), NULL), 0);
	assert_int_equal(random_bytes(b, sizeof(b), NULL), 0);
	assert_memory_not_equal(a, b, 32);
}

/* Test case 16 of the GCM specification. */
static const char gcm_key[] = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
static const char gcm_plain[] = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
				"b16aedf5aa0de657ba637b39";
static const char gcm_cipher[] = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
				 "c5f61e6393ba7a0abcc9f662";
static const char gcm_aad[] = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
static const char gcm_iv[] = "cafebabefacedbaddecaf888";
static const char gcm_tag[] = "76fc6ece0f4e1768cddf8853bb2d551b";

/* iv 12 | aad 20 | ciphertext 60 | tag 16, so that one bit flip covers all of them. */
struct gcm_case {
	struct secret *key;
	uint8_t text[12 + 20 + 60 + 16];
};

static int gcm_open(const struct secret *key, const uint8_t text[static 108], struct secret **ret, struct err **err)
{
	return aes256gcm_open(key, text, text + 12, 20, text + 32, 60, text + 92, ret, err);
}

static void expect_wrong_tag(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	const struct gcm_case *c = ctx;
	_cleanup_err_ struct err *e = NULL;
	struct secret *plain = NULL;

	if (gcm_open(c->key, data, &plain, &e) == 0)
		fail_msg("accepted with %s", what);
	assert_null(plain);
	assert_int_equal(err_class(e), ERR_INTEGRITY);
}

static void gcm_setup(struct gcm_case *c)
{
	uint8_t key[32];

	from_hex(gcm_key, key);
	assert_int_equal(secret_from(key, 32, &c->key, NULL), 0);
	from_hex(gcm_iv, c->text);
	from_hex(gcm_aad, c->text + 12);
	from_hex(gcm_cipher, c->text + 32);
	from_hex(gcm_tag, c->text + 92);
}

static void test_gcm(void **state)
{
	_cleanup_secret_ struct secret *plain = NULL;
	uint8_t want[60], ct[60], tag[16];
	struct gcm_case c;

	gcm_setup(&c);
	from_hex(gcm_plain, want);
	assert_int_equal(gcm_open(c.key, c.text, &plain, NULL), 0);
	assert_int_equal(secret_len(plain), 60);
	assert_memory_equal(secret_cdata(plain), want, 60);
	assert_int_equal(aes256gcm_seal(c.key, c.text, c.text + 12, 20, want, 60, ct, tag, NULL), 0);
	assert_memory_equal(ct, c.text + 32, 60);
	assert_memory_equal(tag, c.text + 92, 16);
	mutate_bit_flips(c.text, 0, sizeof(c.text), sizeof(c.text), expect_wrong_tag, &c);
	secret_free(c.key);
}

static void test_gcm_empty(void **state)
{
	_cleanup_secret_ struct secret *plain = NULL, *key = NULL, *short_key = NULL;
	_cleanup_err_ struct err *e = NULL;
	uint8_t iv[12] = { 1 }, tag[16], zero[32] = { 0 };

	assert_int_equal(secret_from(zero, 32, &key, NULL), 0);
	assert_int_equal(secret_from(zero, 16, &short_key, NULL), 0);
	assert_int_equal(aes256gcm_seal(key, iv, NULL, 0, NULL, 0, NULL, tag, NULL), 0);
	assert_int_equal(aes256gcm_open(key, iv, NULL, 0, NULL, 0, tag, &plain, NULL), 0);
	assert_int_equal(secret_len(plain), 0);
	assert_int_equal(aes256gcm_seal(short_key, iv, NULL, 0, NULL, 0, NULL, tag, &e), -1);
	assert_int_equal(err_class(e), ERR_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digests), cmocka_unit_test(test_digest_names), cmocka_unit_test(test_hmac),
		cmocka_unit_test(test_random),	cmocka_unit_test(test_gcm),	     cmocka_unit_test(test_gcm_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
