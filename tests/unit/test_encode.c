/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"

/* RFC 4648 section 10. */
static void vectors(void **state)
{
	static const char *const v[][2] = { { "", "" },		    { "f", "Zg==" },	   { "fo", "Zm8=" },
					    { "foo", "Zm9v" },	    { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
					    { "foobar", "Zm9vYmFy" } };

	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		size_t n = strlen(v[i][0]), m = 99;
		_cleanup_free_ char *padded = b64_encode_dup(B64_STD, v[i][0], n);
		_cleanup_free_ char *bare = b64_encode_dup(B64_URL, v[i][0], n);
		uint8_t out[8];

		assert_string_equal(padded, v[i][1]);
		assert_int_equal(b64_encoded_len(B64_STD, n), strlen(padded));
		assert_int_equal(b64_encoded_len(B64_URL, n), strlen(bare));
		assert_int_equal(strlen(bare), strcspn(v[i][1], "="));
		assert_int_equal(b64_decode(B64_STD, padded, strlen(padded), out, n, &m, NULL), 0);
		assert_int_equal(m, n);
		assert_memory_equal(out, v[i][0], n);
		assert_int_equal(b64_decode(B64_URL_PAD, padded, strlen(padded), out, n, &m, NULL), 0);
		assert_int_equal(b64_decode(B64_URL, bare, strlen(bare), out, n, &m, NULL), 0);
		assert_int_equal(m, n);
	}
}

static void alphabets(void **state)
{
	static const uint8_t data[] = { 0xfb, 0xff, 0xbf };
	uint8_t out[3];
	size_t n;
	char text[8];

	b64_encode(B64_STD, data, 3, text);
	assert_string_equal(text, "+/+/");
	assert_true(b64_decode(B64_URL, text, 4, out, 3, &n, NULL) < 0);
	b64_encode(B64_URL, data, 3, text);
	assert_string_equal(text, "-_-_");
	assert_true(b64_decode(B64_STD, text, 4, out, 3, &n, NULL) < 0);
	assert_int_equal(b64_decode(B64_URL, text, 4, out, 3, &n, NULL), 0);
	assert_memory_equal(out, data, 3);
}

static void wrong_base64(void **state)
{
	static const struct {
		enum b64_form form;
		const char *text;
	} bad[] = {
		{ B64_STD, "Zg" },	 { B64_STD, "Zg=" },   { B64_STD, "Zg===" }, { B64_STD, "=" },	     { B64_STD, "====" },
		{ B64_STD, "Z===" },	 { B64_STD, "Zh==" },  { B64_STD, "Zm9=" },  { B64_STD, "Zm 9v" },   { B64_STD, "Zm9v\n" },
		{ B64_STD, " Zm9v" },	 { B64_STD, "Zg==Zg==" }, { B64_STD, "Z=g=" }, { B64_URL, "Zg==" },    { B64_URL, "Z" },
		{ B64_URL, "Zh" },	 { B64_URL, "Zm9" },   { B64_URL, "Zm9vY" }, { B64_URL_PAD, "Zg" }, { B64_STD, "Zm\xc3\xa4" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_err_ struct err *e = NULL;
		uint8_t out[16];
		size_t n = 77;

		if (b64_decode(bad[i].form, bad[i].text, strlen(bad[i].text), out, sizeof(out), &n, &e) == 0)
			fail_msg("accepted \"%s\"", bad[i].text);
		assert_int_equal(err_class(e), ERR_INTEGRITY);
		assert_string_equal(err_id(e), "base64");
		assert_int_equal(n, 77);
	}
}

static void capacity(void **state)
{
	uint8_t out[4] = { 0, 0, 0, 0x55 };
	size_t n;
	_cleanup_free_ uint8_t *dup = NULL;

	assert_true(b64_decode(B64_STD, "Zm9vYg==", 8, out, 3, &n, NULL) < 0);
	assert_int_equal(out[3], 0x55);
	assert_int_equal(b64_decode_dup(B64_STD, "Zm9vYg==", 8, &dup, &n, NULL), 0);
	assert_int_equal(n, 4);
	assert_memory_equal(dup, "foob", 4);
}

/* Each text of the right length decodes to bytes that encode to the same text, or is refused. */
static void one_text_per_value(void **state)
{
	for (unsigned int i = 0; i < 65536; i++) {
		char text[5] = { (char)(i >> 8), (char)i, '=', '=', 0 }, back[5];
		uint8_t out[3];
		size_t n;

		if (b64_decode(B64_STD, text, 4, out, 3, &n, NULL) < 0)
			continue;
		b64_encode(B64_STD, out, n, back);
		assert_string_equal(text, back);
	}
}

static void hex(void **state)
{
	static const char *const bad[] = { "0", "0g", "000", "0000", " 0", "0x", "" };
	_cleanup_free_ char *dup = hex_encode_dup("\x00\xab\xff", 3);
	uint8_t out[3];

	assert_string_equal(dup, "00abff");
	assert_int_equal(hex_decode("00aBFf", 6, out, 3, NULL), 0);
	assert_memory_equal(out, "\x00\xab\xff", 3);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_err_ struct err *e = NULL;

		assert_true(hex_decode(bad[i], strlen(bad[i]), out, 1, &e) < 0);
		assert_int_equal(err_class(e), ERR_INTEGRITY);
		assert_string_equal(err_id(e), "hex");
	}
	assert_memory_equal(out, "\x00\xab\xff", 3);
	assert_int_equal(hex_decode("", 0, out, 0, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),  cmocka_unit_test(alphabets),	  cmocka_unit_test(wrong_base64),
		cmocka_unit_test(capacity), cmocka_unit_test(one_text_per_value), cmocka_unit_test(hex),
	};

	return cmocka_run_group_tests_name("encode", tests, NULL, NULL);
}
