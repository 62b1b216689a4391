/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Tags of file systems that mkfs made, as blkid would print them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "luks/fs_tag.h"

/* The first bytes of what COMMAND makes of an image of so many MiB; false when there is no such program. */
static bool made_by(const char *command, unsigned int mib, uint8_t out[static FS_TAG_BYTES])
{
	char path[] = "/tmp/test_fs_tag.XXXXXX", line[256];
	_cleanup_close_ int fd = mkstemp(path);
	bool ok;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)mib << 20), 0);
	snprintf(line, sizeof(line), "PATH=$PATH:/usr/sbin:/sbin; %s %s >/dev/null 2>&1", command, path);
	ok = system(line) == 0;
	assert_int_equal(pread(fd, out, FS_TAG_BYTES, 0), FS_TAG_BYTES);
	unlink(path);
	return ok;
}

static void made_by_mkfs(void **state)
{
	static const struct {
		const char *command;
		unsigned int mib;
		const char *type, *uuid, *label;
	} t[] = { { "mkfs.vfat -F 12 -i 0123abcd -n EFI", 2, "vfat", "0123-ABCD", "EFI" },
		  { "mkfs.vfat -F 16 -i deadbeef", 20, "vfat", "DEAD-BEEF", "" },
		  { "mkfs.vfat -F 32 -i 00000001 -n 'A B'", 40, "vfat", "0000-0001", "A B" },
		  { "mkfs.ext4 -q -F -U 6f1c2d3e-1111-4222-8333-444455556666 -L 0123456789abcdef", 2, "ext4",
		    "6f1c2d3e-1111-4222-8333-444455556666", "0123456789abcdef" },
		  { "mkfs.ext2 -q -F -U 6f1c2d3e-1111-4222-8333-444455556667", 2, "ext4", "6f1c2d3e-1111-4222-8333-444455556667", "" } };

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		uint8_t head[FS_TAG_BYTES];
		struct fs_tag tag;

		if (!made_by(t[i].command, t[i].mib, head)) {
			print_message("# not made here: %s\n", t[i].command);
			continue;
		}
		assert_true(fs_tag_parse(head, sizeof(head), &tag));
		assert_string_equal(tag.type, t[i].type);
		assert_string_equal(tag.uuid, t[i].uuid);
		assert_string_equal(tag.label, t[i].label);
		assert_false(fs_tag_parse(head, sizeof(head) - 1, &tag));
	}
}

/* Bytes by hand, where mkfs is missing; whatever stands in the label, it stays one short line. */
static void by_hand(void **state)
{
	uint8_t d[FS_TAG_BYTES] = { 0 };
	struct fs_tag tag;

	assert_false(fs_tag_parse(d, sizeof(d), &tag));
	d[510] = 0x55;
	d[511] = 0xaa;
	assert_false(fs_tag_parse(d, sizeof(d), &tag)); /* any boot sector */
	memcpy(d + 0x36, "FAT16   ", 8);
	memcpy(d + 0x27, "\xcd\xab\x23\x01", 4);
	memcpy(d + 0x2b, "a\n\xff\x1b[31m    ", 11);
	assert_true(fs_tag_parse(d, sizeof(d), &tag));
	assert_string_equal(tag.uuid, "0123-ABCD");
	assert_string_equal(tag.label, "a???[31m");
	memset(d, 0xff, sizeof(d));
	d[1024 + 0x38] = 0x53;
	d[1024 + 0x39] = 0xef;
	assert_true(fs_tag_parse(d, sizeof(d), &tag));
	assert_string_equal(tag.uuid, "ffffffff-ffff-ffff-ffff-ffffffffffff");
	assert_string_equal(tag.label, "????????????????");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(made_by_mkfs), cmocka_unit_test(by_hand) };

	return cmocka_run_group_tests_name("fs_tag", tests, NULL, NULL);
}
