/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/cleanup.h"
#include "luks/part_table.h"
#include "tests/headers/disk.h"
#include "tests/lib/mutate.h"

static void test_gpt(void **state)
{
	uint8_t disk[DISK_TABLE_SIZE], *entries = disk + 1024;
	char out[PARTUUID_SIZE];
	uint64_t lba = 0;
	struct gpt g;

	disk_gpt(disk, 1, 2);
	assert_true(gpt_header_parse(disk + 512, 512, 1, &g));
	assert_int_equal(g.entries_lba, 2);
	assert_int_equal(gpt_entries_size(&g), 512);
	assert_true(gpt_partuuid(&g, entries, 512, 1, &lba, out));
	assert_string_equal(out, DISK_PARTUUID_1);
	assert_int_equal(lba, 2048);
	assert_true(gpt_partuuid(&g, entries, 512, 2, &lba, out));
	assert_string_equal(out, DISK_PARTUUID_2);
	assert_false(gpt_partuuid(&g, entries, 512, 3, &lba, out)); /* unused */
	assert_false(gpt_partuuid(&g, entries, 512, 0, &lba, out));
	assert_false(gpt_partuuid(&g, entries, 512, 5, &lba, out));
	assert_false(gpt_partuuid(&g, entries, 511, 1, &lba, out));
	entries[300] ^= 1;
	assert_false(gpt_partuuid(&g, entries, 512, 1, &lba, out));
	/* The header says where it is. */
	assert_false(gpt_header_parse(disk + 512, 512, 2, &g));
	assert_false(gpt_header_parse(disk + 512, 511, 1, &g));
}

static void header_flip(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	struct gpt g;

	if (gpt_header_parse(data, len, 1, &g))
		fail_msg("%s: accepted", what);
}

static void test_gpt_flips(void **state)
{
	uint8_t disk[DISK_TABLE_SIZE];

	disk_gpt(disk, 1, 2);
	mutate_bit_flips(disk + 512, 0, 8, 512, header_flip, NULL);
	mutate_bit_flips(disk + 512, 12, 92, 512, header_flip, NULL);
	mutate_truncations(disk + 512, 512, 7, header_flip, NULL);
}

/* Numbers that a host may write with a right CRC. */
static void test_gpt_bounds(void **state)
{
	static const struct {
		uint32_t count, size;
		bool ok;
	} cases[] = { { 1024, 128, true }, { 1025, 128, false }, { 0, 128, false },	    { 4, 127, false },
		      { 4, 0, false },	   { 32, 4096, true },	 { 4, 8192, false }, { 0xffffffff, 0xffffff80, false },
		      { 4, 192, false } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t disk[DISK_TABLE_SIZE];
		struct gpt g;

		disk_gpt(disk, 1, 2);
		disk_gpt_shape(disk, cases[i].count, cases[i].size);
		assert_int_equal(gpt_header_parse(disk + 512, 512, 1, &g), cases[i].ok);
		if (cases[i].ok)
			assert_true(gpt_entries_size(&g) <= GPT_ENTRIES_MAX);
	}
}

static void test_mbr(void **state)
{
	uint8_t disk[DISK_TABLE_SIZE];
	char out[PARTUUID_SIZE];

	disk_mbr(disk);
	assert_true(mbr_partuuid(disk, 512, 2, out));
	assert_string_equal(out, "deadbeef-02");
	assert_true(mbr_partuuid(disk, 512, 15, out));
	assert_string_equal(out, "deadbeef-0f");
	assert_false(mbr_partuuid(disk, 512, 0, out));
	assert_false(mbr_partuuid(disk, 512, 256, out));
	assert_false(mbr_partuuid(disk, 511, 2, out));
	disk_gpt(disk, 1, 2); /* with a protective MBR */
	assert_false(mbr_partuuid(disk, 512, 1, out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gpt),
		cmocka_unit_test(test_gpt_flips),
		cmocka_unit_test(test_gpt_bounds),
		cmocka_unit_test(test_mbr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
