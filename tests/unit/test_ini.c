/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/ini.h"

static int record(const struct ini_line *l, void *ctx, struct err **err)
{
	struct buf *b = ctx;

	if (l->key && strcmp(l->key, "refuse") == 0)
		return err_set(err, ERR_CONFIG, "mine", "no such key");
	if (l->key)
		buf_printf(b, "%u[%s@%u]{%s}={%s};", l->line, l->section, l->section_line, l->key, l->value);
	else
		buf_printf(b, "%u[%s];", l->line, l->section);
	return 0;
}

static void check(const char *text, const char *want)
{
	_cleanup_buf_ struct buf b = BUF_INIT(65536);
	_cleanup_err_ struct err *e = NULL;

	if (ini_parse("f", text, strlen(text), record, &b, &e) < 0)
		fail_msg("%s", err_message(e));
	assert_string_equal(buf_cstr(&b), want);
}

static void refuse(const char *text, size_t len, const char *want)
{
	_cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
	_cleanup_err_ struct err *e = NULL;

	assert_true(ini_parse("f", text, len, record, &b, &e) < 0);
	assert_int_equal(err_class(e), ERR_CONFIG);
	assert_string_equal(err_message(e), want);
}

static void grammar(void **state)
{
	check("", "");
	check("\n\n# c\n ; c\n", "");
	check("[a]", "1[a];");
	check("[ a b ]\nk=v", "1[a b];2[a b@1]{k}={v};");
	check("[a]\n  k  =  v w  \n", "1[a];2[a@1]{k}={v w};");
	check("[a]\nk=\nk = \n", "1[a];2[a@1]{k}={};3[a@1]{k}={};");
	check("[a]\nk = a=b # not a comment\n", "1[a];2[a@1]{k}={a=b # not a comment};");
	check("[a]\nk = \"q\" \\\nm = 1\n", "1[a];2[a@1]{k}={\"q\" \\};3[a@1]{m}={1};");
	check("[a]\n\n[b]\nk=1\n[a]\nk=2\n", "1[a];3[b];4[b@3]{k}={1};5[a];6[a@5]{k}={2};");
	check("[a]\nk = \xc3\xa4 \xe2\x82\xac \xf0\x9f\x94\x91\n", "1[a];2[a@1]{k}={\xc3\xa4 \xe2\x82\xac \xf0\x9f\x94\x91};");
}

static void errors(void **state)
{
	static const struct {
		const char *text, *want;
	} bad[] = {
		{ "k=v", "f:1: a key before the first [section]" },
		{ "\n[a", "f:2: section line without ] at its end" },
		{ "[", "f:1: section line without ] at its end" },
		{ "[a] x", "f:1: section line without ] at its end" },
		{ "[]", "f:1: empty section name" },
		{ "[ \t]", "f:1: empty section name" },
		{ "[a[b]", "f:1: bracket in a section name" },
		{ "[a]\nword\n", "f:2: neither [section] nor key = value" },
		{ "[a]\n = v\n", "f:2: no key before =" },
		{ "[a]\r\n", "f:1: carriage return: save the file with Unix line ends" },
		{ "[a]\nk=\x01\n", "f:2: control character" },
		{ "[a]\nk=\x7f\n", "f:2: control character" },
		{ "# \x1b[2J\n", "f:1: control character" },
		{ "[a]\nk=\xff\n", "f:2: text that is not UTF-8" },
		{ "[a]\nk=\xc0\xaf\n", "f:2: text that is not UTF-8" },
		{ "[a]\nk=\xe0\x80\xaf\n", "f:2: text that is not UTF-8" },
		{ "[a]\nk=\xed\xa0\x80\n", "f:2: text that is not UTF-8" },
		{ "[a]\nk=\xf4\x90\x80\x80\n", "f:2: text that is not UTF-8" },
		{ "[a]\nk=\xe2\x82\n", "f:2: text that is not UTF-8" },
		{ "[a]\nrefuse=1\n", "f:2: no such key" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		refuse(bad[i].text, strlen(bad[i].text), bad[i].want);
	refuse("[a]\nk=\0\n", 8, "f:2: control character");
}

static void long_lines(void **state)
{
	size_t n = 64 * 1024 + 5;
	_cleanup_free_ char *text = malloc(n);
	_cleanup_buf_ struct buf b = BUF_INIT(1 << 20);

	memset(text, 'v', n);
	memcpy(text, "[a]\nk=", 6);
	refuse(text, n, "f:2: line longer than 64 KiB");
	assert_int_equal(ini_parse("f", text, n - 1, record, &b, NULL), 0);
	assert_int_equal(b.len, strlen("1[a];2[a@1]{k}={};") + n - 1 - 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grammar),
		cmocka_unit_test(errors),
		cmocka_unit_test(long_lines),
	};

	return cmocka_run_group_tests_name("ini", tests, NULL, NULL);
}
