/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The effective configuration as text and JSON, with where each line came from; the table of keywords. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "config/parse.h"
#include "tests/unit/config_text.h"
#include "wire/json.h"

static void show_ini(void **state)
{
	static const char text[] = "[agent]\ncap = off\n" KBS "url = https://kbs2\n" ROOT "required = no\n";
	struct config *c = good(text), *again;
	_cleanup_buf_ struct buf a = BUF_INIT(65536), b = BUF_INIT(65536);

	assert_int_equal(config_show(c, false, &a, NULL), 0);
	assert_non_null(strstr(buf_cstr(&a), "; default\ndeadline = 10m\n"));
	assert_non_null(strstr(buf_cstr(&a), "; f:2\ncap = off\n"));
	assert_non_null(strstr(buf_cstr(&a), "; f:4\nurl = https://kbs1.example:8443\n; f:6\nurl = https://kbs2\n"));
	assert_non_null(strstr(buf_cstr(&a), "; f:7\n[volume root]\n"));
	assert_non_null(strstr(buf_cstr(&a), "; default\nwait = 30s\n"));
	assert_null(strstr(buf_cstr(&a), "vk-id"));
	/* What is shown is a configuration: the same one. */
	again = good(buf_cstr(&a));
	assert_int_equal(again->cap, CAP_OFF);
	assert_int_equal(config_show(again, false, &b, NULL), 0);
	config_free(again);
	config_free(c);
	c = good(KBS ROOT);
	buf_reset(&a);
	assert_int_equal(config_show(c, false, &a, NULL), 0);
	assert_null(strstr(buf_cstr(&a), "wait"));
	assert_null(strstr(buf_cstr(&a), "[vtpm]"));
	config_free(good(buf_cstr(&a)));
	config_free(c);
	c = good(VTPM);
	buf_reset(&a);
	assert_int_equal(config_show(c, false, &a, NULL), 0);
	assert_non_null(strstr(buf_cstr(&a), "; f:1\n[vtpm]\n; default\nbank = sha256\n; f:2\npcrs = 4 7 9\n; default\ncap-pcr = 15\n"));
	again = good(buf_cstr(&a));
	assert_int_equal(again->vtpm.pcrs, c->vtpm.pcrs);
	config_free(again);
	config_free(c);
}

static const char *text_at(const json_t *root, const char *section, size_t i, const char *key, const char *what)
{
	const json_t *s = json_object_get(root, section);

	if (json_is_array(s))
		s = json_array_get(s, i);
	s = json_object_get(json_object_get(s, "settings"), key);
	if (json_is_array(s))
		s = json_array_get(s, 0);
	return json_string_value(json_object_get(s, what));
}

static void show_json(void **state)
{
	struct config *c = good("[agent]\ncap = off\n" KBS ROOT);
	_cleanup_buf_ struct buf b = BUF_INIT(65536);
	_cleanup_json_ json_t *root = NULL;

	assert_int_equal(config_show(c, true, &b, NULL), 0);
	assert_int_equal(json_parse((const char *)b.data, b.len, 65536, false, &root, NULL), 0);
	assert_string_equal(text_at(root, "agent", 0, "cap", "value"), "off");
	assert_string_equal(text_at(root, "agent", 0, "cap", "origin"), "f:2");
	assert_string_equal(text_at(root, "agent", 0, "deadline", "origin"), "default");
	assert_string_equal(text_at(root, "kbs", 0, "url", "value"), "https://kbs1.example:8443");
	assert_string_equal(text_at(root, "volume", 0, "device", "origin"), "f:7");
	assert_null(text_at(root, "volume", 0, "vk-id", "value"));
	assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(root, "volume"), 0), "name")), "root");
	assert_true(json_is_null(json_object_get(root, "vtpm")));
	config_free(c);
	json_decref(root);
	buf_reset(&b);
	c = good(VTPM);
	assert_int_equal(config_show(c, true, &b, NULL), 0);
	assert_int_equal(json_parse((const char *)b.data, b.len, 65536, false, &root, NULL), 0);
	assert_string_equal(text_at(root, "vtpm", 0, "pcrs", "value"), "4 7 9");
	assert_string_equal(text_at(root, "vtpm", 0, "cap-pcr", "origin"), "default");
	config_free(c);
}

/* Every key says what it is, and every default is one of its own values. */
static void keyword_table(void **state)
{
	for (const struct keyword *kw = config_keywords; kw->name; kw++) {
		assert_true(kw->doc && *kw->doc && kw->allowed && *kw->allowed);
		for (const struct keyword *o = config_keywords; o != kw; o++)
			assert_false(o->scope == kw->scope && strcmp(o->name, kw->name) == 0);
		assert_ptr_equal(keyword_find(kw->scope, kw->name), kw);
		if (kw->values && kw->type != KW_LIST)
			assert_true(!kw->def || strv_has((char *const *)kw->values, kw->def));
	}
	assert_null(keyword_find(SCOPE_AGENT, "url"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(show_ini), cmocka_unit_test(show_json), cmocka_unit_test(keyword_table) };

	log_init("test", LOGL_ERROR, false);
	return cmocka_run_group_tests_name("config_show", tests, NULL, NULL);
}
