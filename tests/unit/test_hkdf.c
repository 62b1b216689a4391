/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* HKDF against RFC 5869, and the passphrase of kbs+vtpm against its definition, computed by hand with HMAC. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "crypto/digest.h"
#include "crypto/hkdf.h"

#define UUID "6f1c2d3e-1111-4222-8333-444455556666"

static struct secret *bytes(const void *data, size_t len)
{
	struct secret *s = NULL;

	assert_int_equal(secret_from(data, len, &s, NULL), 0);
	return s;
}

/* RFC 5869 A.1 and A.3 (no salt, no info). */
static void vectors(void **state)
{
	static const struct {
		const char *salt, *info, *okm;
	} v[] = { { "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
		    "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865" },
		  { "", "", "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8" } };
	_cleanup_secret_ struct secret *ikm = bytes("\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b", 22);

	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		uint8_t salt[13], info[10], want[42];
		_cleanup_secret_ struct secret *okm = NULL;

		assert_int_equal(hex_decode(v[i].salt, strlen(v[i].salt), salt, strlen(v[i].salt) / 2, NULL), 0);
		assert_int_equal(hex_decode(v[i].info, strlen(v[i].info), info, strlen(v[i].info) / 2, NULL), 0);
		assert_int_equal(hex_decode(v[i].okm, 84, want, 42, NULL), 0);
		assert_int_equal(hkdf_sha256(ikm, salt, strlen(v[i].salt) / 2, info, strlen(v[i].info) / 2, 42, &okm, NULL), 0);
		assert_memory_equal(secret_cdata(okm), want, 42);
	}
}

/* Extract with a key of zeros, then one block of expand. */
static void as_defined(void **state)
{
	static const uint8_t zeros[32];
	static const char info[] = "cryptattest:kbs+vtpm:v1\0" UUID "\0root\x01";
	_cleanup_secret_ struct secret *kbs = bytes("the broker's part", 17), *tpm = bytes("the TPM's 16 byte", 17), *got = NULL;
	_cleanup_secret_ struct secret *zero_key = bytes(zeros, 32), *prk_key = NULL;
	uint8_t ikm[42] = "\0\0\0\x11the broker's part\0\0\0\x11the TPM's 16 byte", prk[32], okm[32];
	char text[45];

	assert_int_equal(hmac_sha256(zero_key, ikm, 42, prk, NULL), 0);
	prk_key = bytes(prk, 32);
	assert_int_equal(hmac_sha256(prk_key, info, sizeof(info) - 1, okm, NULL), 0);
	b64_encode(B64_STD, okm, 32, text);
	assert_int_equal(both_parts_passphrase(kbs, tpm, UUID, "root", &got, NULL), 0);
	assert_int_equal(secret_len(got), 44);
	assert_memory_equal(secret_cdata(got), text, 44);
}

/* Every input counts, and a byte that moves from one part to the other too. */
static void all_inputs_count(void **state)
{
	_cleanup_secret_ struct secret *a = bytes("0123456789abcdefX", 17), *a16 = bytes("0123456789abcdef", 16),
				       *b = bytes("Y0123456789abcdef", 17), *b18 = bytes("XY0123456789abcdef", 18), *first = NULL;
	const struct {
		const struct secret *kbs, *tpm;
		const char *uuid, *name;
	} other[] = { { b, a, UUID, "root" }, { a, a, UUID, "root" }, { a, b, UUID, "roo" }, { a, b, "7" UUID, "root" }, { a16, b18, UUID, "root" } };

	assert_int_equal(both_parts_passphrase(a, b, UUID, "root", &first, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
		_cleanup_secret_ struct secret *s = NULL;

		assert_int_equal(both_parts_passphrase(other[i].kbs, other[i].tpm, other[i].uuid, other[i].name, &s, NULL), 0);
		assert_false(secret_equal(first, s));
	}
}

static void short_parts(void **state)
{
	_cleanup_secret_ struct secret *good = bytes("0123456789abcdef", 16), *bad = bytes("0123456789abcde", 15), *s = NULL;

	for (int i = 0; i < 2; i++) {
		_cleanup_err_ struct err *e = NULL;

		assert_int_equal(both_parts_passphrase(i ? bad : good, i ? good : bad, UUID, "root", &s, &e), -1);
		assert_int_equal(err_class(e), ERR_INTEGRITY);
		assert_string_equal(err_id(e), "both-parts");
		assert_null(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(vectors), cmocka_unit_test(as_defined), cmocka_unit_test(all_inputs_count),
					    cmocka_unit_test(short_parts) };

	return cmocka_run_group_tests_name("hkdf", tests, NULL, NULL);
}
