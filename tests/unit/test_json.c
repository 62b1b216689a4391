/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What the JSON door lets through, what it refuses and how it says so, and RFC 8785 text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/lib/mutate.h"
#include "wire/json.h"

#define MAX 4096

static json_t *parse_ok(const char *text)
{
	json_t *v = NULL;

	if (json_parse(text, strlen(text), MAX, false, &v, NULL) < 0)
		fail_msg("refused: %s", text);
	return v;
}

static void refuse(const char *text, size_t len, const char *word)
{
	_cleanup_err_ struct err *e = NULL;
	json_t *v = NULL;

	if (json_parse(text, len, MAX, false, &v, &e) == 0)
		fail_msg("accepted: %s", text);
	assert_null(v);
	assert_int_equal(err_class(e), ERR_INTEGRITY);
	assert_string_equal(err_id(e), "json");
	if (!strstr(err_message(e), word))
		fail_msg("%s: said \"%s\", expected \"%s\"", text, err_message(e), word);
}

static void test_refusals(void **state)
{
	static const char *const cases[][2] = {
		{ "", "empty" },
		{ " ", "ends too early" },
		{ "{\"a\":1", "ends too early" },
		{ "{\"a\":1}x", "follows" },
		{ "{\"a\":1}{}", "follows" },
		{ "{\"a\":1,\"a\":1}", "duplicate" },
		{ "{\"a\":{\"b\":1,\"b\":2}}", "duplicate" },
		{ "{\"a\":1,\"\\u0061\":1}", "duplicate" }, /* the same name, escaped */
		{ "\"\\u0000\"", "NUL" },
		{ "{\"\\u0000\":1}", "NUL" },
		{ "9223372036854775808", "out of range" }, /* bit 63 */
		{ "18446744073709551615", "out of range" },
		{ "-9223372036854775809", "out of range" },
		{ "1.0", "not an integer" },
		{ "[0,{\"x\":1e2}]", "not an integer" },
		{ "1e999", "out of range" },
		{ "01", "syntax" },
		{ "+1", "syntax" },
		{ "NaN", "syntax" },
		{ "'a'", "syntax" },
		{ "{a:1}", "syntax" },
		{ "[1,]", "syntax" },
		{ "\"\n\"", "syntax" },
		{ "// x\n1", "syntax" },
		{ "\"\xff\"", "UTF-8" },
		{ "\"\xc0\xaf\"", "UTF-8" },
		{ "\"\xed\xa0\x80\"", "UTF-8" },
		{ "\"\\ud800\"", "syntax" }, /* half a surrogate pair */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		refuse(cases[i][0], strlen(cases[i][0]), cases[i][1]);
	refuse("{}\0", 3, "NUL byte");
	refuse("\"a\0b\"", 5, "NUL byte");
}

static void test_size_limit(void **state)
{
	char text[MAX + 2];

	memset(text, ' ', sizeof(text));
	text[0] = '1';
	refuse(text, MAX + 1, "at most 4096");
	text[MAX] = '\0';
	json_decref(parse_ok(text));
}

/* Brackets inside strings do not count. */
static void test_depth_limit(void **state)
{
	char text[3 * JSON_DEPTH_MAX + 64];
	json_t *v;

	memset(text, '[', JSON_DEPTH_MAX);
	strcpy(text + JSON_DEPTH_MAX, "\"[[[[\\\"[[[[{{{{\"");
	memset(text + strlen(text) + 1, 0, 1);
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		strcat(text, "]");
	v = parse_ok(text);
	json_decref(v);
	memset(text, '[', JSON_DEPTH_MAX + 1);
	memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	refuse(text, 2 * JSON_DEPTH_MAX + 2, "32 levels");
	/* Far beyond what recursion would stand, if anything recursed. */
	memset(text, '{', sizeof(text));
	refuse(text, sizeof(text), "32 levels");
}

static void test_values_limit(void **state)
{
	size_t len = 2 * (size_t)JSON_VALUES_MAX + 3;
	_cleanup_err_ struct err *e = NULL;
	char *text = malloc(len);
	json_t *v = NULL;

	assert_non_null(text);
	for (size_t i = 0; i < len; i++)
		text[i] = i % 2 ? '1' : ',';
	text[0] = '[';
	text[len - 1] = ']';
	assert_int_equal(json_parse(text, len, len, false, &v, &e), -1);
	assert_non_null(strstr(err_message(e), "131072 values"));
	text[len - 3] = ']';
	assert_int_equal(json_parse(text, len - 2, len, false, &v, NULL), 0);
	assert_int_equal(json_array_size(v), JSON_VALUES_MAX);
	json_decref(v);
	free(text);
}

/* jansson would write: invalid token near 'hunter2'. */
static void test_messages_quote_nothing(void **state)
{
	static const char *const cases[] = { "{\"passphrase\":\"hunter2\",hunter2}", "hunter2", "{\"a\":\"hunter2\x01\"}",
					     "{\"a\":\"hunter2\xff\"}", "{\"hunter2\":1,\"hunter2\":1}", "[hunter2" };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_err_ struct err *e = NULL;
		json_t *v;

		assert_int_equal(json_parse(cases[i], strlen(cases[i]), MAX, false, &v, &e), -1);
		assert_null(strstr(err_message(e), "hunter"));
	}
}

static void test_reals_when_allowed(void **state)
{
	_cleanup_err_ struct err *e = NULL;
	_cleanup_buf_ struct buf b = BUF_INIT(64);
	_cleanup_json_ json_t *v = NULL;

	assert_int_equal(json_parse("[1.5]", 5, MAX, true, &v, NULL), 0);
	assert_int_equal(json_canonical(v, &b, &e), -1);
	assert_int_equal(err_class(e), ERR_INTEGRITY);
}

static void test_getters(void **state)
{
	_cleanup_json_ json_t *v = parse_ok("{\"s\":\"x\",\"n\":9223372036854775807,\"m\":-1,\"t\":true,\"o\":{},\"a\":[],\"z\":null}");
	_cleanup_err_ struct err *e1 = NULL, *e2 = NULL, *e3 = NULL;
	const char *s = "unset";
	uint64_t n = 77;
	json_t *sub;

	assert_int_equal(json_get_str(v, "it", "s", &s, NULL), 0);
	assert_string_equal(s, "x");
	assert_int_equal(json_get_u64(v, "it", "n", 0, INT64_MAX, &n, NULL), 0);
	assert_true(n == INT64_MAX);
	assert_int_equal(json_get_obj(v, "it", "o", &sub, NULL), 0);
	assert_int_equal(json_get_arr(v, "it", "a", &sub, NULL), 0);
	s = "unset";
	n = 77;
	assert_int_equal(json_get_str(v, "it", "n", &s, &e1), -1);
	assert_string_equal(err_message(e1), "it: n is not a string");
	assert_int_equal(json_get_str(v, "it", "gone", &s, &e2), -1);
	assert_string_equal(err_message(e2), "it has no member gone");
	assert_string_equal(s, "unset");
	assert_int_equal(json_get_u64(v, "it", "m", 0, UINT64_MAX, &n, &e3), -1);
	assert_non_null(strstr(err_message(e3), "-1"));
	assert_int_equal(json_get_u64(v, "it", "n", 0, INT64_MAX - 1, &n, NULL), -1);
	assert_int_equal(json_get_u64(v, "it", "t", 0, 1, &n, NULL), -1);
	assert_int_equal(json_get_u64(v, "it", "z", 0, 1, &n, NULL), -1);
	assert_int_equal(json_get_obj(v, "it", "a", &sub, NULL), -1);
	assert_int_equal(json_get_arr(v, "it", "o", &sub, NULL), -1);
	assert_int_equal(json_get_str(NULL, "it", "s", &s, NULL), -1);
	assert_int_equal(json_get_str(json_object_get(v, "a"), "it", "s", &s, NULL), -1);
	assert_true(n == 77);
}

static void expect_canonical(const char *text, const char *want)
{
	_cleanup_buf_ struct buf b = BUF_INIT(MAX);
	_cleanup_json_ json_t *v = parse_ok(text);

	assert_int_equal(json_canonical(v, &b, NULL), 0);
	assert_string_equal(buf_cstr(&b), want);
}

/* Appendix B.1 of upstream's canonicaliser (kbs-protocol.md 3.1), RFC 8785 3.2.2.2 and 3.2.3. */
static void test_canonical(void **state)
{
	expect_canonical(" { \"c\" : { \"d\" : \"e\" } , \"b\" : 1 , \"a\" : \"test\" } ", "{\"a\":\"test\",\"b\":1,\"c\":{\"d\":\"e\"}}");
	expect_canonical("[ true , false , null , -0 , -5 , [ ] , { } ]", "[true,false,null,0,-5,[],{}]");
	expect_canonical("\"\\u0001\\u001F\\u001f\\b\\t\\n\\u000b\\f\\r\\u007f\\u0080\"",
			 "\"\\u0001\\u001f\\u001f\\b\\t\\n\\u000b\\f\\r\x7f\xc2\x80\"");
	expect_canonical("\"\\/ \\\" \\\\ \\u20ac \\ud83d\\ude02\"", "\"/ \\\" \\\\ \xe2\x82\xac \xf0\x9f\x98\x82\"");
	/* The example of RFC 8785 3.2.3: carriage return, 1, U+0080, o umlaut, euro, emoji, U+FB33. */
	expect_canonical("{\"\\u20ac\":1,\"\\r\":2,\"\\ufb33\":3,\"1\":4,\"\\ud83d\\ude00\":5,\"\\u0080\":6,\"\\u00f6\":7}",
			 "{\"\\r\":2,\"1\":4,\"\xc2\x80\":6,\"\xc3\xb6\":7,\"\xe2\x82\xac\":1,\"\xf0\x9f\x98\x80\":5,\"\xef\xac\xb3\":3}");
	expect_canonical("{\"aa\":1,\"a\":2,\"\":3}", "{\"\":3,\"a\":2,\"aa\":1}");
	/* Not rounded to a double: SNP's policy words are integers of 64 bits. */
	expect_canonical("[9007199254740993,9223372036854775807,-9223372036854775808]",
			 "[9007199254740993,9223372036854775807,-9223372036854775808]");
}

static void test_compact_keeps_order(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(MAX), tight = BUF_INIT(4);
	_cleanup_json_ json_t *v = parse_ok("{ \"b\": 1, \"a\": [ \"x/y\" ] }");
	_cleanup_err_ struct err *e = NULL;

	assert_int_equal(json_compact(v, &b, NULL), 0);
	assert_string_equal(buf_cstr(&b), "{\"b\":1,\"a\":[\"x/y\"]}");
	assert_int_equal(json_compact(v, &tight, &e), -1);
	assert_int_equal(err_class(e), ERR_INTERNAL);
}

static void test_writer_is_bounded_too(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(MAX);
	_cleanup_json_ json_t *v = json_array();

	for (int i = 0; i < JSON_DEPTH_MAX + 1; i++) {
		json_t *outer = json_array();

		json_array_append_new(outer, v);
		v = outer;
	}
	assert_int_equal(json_canonical(v, &b, NULL), -1);
}

static void any_answer(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	_cleanup_json_ json_t *v = NULL;
	_cleanup_err_ struct err *e = NULL;
	_cleanup_buf_ struct buf b = BUF_INIT(MAX);

	if (json_parse((const char *)data, len, MAX, false, &v, &e) == 0)
		assert_int_equal(json_canonical(v, &b, NULL), 0);
	else
		assert_int_equal(err_class(e), ERR_INTEGRITY);
}

static void test_mutations(void **state)
{
	static const char text[] = "{\"a\":[1,-20,{\"\\u00e9\":\"\xc3\xa9\"}],\"b\":{\"c\":null,\"d\":true},\"e\":\"\\n\"}";

	mutate_bit_flips((const uint8_t *)text, 0, sizeof(text) - 1, sizeof(text) - 1, any_answer, NULL);
	mutate_truncations((const uint8_t *)text, sizeof(text) - 1, 1, any_answer, NULL);
}

/* Values made before the switch are freed after it, and texts of json_dumps() by plain free(). */
static void test_wiping_allocator(void **state)
{
	json_t *before = parse_ok("{\"k\":\"made before\"}"), *after;
	char *text;

	json_use_wiping_allocator();
	after = parse_ok("{\"k\":[\"made after\",1]}");
	text = json_dumps(before, JSON_COMPACT);
	assert_string_equal(text, "{\"k\":\"made before\"}");
	free(text);
	json_decref(before);
	json_decref(after);
	json_use_wiping_allocator();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_size_limit),
		cmocka_unit_test(test_depth_limit),
		cmocka_unit_test(test_values_limit),
		cmocka_unit_test(test_messages_quote_nothing),
		cmocka_unit_test(test_reals_when_allowed),
		cmocka_unit_test(test_getters),
		cmocka_unit_test(test_canonical),
		cmocka_unit_test(test_compact_keeps_order),
		cmocka_unit_test(test_writer_is_bounded_too),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_wiping_allocator),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
