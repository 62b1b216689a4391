/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What `document` and `check` are made of: secret document and pins from a real volume, findings as text and JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "luks/check_report.h"
#include "luks/document_make.h"
#include "tests/headers/edit.h"
#include "tests/headers/image.h"
#include "wire/json.h"

static const struct luks_policy strict = { .profile = LUKS_STRICT }, compat = { .profile = LUKS_COMPAT };

static int make(const char *image, const struct luks_policy *policy, const char *name, const char *pass, int keyslot,
		struct secret_document *doc, struct err **err)
{
	_cleanup_secret_ struct secret *s = NULL;
	struct luks_device dev;
	int r;

	assert_int_equal(secret_from(pass, strlen(pass), &s, NULL), 0);
	image_device(image, &dev);
	r = luks_document_make(&dev, policy, name, s, keyslot, doc, err);
	device_close(&dev);
	return r;
}

/* The document that we make is one that the agent takes, and says the same after the way over text. */
static void test_document(void **state)
{
	_cleanup_buf_ struct buf pins = BUF_INIT(4096);
	struct secret_document doc = { 0 }, back = { 0 };
	struct secret *text = NULL;
	struct err *e = NULL;
	char want[512];

	if (make("base", &strict, "root", IMAGE_PASS, -1, &doc, &e) < 0)
		fail_msg("%s", err_message(e));
	assert_true(doc.is_document);
	assert_string_equal(doc.name, "root");
	assert_int_equal(strlen(doc.uuid), 36);
	assert_int_equal(doc.sector_size, 512);
	assert_int_equal(doc.keyslot, 0);
	assert_int_equal(secret_len(doc.passphrase), strlen(IMAGE_PASS));
	assert_memory_equal(secret_cdata(doc.passphrase), IMAGE_PASS, strlen(IMAGE_PASS));
	if (secret_document_text(&doc, &text, &e) < 0 || secret_document_parse(text, FORM_AUTO, false, &back, &e) < 0)
		fail_msg("%s", err_message(e));
	assert_string_equal(back.vk_id, doc.vk_id);
	assert_string_equal(back.header_ids[0], doc.header_ids[0]);
	assert_null(back.header_ids[1]);
	assert_int_equal(back.sector_size, 512);
	assert_true(secret_equal(back.passphrase, doc.passphrase));
	luks_document_pins(&doc, &pins);
	snprintf(want, sizeof(want), "vk-id = %s\nheader-id = %s\nsector-size = 512\nkeyslot = 0\n", doc.vk_id, doc.header_ids[0]);
	assert_string_equal(buf_cstr(&pins), want);
	assert_null(strstr(buf_cstr(&pins), IMAGE_PASS));
	secret_document_clear(&doc);
	secret_document_clear(&back);
	secret_free(text);
}

static void test_document_errors(void **state)
{
	const struct {
		const char *image, *name, *pass, *id;
		int keyslot;
	} cases[] = { { "base", "root", IMAGE_PASS2, "badkey", -1 },
		      { "base", "root", "short", "K1", -1 },
		      { "base", "ro/ot", IMAGE_PASS, "volume-name", -1 },
		      { "base", "root", IMAGE_PASS, "keyslot-absent", 7 },
		      { "null", "root", IMAGE_PASS, "H6", -1 },
		      { "blank", "root", IMAGE_PASS, "H1", -1 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct secret_document doc = { 0 };
		struct err *e = NULL;

		assert_int_equal(make(cases[i].image, &strict, cases[i].name, cases[i].pass, cases[i].keyslot, &doc, &e), -1);
		if (strcmp(err_id(e), cases[i].id) != 0)
			fail_msg("case %zu: %s", i, err_message(e));
		assert_null(doc.passphrase);
		err_free(e);
	}
}

static json_t *check(const char *image, const struct luks_policy *policy, struct buf *text)
{
	struct luks_check c;
	struct luks_device dev;
	struct err *e = NULL;
	json_t *j;

	image_device(image, &dev);
	if (luks_check_run(&dev, "root", policy, &c, &e) < 0)
		fail_msg("%s", err_message(e));
	luks_check_text(&c, text);
	assert_int_equal(buf_check(text, NULL), 0);
	j = luks_check_json(&c);
	assert_non_null(j);
	assert_int_equal(json_is_true(json_object_get(j, "compat_would_pass")), c.compat_would_pass);
	luks_check_clear(&c);
	device_close(&dev);
	return j;
}

static void test_check_passed(void **state)
{
	_cleanup_buf_ struct buf text = BUF_INIT(65536);
	_cleanup_json_ json_t *j = check("base", &strict, &text);
	const json_t *slot = json_array_get(json_object_get(j, "keyslots"), 0);

	assert_non_null(strstr(buf_cstr(&text), "header passed (profile strict)"));
	assert_non_null(strstr(buf_cstr(&text), "aes-xts-plain64, sector size 512, integrity none, data at 16777216"));
	assert_non_null(strstr(buf_cstr(&text), "keyslot 0: pbkdf2-sha256, 1000 iterations"));
	assert_string_equal(json_string_value(json_object_get(j, "result")), "passed");
	assert_string_equal(json_string_value(json_object_get(j, "cipher")), "aes-xts-plain64");
	assert_int_equal(json_integer_value(json_object_get(j, "copied")), 32768 + 258048);
	assert_int_equal(json_array_size(json_object_get(j, "findings")), 0);
	assert_string_equal(json_string_value(json_object_get(slot, "keyslot")), "0");
	assert_null(json_object_get(slot, "salt"));
}

/* Every finding at once, each with what was found, what is allowed, and the switch that would take it. */
static void test_check_failed(void **state)
{
	_cleanup_buf_ struct buf text = BUF_INIT(65536), text2 = BUF_INIT(65536);
	_cleanup_json_ json_t *j = check("flags", &strict, &text), *j2 = check("many", &strict, &text2);
	const json_t *f = json_array_get(json_object_get(j, "findings"), 0);

	assert_string_equal(json_string_value(json_object_get(j, "result")), "failed");
	assert_string_equal(json_string_value(json_object_get(f, "id")), "H5");
	assert_string_equal(json_string_value(json_object_get(f, "path")), "config.flags");
	assert_string_equal(json_string_value(json_object_get(f, "found")), "[\"no-journal\"]");
	assert_string_equal(json_string_value(json_object_get(f, "allowed")), "absent");
	assert_string_equal(json_string_value(json_object_get(f, "compat")), "header = compat");
	assert_true(json_is_true(json_object_get(j, "compat_would_pass")));
	assert_non_null(strstr(buf_cstr(&text), "`header = compat` in the section"));
	assert_int_equal(json_array_size(json_object_get(j2, "findings")), 4);
	assert_true(json_is_false(json_object_get(j2, "compat_would_pass")));
	assert_non_null(strstr(buf_cstr(&text2), "H6: segments.0.encryption is \"cipher_null-ecb\", allowed: \"aes-xts-plain64\""));
	assert_non_null(strstr(buf_cstr(&text2), "H9: keyslots.0.kdf.iterations"));
	assert_non_null(strstr(buf_cstr(&text2), "H10: digests.0.iterations"));
	assert_null(strstr(buf_cstr(&text2), "in the section"));
}

static void test_check_other(void **state)
{
	_cleanup_buf_ struct buf text = BUF_INIT(65536), text2 = BUF_INIT(65536), text3 = BUF_INIT(65536);
	_cleanup_json_ json_t *j = check("flags", &compat, &text), *j2 = check("blank", &strict, &text2),
			      *j3 = check("integrity", &strict, &text3);

	assert_non_null(strstr(buf_cstr(&text), "header passed (profile compat)"));
	assert_string_equal(json_string_value(json_object_get(j, "result")), "passed");
	assert_non_null(strstr(buf_cstr(&text2), "H1: header.magic is zero bytes"));
	assert_string_equal(json_string_value(json_object_get(j2, "result")), "failed");
	assert_null(json_object_get(j2, "cipher"));
	assert_string_equal(json_string_value(json_object_get(j3, "integrity")), "hmac(sha256)");
}

static int make_images(void **state)
{
	static const char *const flags[] = { "set", "config.flags", "[\"no-journal\"]", NULL };
	static const char *const null[] = { "set", "segments.0.encryption", "\"cipher_null-ecb\"", NULL };
	static const char *const many[] = { "set", "segments.0.encryption", "\"cipher_null-ecb\"",
					    "set", "keyslots.0.kdf.iterations", "4294967295",
					    "set", "digests.0.iterations", "4294967295",
					    "set", "config.flags", "[\"no-journal\"]", NULL };

	image_format("base", "--sector-size 512");
	image_copy("base", "flags");
	edit_run(image_path("flags"), flags);
	image_copy("base", "null");
	edit_run(image_path("null"), null);
	image_copy("base", "many");
	edit_run(image_path("many"), many);
	image_new("blank", IMAGE_SIZE);
	image_integrity("integrity", "--sector-size 4096");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_document),     cmocka_unit_test(test_document_errors), cmocka_unit_test(test_check_passed),
		cmocka_unit_test(test_check_failed), cmocka_unit_test(test_check_other),
	};

	image_tool_or_skip();
	return cmocka_run_group_tests(tests, make_images, NULL);
}
