/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Changes to real headers: what they change and what they leave, what stops them, and what a power cut leaves behind. */
#include "tests/unit/luks_edit.h"

#include <libcryptsetup.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/headers/edit.h"

#define HEADERS 32768
#define AREA 258048 /* of a 64-byte key */

static int wipe_slot(const struct opened *o, const struct luks_policy *policy, int keyslot, struct luks_edit **ret, struct err **err)
{
	const struct luks_edit_params p = params(o, policy);

	return luks_edit_wipe(&p, keyslot, ret, err);
}

/* Nothing differs but the headers and this area. */
static void only_changed(const uint8_t *a, const uint8_t *b, uint64_t area)
{
	assert_memory_equal(a + HEADERS, b + HEADERS, area - HEADERS);
	assert_memory_equal(a + area + AREA, b + area + AREA, IMAGE_SIZE - area - AREA);
	assert_memory_not_equal(a, b, HEADERS / 2);
	assert_memory_not_equal(a + HEADERS / 2, b + HEADERS / 2, HEADERS / 2);
}

static void test_add(void **state)
{
	char vk_before[65], vk_after[65], id_before[65], id_after[65], id_new[65], id_promised[65];
	_cleanup_luks_edit_ struct luks_edit *e = NULL;
	_cleanup_free_ uint8_t *before = NULL, *after = NULL;
	struct opened o, n;

	image_copy("base", "add");
	before = whole("add");
	opened_volume(&o, "add");
	assert_ok(luks_vk_id(o.key, o.h.uuid, "root", vk_before, &_err));
	assert_ok(luks_header_id(&o.h, 0, id_before, &_err));
	assert_ok(add(&o, &strict, -1, &e, &_err));
	assert_int_equal(luks_edit_keyslot(e), 1);
	assert_ok(luks_header_id(luks_edit_header(e), 1, id_promised, &_err));
	assert_ok(luks_edit_hold(e, &_err));
	after = whole("add");
	assert_memory_equal(before, after, IMAGE_SIZE); /* nothing yet */
	free(after);
	assert_true(luks_edit_untouched(e));
	assert_ok(luks_edit_write(e, &_err));
	assert_false(luks_edit_untouched(e));
	after = whole("add");
	only_changed(before, after, e->area_off);
	opened_close(&o);

	assert_int_equal(opens("add", IMAGE_PASS), 0);
	opened_header(&n, "add");
	assert_ok(opened_unlock(&n, NEW_PASS, 16, -1, &_err));
	assert_int_equal(n.slot, 1);
	assert_ok(luks_vk_id(n.key, n.h.uuid, "root", vk_after, &_err));
	assert_ok(luks_header_id(&n.h, 0, id_after, &_err));
	assert_ok(luks_header_id(&n.h, 1, id_new, &_err));
	assert_string_equal(vk_before, vk_after);
	assert_string_equal(id_before, id_after);
	assert_string_equal(id_new, id_promised);
	assert_string_not_equal(id_new, id_after);
	opened_close(&n);
}

/* The cost is what the issue asks for, and the stock program opens it too. */
static void test_add_shape(void **state)
{
	struct crypt_pbkdf_type kdf = { 0 };
	struct luks_edit *e = NULL;
	struct crypt_device *cd;
	struct opened o;

	image_copy("base", "shape");
	opened_volume(&o, "shape");
	assert_ok(add(&o, &strict, 5, &e, &_err));
	assert_ok(luks_edit_write(e, &_err));
	luks_edit_free(e);
	opened_close(&o);
	assert_int_equal(crypt_init(&cd, image_path("shape")), 0);
	assert_int_equal(crypt_load(cd, CRYPT_LUKS2, NULL), 0);
	assert_int_equal(crypt_keyslot_get_pbkdf(cd, 5, &kdf), 0);
	assert_string_equal(kdf.type, CRYPT_KDF_PBKDF2);
	assert_string_equal(kdf.hash, "sha512");
	assert_int_equal(kdf.iterations, 1000);
	assert_int_equal(crypt_activate_by_passphrase(cd, NULL, CRYPT_ANY_SLOT, NEW_PASS, strlen(NEW_PASS), 0), 5);
	crypt_free(cd);
}

static void test_wipe(void **state)
{
	_cleanup_luks_edit_ struct luks_edit *e = NULL;
	_cleanup_free_ uint8_t *before = NULL, *after = NULL;
	struct opened o;
	size_t same = 0;

	image_copy("two", "wipe");
	before = whole("wipe");
	opened_volume(&o, "wipe");
	assert_ok(wipe_slot(&o, &strict, 1, &e, &_err));
	assert_ok(luks_edit_write(e, &_err));
	after = whole("wipe");
	only_changed(before, after, e->area_off);
	for (size_t i = 0; i < AREA; i++)
		same += before[e->area_off + i] == after[e->area_off + i];
	assert_in_range(same, AREA / 512, AREA / 128); /* 1 of 256 by chance: random, not zero, not partly left */
	opened_close(&o);
	assert_int_equal(opens("wipe", IMAGE_PASS), 0);
	assert_int_equal(opens("wipe", IMAGE_PASS2), -1);
}

/* 96-byte keys; then the way back. */
static void test_integrity(void **state)
{
	struct luks_edit *e = NULL;
	struct opened o;

	image_copy("integrity", "sums");
	opened_volume(&o, "sums");
	assert_ok(add(&o, &strict, -1, &e, &_err));
	assert_ok(luks_edit_write(e, &_err));
	luks_edit_free(e);
	opened_close(&o);
	assert_int_not_equal(opens("sums", NEW_PASS), -1);
	opened_volume(&o, "sums");
	assert_ok(wipe_slot(&o, &strict, opens("sums", NEW_PASS), &e, &_err));
	assert_ok(luks_edit_write(e, &_err));
	luks_edit_free(e);
	opened_close(&o);
	assert_int_equal(opens("sums", NEW_PASS), -1);
}

/* aes-xts with 32 bytes, which compat takes: the keyslot itself is as strong as any. */
static void test_short_key(void **state)
{
	struct luks_edit *e = NULL;
	struct opened o;

	image_format("short", "--key-size 256");
	opened_volume(&o, "short");
	assert_fails(add(&o, &strict, -1, &e, &_err), ERR_INTEGRITY, "H7");
	assert_ok(add(&o, &compat, -1, &e, &_err));
	assert_ok(luks_edit_write(e, &_err));
	luks_edit_free(e);
	opened_close(&o);
	assert_int_equal(opens("short", NEW_PASS), 1);
}

/* Tokens are taken under compat alone; a removed keyslot leaves their lists, the rest of them stays. */
static void test_token(void **state)
{
	static const char *const ops[] = { "set", "tokens.0", "{\"type\":\"clevis\",\"keyslots\":[\"1\"],\"jwe\":{}}", NULL };
	struct luks_edit *e = NULL;
	struct opened o;

	image_copy("two", "token");
	edit_run(image_path("token"), ops);
	opened_volume(&o, "token");
	assert_fails(add(&o, &strict, -1, &e, &_err), ERR_INTEGRITY, "H11");
	assert_ok(add(&o, &compat, -1, &e, &_err));
	assert_ok(luks_edit_write(e, &_err));
	luks_edit_free(e);
	opened_close(&o);
	opened_volume(&o, "token");
	assert_ok(wipe_slot(&o, &compat, 1, &e, &_err));
	assert_ok(luks_edit_write(e, &_err));
	luks_edit_free(e);
	opened_close(&o);
	opened_header(&o, "token");
	assert_int_equal(json_array_size(json_object_get(json_object_get(json_object_get(o.h.json, "tokens"), "0"), "keyslots")), 0);
	opened_close(&o);
	assert_int_equal(opens("token", NEW_PASS), 2);
}

static void test_refused(void **state)
{
	struct luks_edit *e = NULL;
	struct opened o;

	opened_volume(&o, "base");
	assert_fails(add(&o, &strict, 0, &e, &_err), ERR_CONFIG, "keyslot-taken");
	assert_fails(add(&o, &strict, 32, &e, &_err), ERR_CONFIG, "keyslot-number");
	assert_fails(wipe_slot(&o, &strict, 0, &e, &_err), ERR_CONFIG, "keyslot-last");
	assert_fails(wipe_slot(&o, &strict, 3, &e, &_err), ERR_INTEGRITY, "keyslot-absent");
	opened_close(&o);
	image_copy("base", "full");
	for (int i = 1; i < 8; i++) {
		opened_volume(&o, "full");
		assert_ok(add(&o, &strict, -1, &e, &_err));
		assert_ok(luks_edit_write(e, &_err));
		luks_edit_free(e);
		opened_close(&o);
	}
	e = NULL;
	opened_volume(&o, "full");
	assert_fails(add(&o, &strict, -1, &e, &_err), ERR_CONFIG, "keyslots-full");
	assert_ok(wipe_slot(&o, &strict, 7, &e, &_err));
	luks_edit_free(e);
	opened_close(&o);
}

/* A header that the audit refuses is never a base for a change; one that is exchanged after the audit is not overwritten. */
static void test_hostile(void **state)
{
	static const char *const null_segment[] = { "set", "segments.0.encryption", "\"cipher_null-ecb\"", NULL };
	static const char *const flags[] = { "set", "config.flags", "[\"no-journal\"]", NULL };
	_cleanup_free_ uint8_t *before = NULL, *after = NULL;
	_cleanup_luks_edit_ struct luks_edit *e = NULL, *none = NULL;
	struct opened o;

	image_copy("base", "hostile");
	edit_run(image_path("hostile"), flags);
	opened_volume(&o, "hostile"); /* as compat */
	assert_fails(add(&o, &strict, -1, &none, &_err), ERR_INTEGRITY, "H5");
	opened_close(&o);

	image_copy("base", "hostile");
	opened_volume(&o, "hostile");
	assert_ok(add(&o, &strict, -1, &e, &_err));
	edit_run(image_path("hostile"), null_segment);
	before = whole("hostile");
	assert_fails(luks_edit_hold(e, &_err), ERR_INTEGRITY, "header-changed");
	assert_fails(luks_edit_write(e, &_err), ERR_INTEGRITY, "header-changed");
	assert_true(luks_edit_untouched(e));
	after = whole("hostile");
	assert_memory_equal(before, after, IMAGE_SIZE);
	opened_close(&o);
}

/* Judges a change that a library with a mind of its own could have made: the image after the change, changed further by ops. */
static void judge_change(const char *what, const char *const *ops, bool wipe)
{
	static const struct luks_policy lax = { .profile = LUKS_COMPAT };
	struct luks_device dev;
	struct luks_edit *e = NULL;
	struct luks_header good;
	struct opened o;

	image_copy("two", "meddled");
	opened_volume(&o, "meddled");
	assert_ok(wipe ? wipe_slot(&o, &compat, 1, &e, &_err) : add(&o, &compat, -1, &e, &_err));
	assert_ok(edit_check(e, &_err));
	assert_ok(luks_edit_write(e, &_err));
	edit_run(image_path("meddled"), ops);
	good = e->h;
	image_device("meddled", &dev);
	assert_ok(luks_header_read(&dev, &lax, &e->h, &_err));
	if (edit_check(e, NULL) == 0)
		fail_msg("%s: not noticed", what);
	assert_fails(edit_check(e, &_err), ERR_INTEGRITY, "edit");
	luks_header_clear(&e->h);
	e->h = good;
	device_close(&dev);
	luks_edit_free(e);
	opened_close(&o);
}

static void test_nothing_else(void **state)
{
	static const struct {
		const char *what;
		const char *const ops[8];
	} cases[] = {
		{ "flags", { "set", "config.flags", "[\"no-journal\"]", NULL } },
		{ "cipher", { "set", "segments.0.encryption", "\"aes-xts-plain\"", NULL } },
		{ "digest", { "set", "digests.0.iterations", "1001", NULL } },
		{ "another keyslot", { "set", "keyslots.0.kdf.iterations", "1001", NULL } },
		{ "token", { "set", "tokens.0", "{\"type\":\"clevis\",\"keyslots\":[],\"jwe\":{}}", NULL } },
		{ "label", { "field", "label", "other", NULL } },
		{ "material of keyslot 0", { "raw", "32769", "00ff00ff", NULL } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		judge_change(cases[i].what, cases[i].ops, false);
		judge_change(cases[i].what, cases[i].ops, true);
	}
}

/* Key material that is exchanged counts as well, and so does the file behind the name. */
static void test_exchanged(void **state)
{
	static const char *const material[] = { "raw", "32769", "00ff00ff", NULL };
	struct luks_edit *e = NULL;
	struct opened o;

	image_copy("base", "material");
	opened_volume(&o, "material");
	assert_ok(add(&o, &strict, -1, &e, &_err));
	edit_run(image_path("material"), material);
	assert_fails(luks_edit_hold(e, &_err), ERR_INTEGRITY, "header-changed");
	luks_edit_free(e);
	opened_close(&o);

	image_copy("base", "moved");
	opened_volume(&o, "moved");
	assert_ok(add(&o, &strict, -1, &e, &_err));
	assert_int_equal(rename(image_path("moved"), image_path("moved.old")), 0);
	image_copy("base", "moved");
	assert_fails(luks_edit_hold(e, &_err), ERR_DEVICE, "device-changed");
	luks_edit_free(e);
	opened_close(&o);
}

static int make_images(void **state)
{
	image_format("base", "--sector-size 512");
	image_copy("base", "two");
	image_cryptsetup("luksAddKey --key-file %P --pbkdf pbkdf2 --pbkdf-force-iterations 1000 %NAME %Q", "two");
	image_integrity("integrity", "--sector-size 4096");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),	  cmocka_unit_test(test_add_shape), cmocka_unit_test(test_wipe),
		cmocka_unit_test(test_integrity), cmocka_unit_test(test_short_key), cmocka_unit_test(test_token),	    cmocka_unit_test(test_refused),
		cmocka_unit_test(test_hostile),	  cmocka_unit_test(test_exchanged), cmocka_unit_test(test_nothing_else),
	};

	image_tool_or_skip();
	return cmocka_run_group_tests(tests, make_images, NULL);
}
