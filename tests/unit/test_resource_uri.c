/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "wire/resource_uri.h"

static void test_spellings(void **state)
{
	static const char *const cases[][2] = {
		{ "default/web-042/root", "/resource/default/web-042/root" },
		{ "kbs:///default/web-042/root", "/resource/default/web-042/root" },
		{ "kbs+resource:///a/b_1/-c.d", "/resource/a/b_1/-c.d" },
		{ "kbs+provisioner:///default/6f1c2d3e-0000-4000-8000-000000000000/root",
		  "/provisioner/default/6f1c2d3e-0000-4000-8000-000000000000/root" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct resource_uri uri;
		char path[300];

		assert_int_equal(resource_uri_parse(cases[i][0], &uri, NULL), 0);
		assert_int_equal(resource_uri_http_path(&uri, path, sizeof(path), NULL), 0);
		assert_string_equal(path, cases[i][1]);
	}
}

static void test_refusals(void **state)
{
	static const char *const cases[][2] = {
		{ "", "\"\" is not a valid path segment" },
		{ "a/b", "three segments" },
		{ "a/b/c/d", "three segments" },
		{ "a//c", "\"\" is not a valid path segment" },
		{ "/a/b/c", "\"\" is not" },
		{ "a/b/c/", "\"\" is not" },
		{ "a/../c", "\"..\" is not" },
		{ "a/.hidden/c", "\".hidden\" is not" },
		{ "a/b%2fc/d", "\"b%2fc\" is not" },
		{ "a/b c/d", "\"b c\" is not" },
		{ "a/${luks.uuid}/d", "is not a valid path segment" }, /* a template that nobody filled in */
		{ "a/b/c?x=1", "query" },
		{ "a/b/c#x", "is not" },
		{ "kbs://host/a/b/c", "host in the name" },
		{ "kbs:/a/b/c", "\"kbs:\" is not" },
		{ "https://host/a/b/c", "scheme" },
		{ "kbs+pkcs11:///a/b/c", "neither resource nor provisioner" },
		{ "kbs+:///a/b/c", "plugin" },
		{ "kbs+a-plugin-name-longer-than-31-bytes:///a/b/c", "plugin" },
		{ "a/0123456789012345678901234567890123456789012345678901234567890123456789/c", "is not" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct resource_uri uri;
		_cleanup_err_ struct err *e = NULL;

		if (resource_uri_parse(cases[i][0], &uri, &e) == 0)
			fail_msg("accepted %s", cases[i][0]);
		assert_int_equal(err_class(e), ERR_CONFIG);
		if (!strstr(err_message(e), cases[i][1]))
			fail_msg("%s: said \"%s\"", cases[i][0], err_message(e));
		assert_true(*err_hint_text(e));
	}
}

static void test_longest(void **state)
{
	char text[64 * 3 + 3], path[256];
	struct resource_uri uri;

	memset(text, 'a', sizeof(text));
	text[64] = text[129] = '/';
	text[194] = '\0';
	assert_int_equal(resource_uri_parse(text, &uri, NULL), 0);
	assert_string_equal(uri.path, text);
	assert_int_equal(resource_uri_http_path(&uri, path, sizeof(path), NULL), 0);
	assert_int_equal(resource_uri_http_path(&uri, path, 100, NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
