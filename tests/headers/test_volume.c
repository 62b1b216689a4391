/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* From a real header to its volume key: identity, the sealed copy, K1-K3. */
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
#include "tests/headers/edit.h"
#include "tests/headers/image.h"
#include "tests/headers/opened.h"

#define ADD_KEY "luksAddKey --key-file %P --pbkdf pbkdf2 --pbkdf-force-iterations 1000 %NAME %Q"

static void ids_of(const char *image, char vk[static 65], char header[static 65])
{
	struct opened o;

	opened_volume(&o, image);
	assert_int_equal(luks_vk_id(o.key, o.h.uuid, "root", vk, NULL), 0);
	assert_int_equal(luks_header_id(&o.h, o.slot, header, NULL), 0);
	assert_int_equal(strlen(vk), 64);
	assert_int_equal(strlen(header), 64);
	opened_close(&o);
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
	opened_volume(&o, "case");
	assert_int_equal(luks_header_id(&o.h, 1, id2, NULL), 0);
	assert_string_not_equal(id, id2);
	assert_int_equal(luks_vk_id(o.key, o.h.uuid, "data", vk2, NULL), 0);
	assert_string_not_equal(vk, vk2);
	opened_close(&o);
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

	opened_header(&o, "base");
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
	opened_close(&o);
}

/* The host shows another header after the copy was made: the old one opens, the new one does not. */
static void test_header_swapped(void **state)
{
	char vk[65], id[65], vk2[65], id2[65];
	struct err *e = NULL;
	struct opened o;

	image_copy("base", "case");
	ids_of("case", vk, id);
	opened_header(&o, "case");
	image_copy("foreign", "case"); /* same inode: written over */
	assert_int_equal(opened_unlock(&o, IMAGE_PASS2, LUKS_SECRET_MIN, -1, &e), -1);
	assert_int_equal(err_class(e), ERR_BADKEY);
	err_clear(&e);
	assert_int_equal(opened_unlock(&o, IMAGE_PASS, LUKS_SECRET_MIN, -1, &e), 0);
	assert_int_equal(luks_vk_id(o.key, o.h.uuid, "root", vk2, NULL), 0);
	assert_int_equal(luks_header_id(&o.h, o.slot, id2, NULL), 0);
	assert_string_equal(vk, vk2);
	assert_string_equal(id, id2);
	opened_close(&o);
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

		opened_header(&o, "base");
		assert_int_equal(opened_unlock(&o, cases[i].pass, cases[i].min, cases[i].keyslot, &e), -1);
		if (err_class(e) != cases[i].cls || strcmp(err_id(e), cases[i].id) != 0)
			fail_msg("case %zu: %s", i, err_message(e));
		assert_null(strstr(err_message(e), IMAGE_PASS));
		err_free(e);
		opened_close(&o);
	}
}

static void test_cheap_slot_first(void **state)
{
	struct err *e = NULL;
	struct opened o;

	image_copy("argon2id", "case");
	image_cryptsetup("luksAddKey --key-file %P --pbkdf pbkdf2 --pbkdf-force-iterations 1000 %NAME %P", "case");
	opened_header(&o, "case");
	assert_int_equal(opened_unlock(&o, IMAGE_PASS, 16, -1, &e), 0);
	assert_int_equal(o.slot, 1);
	opened_close(&o);
	opened_header(&o, "case");
	assert_int_equal(opened_unlock(&o, IMAGE_PASS, 16, 0, &e), 0);
	assert_int_equal(o.slot, 0);
	opened_close(&o);
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
	image_format("base", "--sector-size 512");
	image_copy("base", "base-kept");
	image_format("sectors", "--sector-size 4096");
	image_new("foreign", IMAGE_SIZE);
	image_cryptsetup("luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file %Q %NAME", "foreign");
	image_new("argon2id", IMAGE_SIZE);
	image_cryptsetup("luksFormat --type luks2 --pbkdf argon2id --pbkdf-memory 65536 --pbkdf-force-iterations 4 "
			 "--pbkdf-parallel 1 --key-file %P %NAME", "argon2id");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity_is_stable), cmocka_unit_test(test_copy_is_sealed),
		cmocka_unit_test(test_header_swapped),	   cmocka_unit_test(test_unlock_errors),
		cmocka_unit_test(test_cheap_slot_first),   cmocka_unit_test(test_never_written),
	};

	image_tool_or_skip();
	return cmocka_run_group_tests(tests, make_images, NULL);
}
