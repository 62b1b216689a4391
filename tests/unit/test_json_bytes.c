/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* json_parse_bytes(): the same values as json_parse(), with arrays of bytes as one value each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/json_expand.h"
#include "tests/lib/mutate.h"

#define MAX 65536
#define SIXTEEN "0,1,2,3,4,5,6,7,8,9,10,99,100,199,200,255"
#define FIFTEEN "0,1,2,3,4,5,6,7,8,9,10,99,100,199,200"

/* Both readers on the same text: never another value, and refused only together. */
static void compare(const char *text, size_t len, const char *what)
{
	json_t *plain = NULL, *packed = NULL, *again = NULL;
	struct err *e = NULL, *e2 = NULL;
	int a = json_parse(text, len, MAX, false, &plain, &e), b = json_parse_bytes(text, len, MAX, &packed, &e2);

	if (a != b && !strstr(err_message(e2), "control character"))
		fail_msg("%s: json_parse %d (%s), json_parse_bytes %d (%s)", what, a, err_message(e), b, err_message(e2));
	if (b < 0)
		assert_int_equal(err_class(e2), ERR_INTEGRITY);
	if (a == 0 && b == 0) {
		again = json_expand(packed);
		if (!json_equal(plain, again))
			fail_msg("%s: another value", what);
	}
	err_free(e);
	err_free(e2);
	json_decref(plain);
	json_decref(packed);
	json_decref(again);
}

static void test_same_values(void **state)
{
	static const char *const texts[] = {
		"[" SIXTEEN "]",
		" [ 0 , 1 ,\t2,3,4,5,6,7,8,9,10,99,100,199,200\n,\r255 ] ",
		"{\"a\":[" SIXTEEN "],\"b\":[[" SIXTEEN "],[" SIXTEEN ",1]],\"c\":\"[" SIXTEEN "]\"}",
		"[[" SIXTEEN "],\"\\\"\",[" SIXTEEN "],\"\\\\\",[" SIXTEEN "]]",
		"{\"a\":[" SIXTEEN "],\"a\":[" SIXTEEN "]}",
		"[" FIFTEEN "]",
		"[" SIXTEEN ",256]",
		"[" SIXTEEN ",-1]",
		"[" SIXTEEN ",1.0]",
		"[" SIXTEEN ",1e1]",
		"[" SIXTEEN ",01]",
		"[" SIXTEEN ",00]",
		"[" SIXTEEN ",1000]",
		"[" SIXTEEN ",]",
		"[," SIXTEEN "]",
		"[" SIXTEEN ",\"x\"]",
		"[" SIXTEEN ",[" SIXTEEN "]]",
		"[" SIXTEEN " 1]",
		"[" SIXTEEN,
		"[" SIXTEEN "]]",
		"\"[" SIXTEEN "]",
		"\"\\u0001",
		"\"x\\u00010\"",
		"{\"[" SIXTEEN "]\":1}",
		"[]",
		"[",
		"\"",
		"\"\\",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		compare(texts[i], strlen(texts[i]), texts[i]);
}

/* A reference into the table of bytes cannot be written by hand. */
static void test_forged_reference(void **state)
{
	static const char *const texts[] = { "\"\\u00010\"", "[[" SIXTEEN "],\"\\u00010\"]", "{\"\\u00010\":[" SIXTEEN "]}",
					     "[\"\\u0001\"]", "\"\\u00019999999999999999999\"" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct err *e = NULL;
		json_t *v;

		if (json_parse_bytes(texts[i], strlen(texts[i]), MAX, &v, &e) == 0)
			fail_msg("accepted %s", texts[i]);
		assert_int_equal(err_class(e), ERR_INTEGRITY);
		err_free(e);
	}
	json_t *v;
	assert_true(json_parse_bytes("\"\x01\x30\"", 4, MAX, &v, NULL) < 0);
}

/* Bytes where text belongs are not text. */
static void test_not_a_string(void **state)
{
	const char *text = "{\"a\":[" SIXTEEN "],\"b\":\"x\"}", *s;
	const uint8_t *bytes;
	size_t n;
	json_t *v;

	(void)state;
	assert_int_equal(json_parse_bytes(text, strlen(text), MAX, &v, NULL), 0);
	assert_true(json_get_str(v, "v", "a", &s, NULL) < 0);
	assert_int_equal(json_get_str(v, "v", "b", &s, NULL), 0);
	assert_true(json_bytes(json_object_get(v, "a"), &bytes, &n));
	assert_int_equal(n, 16);
	assert_int_equal(bytes[15], 255);
	assert_false(json_bytes(json_object_get(v, "b"), &bytes, &n));
	assert_false(json_bytes(NULL, &bytes, &n));
	json_decref(v);
}

static void mutated(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	(void)ctx;
	compare((const char *)data, len, what);
}

static void test_mutations(void **state)
{
	static const char text[] = "{\"a\":[" SIXTEEN "],\"b\":[[ " SIXTEEN " ],\"c\"]}";

	(void)state;
	mutate_bit_flips((const uint8_t *)text, 0, sizeof(text) - 1, sizeof(text) - 1, mutated, NULL);
	mutate_truncations((const uint8_t *)text, sizeof(text) - 1, 1, mutated, NULL);
}

static void test_limits(void **state)
{
	json_t *v;

	(void)state;
	assert_true(json_parse_bytes("", 0, MAX, &v, NULL) < 0);
	assert_true(json_parse_bytes("[1]", 3, 2, &v, NULL) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_values), cmocka_unit_test(test_forged_reference),
		cmocka_unit_test(test_not_a_string), cmocka_unit_test(test_mutations), cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
