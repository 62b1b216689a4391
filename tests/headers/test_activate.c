/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Activation, K5 and K6 over the recorder, sweeping and removal. The same over a real kernel: guest.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <libcryptsetup.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/text.h"
#include "tests/headers/edit.h"
#include "tests/headers/image.h"
#include "tests/headers/opened.h"
#include "tests/lib/mapper_recorder.h"

static struct mapper_recorder recorder;
static struct mapper mapper;

static bool mapped(const char *name)
{
	_cleanup_mapper_info_ struct mapper_info i = { 0 };

	assert_int_equal(mapper.query(mapper.ctx, name, &i, NULL), 0);
	return i.exists;
}

static void recorder_reset(unsigned int faults)
{
	char **names = NULL;

	assert_int_equal(mapper.list(mapper.ctx, &names, NULL), 0);
	for (char **n = names; n && *n; n++)
		assert_int_equal(mapper.remove(mapper.ctx, *n, NULL), 0);
	strv_free(names);
	recorder.faults = faults;
}

/* What libcryptsetup was asked for: the header's own flags never count (K5). */
static void check_flags(const char *name, const struct luks_activation *a)
{
	unsigned int want = CRYPT_ACTIVATE_IGNORE_PERSISTENT | (a->private_name ? CRYPT_ACTIVATE_PRIVATE : 0) |
			    (a->discard ? CRYPT_ACTIVATE_ALLOW_DISCARDS : 0) | (a->read_only ? CRYPT_ACTIVATE_READONLY : 0);
	char path[512], line[32], *text = NULL;
	size_t len;

	snprintf(path, sizeof(path), "%s/%s", recorder.dir, name);
	snprintf(line, sizeof(line), "\nflags 0x%x\n", want);
	assert_int_equal(file_read(AT_FDCWD, path, 65536, ERR_INTERNAL, &text, &len, NULL), 0);
	if (!strstr(text, line))
		fail_msg("expected%s in %s", line, text);
	free(text);
}

static void test_activate(void **state)
{
	static const char *const images[] = { "base", "sectors", "integrity", "renamed", "argon2id" };

	for (size_t i = 0; i < ARRAY_SIZE(images); i++) {
		for (int variant = 0; variant < 4; variant++) {
			struct luks_activation a = { .name = "root", .private_name = variant == 1, .discard = variant == 2,
						     .read_only = variant == 3 };
			struct err *e = NULL;
			struct opened o;

			recorder_reset(variant == 0 ? RECORDER_HEX_KEY : 0);
			opened_volume(&o, images[i]);
			if (a.discard && luks_volume_has_integrity(o.v)) {
				assert_int_equal(luks_volume_activate(o.v, &mapper, o.key, &a, &e), -1);
				assert_int_equal(err_class(e), ERR_CONFIG);
				err_free(e);
				opened_close(&o);
				continue;
			}
			if (luks_volume_activate(o.v, &mapper, o.key, &a, &e) < 0 ||
			    luks_volume_check_table(o.v, &mapper, "root", a.discard, &e) < 0)
				fail_msg("%s, variant %d: %s", images[i], variant, err_message(e));
			assert_true(mapped("root"));
			check_flags("root", &a);
			assert_int_equal(mapped("root_dif"), luks_volume_has_integrity(o.v));
			assert_int_equal(luks_volume_check_table(o.v, &mapper, "root", !a.discard, &e), -1);
			assert_string_equal(err_id(e), "K6");
			err_clear(&e);
			assert_int_equal(luks_volume_deactivate(o.v, &mapper, "root", &e), 0);
			assert_false(mapped("root") || mapped("root_dif"));
			opened_close(&o);
		}
	}
}

/* What the kernel maps is not what we asked for: K6, and nothing stays mapped, even when deactivation fails at first. */
static void test_read_back(void **state)
{
	static const struct {
		unsigned int fault;
		bool integrity_only;
		const char *word;
	} cases[] = { { RECORDER_WRONG_CIPHER, false, "cipher" },	 { RECORDER_WRONG_OFFSET, false, "start" },
		      { RECORDER_WRONG_DEVICE, false, "device" },	 { RECORDER_WRONG_IV, false, "iv offset" },
		      { RECORDER_NO_KEY, false, "key" },		 { RECORDER_EXTRA_OPTION, false, "same_cpu_crypt" },
		      { RECORDER_TWO_TARGETS, false, "targets" },	 { RECORDER_SHORT, false, "length" },
		      { RECORDER_WRONG_UUID, false, "uuid" },		 { RECORDER_READ_ONLY, false, "access" },
		      { RECORDER_OTHER_KEY, false, "key" },		 { RECORDER_RECALCULATE, true, "recalculate" },
		      { RECORDER_NO_TAGS, true, "tag size" },		 { RECORDER_DIRECT, true, "device" } };
	static const char *const images[] = { "base", "sectors", "integrity" };

	for (size_t n = 0; n < ARRAY_SIZE(cases) * ARRAY_SIZE(images) * 2; n++) {
		const char *image = images[n % 3];
		size_t i = n / 3 % ARRAY_SIZE(cases);
		struct luks_activation a = { .name = "root" };
		struct err *e = NULL;
		struct opened o;

		opened_volume(&o, image);
		if ((cases[i].integrity_only && !luks_volume_has_integrity(o.v)) ||
		    (cases[i].fault == RECORDER_SHORT && luks_volume_has_integrity(o.v)) ||
		    (cases[i].fault == RECORDER_WRONG_OFFSET && luks_volume_has_integrity(o.v))) {
			opened_close(&o);
			continue;
		}
		recorder_reset(cases[i].fault | (n % 2 ? RECORDER_FAIL_DEACTIVATE : 0));
		assert_int_equal(luks_volume_activate(o.v, &mapper, o.key, &a, &e), -1);
		if (err_class(e) != ERR_INTEGRITY || strcmp(err_id(e), "K6") != 0 || !strstr(err_message(e), cases[i].word))
			fail_msg("%s, %s: %s", image, cases[i].word, err_message(e));
		/* A mapping under a foreign uuid is not ours to remove by name when the library cannot: then the message says so. */
		if (cases[i].fault == RECORDER_WRONG_UUID && n % 2)
			assert_non_null(strstr(err_message(e), "could not be removed"));
		else
			assert_false(mapped("root") || mapped("root_dif"));
		err_free(e);
		opened_close(&o);
	}
}

static const char *swapped; /* path of the disk that the host exchanges while it is being mapped */

static int activate_and_swap(void *ctx, struct crypt_device *cd, const char *name, const struct secret *key, uint32_t flags, struct err **err)
{
	_cleanup_free_ char *away = text_printf("%s.away", swapped);

	if (mapper.activate(ctx, cd, name, key, flags, err) < 0)
		return -1;
	assert_int_equal(rename(swapped, away), 0);
	return file_write_atomic(AT_FDCWD, swapped, "", 0, 0600, err);
}

/* The last look at the device comes after the mapping, not only before it. */
static void test_exchanged_device(void **state)
{
	struct mapper host = mapper;
	struct luks_activation a = { .name = "root" };
	_cleanup_free_ char *away = NULL;
	_cleanup_err_ struct err *e = NULL;
	struct opened o;
	int r;

	recorder_reset(0);
	opened_volume(&o, "base");
	swapped = o.dev.path;
	away = text_printf("%s.away", swapped);
	host.activate = activate_and_swap;
	r = luks_volume_activate(o.v, &host, o.key, &a, &e);
	assert_int_equal(rename(away, swapped), 0);
	assert_int_equal(r, -1);
	assert_string_equal(err_id(e), "device-changed");
	assert_false(mapped("root"));
	opened_close(&o);
}

static void put_mapping(const char *name, const char *uuid, unsigned int open_count)
{
	char path[512], text[512];

	snprintf(path, sizeof(path), "%s/%s", recorder.dir, name);
	snprintf(text, sizeof(text), "uuid %s\ndev 254:9\nopen %u\nro 0\ntarget linear 0 8 7:0 0\n", uuid, open_count);
	assert_int_equal(file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, NULL), 0);
}

static void test_name_taken(void **state)
{
	struct luks_activation a = { .name = "root" };
	struct err *e = NULL;
	struct opened o;

	recorder_reset(0);
	put_mapping("root", "CRYPT-PLAIN-root", 0);
	opened_volume(&o, "base");
	assert_int_equal(luks_volume_activate(o.v, &mapper, o.key, &a, &e), -1);
	assert_int_equal(err_class(e), ERR_DEVICE);
	assert_string_equal(err_id(e), "name-taken");
	err_clear(&e);
	assert_true(mapped("root"));
	opened_close(&o);
	recorder_reset(0);
	put_mapping("root_dif", "CRYPT-PLAIN-root_dif", 0);
	opened_volume(&o, "integrity");
	assert_int_equal(luks_volume_activate(o.v, &mapper, o.key, &a, &e), -1);
	assert_string_equal(err_id(e), "name-taken");
	assert_false(mapped("root"));
	err_free(e);
	opened_close(&o);
}

static void test_activation_errors(void **state)
{
	struct luks_activation a = { .name = "root" };
	struct secret *wrong = NULL;
	uint8_t zero[64] = { 0 };
	struct err *e = NULL;
	struct opened o;

	recorder_reset(RECORDER_FAIL_ACTIVATE);
	opened_volume(&o, "base");
	assert_int_equal(luks_volume_activate(o.v, &mapper, o.key, &a, &e), -1);
	assert_string_equal(err_id(e), "activation-failed");
	err_clear(&e);
	/* Another key: refused before anything is mapped. */
	recorder_reset(0);
	assert_int_equal(secret_from(zero, sizeof(zero), &wrong, NULL), 0);
	assert_int_equal(luks_volume_activate(o.v, &mapper, wrong, &a, &e), -1);
	assert_string_equal(err_id(e), "K3");
	err_clear(&e);
	/* No mapping to look at. */
	assert_int_equal(luks_volume_check_table(o.v, &mapper, "root", false, &e), -1);
	assert_string_equal(err_id(e), "mapping-absent");
	err_clear(&e);
	secret_free(wrong);
	opened_close(&o);
	/* The node became another device in between. */
	image_copy("base", "case");
	opened_volume(&o, "case");
	assert_int_equal(rename(image_path("case"), image_path("case-old")), 0);
	image_copy("foreign", "case");
	assert_int_equal(luks_volume_activate(o.v, &mapper, o.key, &a, &e), -1);
	assert_string_equal(err_id(e), "device-changed");
	assert_false(mapped("root"));
	err_free(e);
	opened_close(&o);
}

static void test_sweep(void **state)
{
	static const char p1[] = "cryptattest-0123456789abcdef", p2[] = "cryptattest-00000000000000aa";
	struct luks_activation a = { .private_name = true };
	unsigned int removed = 0;
	char name[32];
	struct opened o;

	recorder_reset(0);
	opened_volume(&o, "integrity");
	assert_int_equal(mapper_private_name(name, NULL), 0);
	assert_true(mapper_name_is_private(name));
	a.name = name;
	assert_int_equal(luks_volume_activate(o.v, &mapper, o.key, &a, NULL), 0);
	opened_close(&o);
	put_mapping(p1, "CRYPT-LUKS2-00-cryptattest-ffffffffffffffff", 0); /* somebody renamed it */
	put_mapping(p2, "CRYPT-LUKS2-00-cryptattest-00000000000000aa", 1); /* in use */
	put_mapping("cryptattest-0123", "CRYPT-LUKS2-00-cryptattest-0123", 0);
	put_mapping("root", "CRYPT-LUKS2-00-root", 0);
	assert_int_equal(mapper_sweep_private(&mapper, &removed, NULL), 0);
	assert_int_equal(removed, 2); /* crypt and _dif */
	assert_false(mapped(name));
	assert_true(mapped(p1) && mapped(p2) && mapped("cryptattest-0123") && mapped("root"));
	assert_int_equal(mapper_sweep_private(&mapper, &removed, NULL), 0);
	assert_int_equal(removed, 0);
}

static void test_remove_volume(void **state)
{
	struct luks_activation a = { .name = "data" };
	struct err *e = NULL;
	struct opened o;

	recorder_reset(0);
	opened_volume(&o, "integrity");
	assert_int_equal(luks_volume_activate(o.v, &mapper, o.key, &a, NULL), 0);
	assert_int_equal(mapper_remove_volume(&mapper, "data", "00000000-0000-0000-0000-000000000000", &e), -1);
	assert_string_equal(err_id(e), "mapping-foreign");
	err_clear(&e);
	assert_int_equal(mapper_remove_volume(&mapper, "data", o.h.uuid, &e), 0);
	assert_false(mapped("data") || mapped("data_dif"));
	assert_int_equal(mapper_remove_volume(&mapper, "data", NULL, &e), -1);
	assert_string_equal(err_id(e), "mapping-absent");
	err_clear(&e);
	put_mapping("data", "CRYPT-LUKS2-00-data", 1);
	assert_int_equal(mapper_remove_volume(&mapper, "data", NULL, &e), -1);
	assert_string_equal(err_id(e), "mapping-busy");
	err_clear(&e);
	put_mapping("data", "LVM-00-data", 0);
	assert_int_equal(mapper_remove_volume(&mapper, "data", NULL, &e), -1);
	assert_string_equal(err_id(e), "mapping-foreign");
	err_free(e);
	opened_close(&o);
}

/* A killed activation leaves the inner mapping alone, both, or none. */
static void test_remove_unfinished(void **state)
{
	struct luks_activation a = { .name = "data" };
	struct err *e = NULL;
	struct opened o;
	bool removed;

	recorder_reset(0);
	opened_volume(&o, "integrity");
	assert_int_equal(mapper_remove_unfinished(&mapper, "data", o.h.uuid, &removed, NULL), 0);
	assert_false(removed);
	assert_int_equal(luks_volume_activate(o.v, &mapper, o.key, &a, NULL), 0);
	assert_int_equal(mapper_remove_unfinished(&mapper, "data", o.h.uuid, &removed, NULL), 0);
	assert_true(removed);
	assert_false(mapped("data") || mapped("data_dif"));
	assert_int_equal(luks_volume_activate(o.v, &mapper, o.key, &a, NULL), 0);
	assert_int_equal(mapper.remove(mapper.ctx, "data", NULL), 0);
	assert_int_equal(mapper_remove_unfinished(&mapper, "data", o.h.uuid, &removed, NULL), 0);
	assert_true(removed);
	assert_false(mapped("data_dif"));
	/* Another volume's, or one in use, stays. */
	put_mapping("data", "CRYPT-LUKS2-00000000000000000000000000000000-data", 0);
	assert_int_equal(mapper_remove_unfinished(&mapper, "data", o.h.uuid, &removed, &e), -1);
	assert_string_equal(err_id(e), "mapping-foreign");
	assert_true(mapped("data"));
	err_free(e);
	opened_close(&o);
}

static int make_images(void **state)
{
	static const char *const flags[] = { "set", "config.flags", "[\"allow-discards\",\"no-journal\"]", NULL };

	image_format("base", "--sector-size 512");
	image_format("sectors", "--sector-size 4096");
	edit_run(image_path("sectors"), flags); /* compat: there, and ignored (K5) */
	image_integrity("integrity", "--sector-size 4096");
	image_format("renamed", "--offset 8192");
	image_cryptsetup("reencrypt --disable-locks --force-offline-reencrypt --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file %P %NAME",
			 "renamed");
	image_new("foreign", IMAGE_SIZE);
	image_cryptsetup("luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file %Q %NAME", "foreign");
	image_new("argon2id", IMAGE_SIZE);
	image_cryptsetup("luksFormat --type luks2 --pbkdf argon2id --pbkdf-memory 65536 --pbkdf-force-iterations 4 "
			 "--pbkdf-parallel 1 --key-file %P %NAME", "argon2id");
	assert_int_equal(mkdir(image_path("maps"), 0700), 0);
	mapper_recorder_init(&recorder, image_path("maps"));
	mapper = mapper_recorder_get(&recorder);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_activate),	  cmocka_unit_test(test_read_back), cmocka_unit_test(test_name_taken),
		cmocka_unit_test(test_exchanged_device),
		cmocka_unit_test(test_activation_errors), cmocka_unit_test(test_sweep),	    cmocka_unit_test(test_remove_volume), cmocka_unit_test(test_remove_unfinished),
	};

	image_tool_or_skip();
	return cmocka_run_group_tests(tests, make_images, NULL);
}
