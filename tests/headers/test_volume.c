/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* From a real header to a (recorded) mapping: identity, the sealed copy, K1-K6, sweeping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/text.h"
#include "tests/headers/edit.h"
#include "tests/headers/image.h"
#include "tests/lib/mapper_recorder.h"

#define ADD_KEY "luksAddKey --key-file %P --pbkdf pbkdf2 --pbkdf-force-iterations 1000 %NAME %Q"

struct opened {
	struct luks_device dev;
	struct luks_header h;
	struct luks_volume *v;
	struct secret *key;
	int slot;
};

static struct mapper_recorder recorder;
static struct mapper mapper;

static struct secret *secret_of(const char *text)
{
	struct secret *s = NULL;

	assert_int_equal(secret_from(text, strlen(text), &s, NULL), 0);
	return s;
}

static int try_unlock(struct opened *o, const char *pass, size_t min_len, int keyslot, struct err **err)
{
	_cleanup_secret_ struct secret *s = secret_of(pass);

	return luks_volume_unlock(o->v, s, min_len, keyslot, &o->key, &o->slot, err);
}

static void open_header(struct opened *o, const char *image)
{
	static const struct luks_policy compat = { .profile = LUKS_COMPAT };
	struct err *e = NULL;

	*o = (struct opened){ .slot = -1, .h = LUKS_HEADER_INIT };
	image_device(image, &o->dev);
	if (luks_header_read(&o->dev, &compat, &o->h, &e) < 0 || luks_volume_new(&o->h, &o->dev, &compat, &o->v, &e) < 0)
		fail_msg("%s: %s", image, err_message(e));
}

static void open_volume(struct opened *o, const char *image)
{
	struct err *e = NULL;

	open_header(o, image);
	if (try_unlock(o, IMAGE_PASS, LUKS_SECRET_MIN, -1, &e) < 0)
		fail_msg("%s: %s", image, err_message(e));
}

static void close_volume(struct opened *o)
{
	luks_volume_free(o->v);
	luks_header_clear(&o->h);
	secret_free(o->key);
	device_close(&o->dev);
}

static void ids_of(const char *image, char vk[static 65], char header[static 65])
{
	struct opened o;

	open_volume(&o, image);
	assert_int_equal(luks_vk_id(o.key, o.h.uuid, "root", vk, NULL), 0);
	assert_int_equal(luks_header_id(&o.h, o.slot, header, NULL), 0);
	assert_int_equal(strlen(vk), 64);
	assert_int_equal(strlen(header), 64);
	close_volume(&o);
}

/* Maintenance that changes neither identity, and one byte of key material that changes the header id (contracts.md 1). */
static void test_identity_is_stable(void **state)
{
	static const char *const other_area[] = { "raw", "300000", "00", NULL };
	char vk[65], id[65], vk2[65], id2[65];
	struct opened o;

	image_copy("base", "case");
	ids_of("case", vk, id);
	image_cryptsetup(ADD_KEY, "case");
	ids_of("case", vk2, id2);
	assert_string_equal(vk, vk2);
	assert_string_equal(id, id2);
	image_cryptsetup("config --key-slot 0 --priority prefer %NAME", "case");
	image_cryptsetup("config --label changed %NAME", "case");
	ids_of("case", vk2, id2);
	assert_string_equal(vk, vk2);
	assert_string_equal(id, id2);
	edit_run(image_path("case"), other_area); /* slot 1's area, not slot 0's */
	ids_of("case", vk2, id2);
	assert_string_equal(id, id2);
	/* Another slot, another name, another volume: another id. */
	open_volume(&o, "case");
	assert_int_equal(luks_header_id(&o.h, 1, id2, NULL), 0);
	assert_string_not_equal(id, id2);
	assert_int_equal(luks_vk_id(o.key, o.h.uuid, "data", vk2, NULL), 0);
	assert_string_not_equal(vk, vk2);
	close_volume(&o);
	ids_of("sectors", vk2, id2);
	assert_string_not_equal(vk, vk2);
	assert_string_not_equal(id, id2);
}

static void test_copy_is_sealed(void **state)
{
	struct opened o;
	struct stat st;
	char path[64];
	int fd;

	open_header(&o, "base");
	assert_int_equal(fcntl(o.h.memfd, F_GET_SEALS) & (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
			 F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	assert_int_equal(pwrite(o.h.memfd, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", o.h.memfd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd < 0 || pwrite(fd, "x", 1, 4096) == -1);
	close(fd);
	assert_int_equal(fstat(o.h.memfd, &st), 0);
	assert_int_equal(st.st_size, o.h.data_offset);
	assert_true(st.st_blocks * 512 < 1024 * 1024); /* sparse */
	close_volume(&o);
}

/* The host shows another header after the copy was made: the old one opens, the new one does not. */
static void test_header_swapped(void **state)
{
	char vk[65], id[65], vk2[65], id2[65];
	struct err *e = NULL;
	struct opened o;

	image_copy("base", "case");
	ids_of("case", vk, id);
	open_header(&o, "case");
	image_copy("foreign", "case"); /* same inode: written over */
	assert_int_equal(try_unlock(&o, IMAGE_PASS2, LUKS_SECRET_MIN, -1, &e), -1);
	assert_int_equal(err_class(e), ERR_BADKEY);
	err_clear(&e);
	assert_int_equal(try_unlock(&o, IMAGE_PASS, LUKS_SECRET_MIN, -1, &e), 0);
	assert_int_equal(luks_vk_id(o.key, o.h.uuid, "root", vk2, NULL), 0);
	assert_int_equal(luks_header_id(&o.h, o.slot, id2, NULL), 0);
	assert_string_equal(vk, vk2);
	assert_string_equal(id, id2);
	close_volume(&o);
}

static void test_unlock_errors(void **state)
{
	const struct {
		const char *pass, *id;
		int keyslot;
		size_t min;
		enum err_class cls;
	} cases[] = { { IMAGE_PASS "x", "badkey", -1, 16, ERR_BADKEY },
		      { IMAGE_PASS "x", "badkey", 0, 16, ERR_BADKEY },
		      { "short", "K1", -1, 16, ERR_INTEGRITY },
		      { "", "K1", -1, 0, ERR_INTEGRITY },
		      { "short", "badkey", -1, 1, ERR_BADKEY },
		      { IMAGE_PASS, "keyslot-absent", 5, 16, ERR_INTEGRITY } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err *e = NULL;
		struct opened o;

		open_header(&o, "base");
		assert_int_equal(try_unlock(&o, cases[i].pass, cases[i].min, cases[i].keyslot, &e), -1);
		if (err_class(e) != cases[i].cls || strcmp(err_id(e), cases[i].id) != 0)
			fail_msg("case %zu: %s", i, err_message(e));
		assert_null(strstr(err_message(e), IMAGE_PASS));
		err_free(e);
		close_volume(&o);
	}
}

static void test_cheap_slot_first(void **state)
{
	struct err *e = NULL;
	struct opened o;

	image_copy("argon2id", "case");
	image_cryptsetup("luksAddKey --key-file %P --pbkdf pbkdf2 --pbkdf-force-iterations 1000 %NAME %P", "case");
	open_header(&o, "case");
	assert_int_equal(try_unlock(&o, IMAGE_PASS, 16, -1, &e), 0);
	assert_int_equal(o.slot, 1);
	close_volume(&o);
	open_header(&o, "case");
	assert_int_equal(try_unlock(&o, IMAGE_PASS, 16, 0, &e), 0);
	assert_int_equal(o.slot, 0);
	close_volume(&o);
}

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
			open_volume(&o, images[i]);
			if (a.discard && luks_volume_has_integrity(o.v)) {
				assert_int_equal(luks_volume_activate(o.v, &mapper, o.key, &a, &e), -1);
				assert_int_equal(err_class(e), ERR_CONFIG);
				err_free(e);
				close_volume(&o);
				continue;
			}
			if (luks_volume_activate(o.v, &mapper, o.key, &a, &e) < 0 ||
			    luks_volume_check_table(o.v, &mapper, "root", a.discard, &e) < 0)
				fail_msg("%s, variant %d: %s", images[i], variant, err_message(e));
			assert_true(mapped("root"));
			assert_int_equal(mapped("root_dif"), luks_volume_has_integrity(o.v));
			assert_int_equal(luks_volume_check_table(o.v, &mapper, "root", !a.discard, &e), -1);
			assert_string_equal(err_id(e), "K6");
			err_clear(&e);
			assert_int_equal(luks_volume_deactivate(o.v, &mapper, "root", &e), 0);
			assert_false(mapped("root") || mapped("root_dif"));
			close_volume(&o);
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

		open_volume(&o, image);
		if ((cases[i].integrity_only && !luks_volume_has_integrity(o.v)) ||
		    (cases[i].fault == RECORDER_SHORT && luks_volume_has_integrity(o.v)) ||
		    (cases[i].fault == RECORDER_WRONG_OFFSET && luks_volume_has_integrity(o.v))) {
			close_volume(&o);
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
		close_volume(&o);
	}
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
	open_volume(&o, "base");
	assert_int_equal(luks_volume_activate(o.v, &mapper, o.key, &a, &e), -1);
	assert_int_equal(err_class(e), ERR_DEVICE);
	assert_string_equal(err_id(e), "name-taken");
	err_clear(&e);
	assert_true(mapped("root"));
	close_volume(&o);
	recorder_reset(0);
	put_mapping("root_dif", "CRYPT-PLAIN-root_dif", 0);
	open_volume(&o, "integrity");
	assert_int_equal(luks_volume_activate(o.v, &mapper, o.key, &a, &e), -1);
	assert_string_equal(err_id(e), "name-taken");
	assert_false(mapped("root"));
	err_free(e);
	close_volume(&o);
}

static void test_activation_errors(void **state)
{
	struct luks_activation a = { .name = "root" };
	struct secret *wrong = NULL;
	uint8_t zero[64] = { 0 };
	struct err *e = NULL;
	struct opened o;

	recorder_reset(RECORDER_FAIL_ACTIVATE);
	open_volume(&o, "base");
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
	close_volume(&o);
	/* The node became another device in between. */
	image_copy("base", "case");
	open_volume(&o, "case");
	assert_int_equal(rename(image_path("case"), image_path("case-old")), 0);
	image_copy("foreign", "case");
	assert_int_equal(luks_volume_activate(o.v, &mapper, o.key, &a, &e), -1);
	assert_string_equal(err_id(e), "device-changed");
	assert_false(mapped("root"));
	err_free(e);
	close_volume(&o);
}

static void test_sweep(void **state)
{
	static const char p1[] = "cryptattest-0123456789abcdef", p2[] = "cryptattest-00000000000000aa";
	struct luks_activation a = { .private_name = true };
	unsigned int removed = 0;
	char name[32];
	struct opened o;

	recorder_reset(0);
	open_volume(&o, "integrity");
	assert_int_equal(mapper_private_name(name, NULL), 0);
	assert_true(mapper_name_is_private(name));
	a.name = name;
	assert_int_equal(luks_volume_activate(o.v, &mapper, o.key, &a, NULL), 0);
	close_volume(&o);
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
	open_volume(&o, "integrity");
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
	close_volume(&o);
}

/* Everything above has read the base image many times; not one byte of it changed. */
static void test_never_written(void **state)
{
	static char now[1024 * 1024], before[1024 * 1024];
	const char *paths[] = { "base", "base-kept" };

	for (int i = 0; i < 2; i++) {
		int fd = open(image_path(paths[i]), O_RDONLY | O_CLOEXEC);

		assert_int_equal(pread(fd, i ? before : now, sizeof(now), 0), sizeof(now));
		close(fd);
	}
	assert_memory_equal(now, before, sizeof(now));
}

static int make_images(void **state)
{
	static const char *const flags[] = { "set", "config.flags", "[\"allow-discards\",\"no-journal\"]", NULL };

	image_format("base", "--sector-size 512");
	image_copy("base", "base-kept");
	image_format("sectors", "--sector-size 4096");
	edit_run(image_path("sectors"), flags); /* compat: there, and ignored (K5) */
	image_integrity("integrity", "--sector-size 4096");
	image_format("renamed", "--offset 8192");
	image_cryptsetup("reencrypt --force-offline-reencrypt --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file %P %NAME",
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
		cmocka_unit_test(test_identity_is_stable), cmocka_unit_test(test_copy_is_sealed),
		cmocka_unit_test(test_header_swapped),	   cmocka_unit_test(test_unlock_errors),
		cmocka_unit_test(test_cheap_slot_first),   cmocka_unit_test(test_activate),
		cmocka_unit_test(test_read_back),	   cmocka_unit_test(test_name_taken),
		cmocka_unit_test(test_activation_errors),  cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_remove_volume),	   cmocka_unit_test(test_never_written),
	};

	image_tool_or_skip();
	return cmocka_run_group_tests(tests, make_images, NULL);
}
