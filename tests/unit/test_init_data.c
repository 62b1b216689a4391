/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Init-data and the TOML subset below it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/lib/mutate.h"
#include "wire/init_data.h"

#define HEAD "version = \"0.1.0\"\nalgorithm = \"sha384\"\n"

static const char full[] = "# made by hand\n"
			   "version = \"0.1.0\" # trailing\n"
			   "algorithm='sha256'\n"
			   "\n"
			   "[ data ]   # the only table\n"
			   "\t\"aa.toml\" = '''\n[token_configs]\nurl = 'x'\n'''\n"
			   "\"esc\" = \"a\\tb\\\"c\\\\d\\u00e9\\U0001F600\\n\"\n"
			   "'lit' = 'C:\\path\\n'\n"
			   "multi = \"\"\"\n\"quoted\" and \\\n     \n   joined\"\"\"\"\n"
			   "quotes = ''''x'''''\n"
			   "empty = \"\"\n"
			   "e2 = \"\"\"\"\"\"\n"
			   "\"trustee.kbs.resource\" = \"kbs:///a/b/c\"\r\n"
			   "last = \"no newline\"";

static void test_everything(void **state)
{
	uint8_t digest[DIGEST_MAX];
	struct init_data d;

	assert_int_equal(init_data_parse(full, strlen(full), &d, NULL), 0);
	assert_int_equal(d.alg, DIGEST_SHA256);
	assert_string_equal(init_data_get(&d, "aa.toml"), "[token_configs]\nurl = 'x'\n");
	assert_string_equal(init_data_get(&d, "esc"), "a\tb\"c\\d\xc3\xa9\xf0\x9f\x98\x80\n");
	assert_string_equal(init_data_get(&d, "lit"), "C:\\path\\n");
	assert_string_equal(init_data_get(&d, "multi"), "\"quoted\" and joined\"");
	assert_string_equal(init_data_get(&d, "quotes"), "'x''");
	assert_string_equal(init_data_get(&d, "empty"), "");
	assert_string_equal(init_data_get(&d, "e2"), "");
	assert_string_equal(init_data_get(&d, "trustee.kbs.resource"), "kbs:///a/b/c");
	assert_string_equal(init_data_get(&d, "last"), "no newline");
	assert_null(init_data_get(&d, "version"));
	assert_int_equal(digest_bytes(DIGEST_SHA256, full, strlen(full), digest, NULL), 0);
	assert_memory_equal(d.digest, digest, 32);
	init_data_clear(&d);
	assert_null(init_data_get(&d, "last"));
}

static void test_empty_data(void **state)
{
	static const char text[] = HEAD "[data]\n";
	struct init_data d;

	assert_int_equal(init_data_parse(text, strlen(text), &d, NULL), 0);
	assert_null(init_data_get(&d, "x"));
	init_data_clear(&d);
}

static void test_refusals(void **state)
{
	static const char *const cases[][2] = {
		{ "", "missing" },
		{ HEAD, "missing" },
		{ "version = \"0.1.0\"\n[data]\n", "missing" },
		{ "algorithm = \"sha256\"\n[data]\n", "missing" },
		{ "version = \"0.2.0\"\n", "line 1: version 0.2.0" },
		{ "version = \"0.1.0\"\nalgorithm = \"sm3\"\n", "line 2: unknown hash" },
		{ HEAD "extra = \"x\"\n[data]\n", "line 3: unexpected or repeated key extra" },
		{ HEAD "version = \"0.1.0\"\n", "line 3: unexpected or repeated key version" },
		{ HEAD "[data]\na = \"1\"\na = \"2\"\n", "line 5: key a appears twice" },
		{ HEAD "[data]\na = \"1\"\n\"a\" = \"2\"\n", "line 5: key a appears twice" },
		{ HEAD "[data]\n[data]\n", "line 4: unexpected or repeated table" },
		{ HEAD "[other]\n", "line 3: unexpected or repeated table [other]" },
		{ HEAD "[[data]]\n", "line 3: arrays of tables" },
		{ HEAD "[data.x]\n", "line 3: dotted" },
		{ HEAD "[data\n", "line 3: ] is expected" },
		{ HEAD "[data] x = \"1\"\n", "line 3: something follows" },
		{ HEAD "[data]\na.b = \"1\"\n", "line 4: dotted" },
		{ HEAD "[data]\na = 1\n", "line 4: a value in quotes" },
		{ HEAD "[data]\na = true\n", "line 4: a value in quotes" },
		{ HEAD "[data]\na = [\"x\"]\n", "line 4: a value in quotes" },
		{ HEAD "[data]\na = {b = \"x\"}\n", "line 4: a value in quotes" },
		{ HEAD "[data]\na = \n", "line 4: a value in quotes" },
		{ HEAD "[data]\na \"x\"\n", "line 4: = is expected" },
		{ HEAD "[data]\n= \"x\"\n", "line 4: a key is expected" },
		{ HEAD "[data]\n'''a''' = \"x\"\n", "line 4: a key cannot" },
		{ HEAD "[data]\na = \"x\" \"y\"\n", "line 4: something follows" },
		{ HEAD "[data]\na = \"x\n\"\n", "line 4: string is not closed on its line" },
		{ HEAD "[data]\na = \"x", "line 4: string is not closed" },
		{ HEAD "[data]\na = '''x\n\n", "line 4: string is not closed" },
		{ HEAD "[data]\na = '''\nx\n\x01'''\n", "line 6: control character in a string" },
		{ HEAD "[data]\na = \"\"\"\nx\n\\q\"\"\"\n", "line 6: unknown escape" },
		{ HEAD "[data]\na = \"\\q\"\n", "line 4: unknown escape" },
		{ HEAD "[data]\na = \"\\u12g4\"\n", "line 4: bad \\u" },
		{ HEAD "[data]\na = \"\\u0000\"\n", "line 4: \\u escape of no usable" },
		{ HEAD "[data]\na = \"\\ud800\"\n", "line 4: \\u escape of no usable" },
		{ HEAD "[data]\na = \"\\U00110000\"\n", "line 4: \\u escape of no usable" },
		{ HEAD "[data]\na = \"x\x7f\"\n", "line 4: control character" },
		{ HEAD "[data]\n# \x01\n", "line 4: control character in a comment" },
		{ HEAD "[data]\na = \"x\"\ry = \"z\"\n", "line 4: something follows" },
		{ HEAD "[data]\na = '''x''''''\n", "line 4: something follows" },
		{ HEAD "[data]\na = \"\xff\"\n", "not UTF-8" },
		{ "\xef\xbb\xbf" HEAD "[data]\n", "line 1: a key is expected" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_err_ struct err *e = NULL;
		struct init_data d;

		if (init_data_parse(cases[i][0], strlen(cases[i][0]), &d, &e) == 0)
			fail_msg("accepted: %s", cases[i][0]);
		assert_int_equal(err_class(e), ERR_INTEGRITY);
		assert_string_equal(err_id(e), "init-data");
		if (!strstr(err_message(e), cases[i][1]))
			fail_msg("said \"%s\", expected \"%s\"", err_message(e), cases[i][1]);
	}
}

static void test_limits(void **state)
{
	_cleanup_err_ struct err *size = NULL, *keys = NULL, *key = NULL, *nul = NULL;
	char *text = calloc(1, INIT_DATA_MAX + 2);
	struct init_data d;
	size_t n;

	memset(text, '#', INIT_DATA_MAX + 1);
	assert_int_equal(init_data_parse(text, INIT_DATA_MAX + 1, &d, &size), -1);
	assert_non_null(strstr(err_message(size), "at most 262144"));
	n = (size_t)sprintf(text, HEAD "[data]\n");
	for (int i = 0; i < 257; i++)
		n += (size_t)sprintf(text + n, "k%d = \"\"\n", i);
	assert_int_equal(init_data_parse(text, n, &d, &keys), -1);
	assert_non_null(strstr(err_message(keys), "more than 256 keys"));
	n = (size_t)sprintf(text, HEAD "[data]\n%0*d = \"\"\n", 257, 0);
	assert_int_equal(init_data_parse(text, n, &d, &key), -1);
	assert_non_null(strstr(err_message(key), "key is too long"));
	n = (size_t)sprintf(text, HEAD "[data]\n");
	assert_int_equal(init_data_parse(text, n + 1, &d, &nul), -1); /* with its NUL */
	assert_non_null(strstr(err_message(nul), "not UTF-8 text"));
	free(text);
}

/* Truncated for HOST_DATA, padded for MRCONFIGID; every byte of the field counts. */
static void test_matches(void **state)
{
	static const char *const algs[] = { "sha256", "sha384", "sha512" };

	for (size_t i = 0; i < ARRAY_SIZE(algs); i++) {
		uint8_t host[32] = { 0 }, mr[48] = { 0 };
		struct init_data d;
		char text[128];
		size_t n;

		snprintf(text, sizeof(text), "version = \"0.1.0\"\nalgorithm = \"%s\"\n[data]\n", algs[i]);
		assert_int_equal(init_data_parse(text, strlen(text), &d, NULL), 0);
		n = digest_size(d.alg);
		memcpy(host, d.digest, 32);
		memcpy(mr, d.digest, n < 48 ? n : 48);
		assert_true(init_data_matches(&d, host, 32));
		assert_true(init_data_matches(&d, mr, 48));
		host[31] ^= 1;
		mr[47] ^= 1;
		assert_false(init_data_matches(&d, host, 32));
		assert_false(init_data_matches(&d, mr, 48));
		init_data_clear(&d);
	}
}

static void any_answer(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	_cleanup_err_ struct err *e = NULL;
	struct init_data d;

	if (init_data_parse((const char *)data, len, &d, &e) == 0)
		init_data_clear(&d);
	else
		assert_int_equal(err_class(e), ERR_INTEGRITY);
}

static void test_mutations(void **state)
{
	mutate_bit_flips((const uint8_t *)full, 0, strlen(full), strlen(full), any_answer, NULL);
	mutate_truncations((const uint8_t *)full, strlen(full), 1, any_answer, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything), cmocka_unit_test(test_empty_data), cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_limits),	   cmocka_unit_test(test_matches),    cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
