/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The start of a disk: sector 0, the block at LBA 1, then entries. The CRCs are made right, or nothing would be reached. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "luks/part_table.h"
#include "tests/headers/disk.h"

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t get32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void try_entries(uint8_t head[static 512], const uint8_t *entries, size_t have)
{
	uint32_t size = get32(head + 12);
	char out[PARTUUID_SIZE];
	uint8_t *all;
	uint64_t lba;
	struct gpt g;
	size_t want;

	want = (size_t)get32(head + 80) * get32(head + 84);
	if (want == 0 || want > GPT_ENTRIES_MAX || !(all = calloc(1, want)))
		return;
	memcpy(all, entries, have < want ? have : want);
	put32(head + 88, disk_crc32(all, (uint32_t)want));
	put32(head + 16, 0);
	if (size >= 92 && size <= 512)
		put32(head + 16, disk_crc32(head, size));
	if (gpt_header_parse(head, 512, 1, &g)) {
		if (gpt_entries_size(&g) != want)
			abort();
		for (unsigned int n = 0; n < 12; n++)
			if (gpt_partuuid(&g, all, want, n, &lba, out) && strlen(out) != 36)
				abort();
		if (gpt_partuuid(&g, all, want, g.count + 1, &lba, out))
			abort();
	}
	free(all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char out[PARTUUID_SIZE];
	uint8_t head[512];
	struct gpt g;

	for (unsigned int n = 0; n < 300; n += 7)
		if (mbr_partuuid(data, size, n, out) && strlen(out) != 11)
			abort();
	if (size < 1024)
		return 0;
	gpt_header_parse(data + 512, size - 512, 1, &g);
	memcpy(head, data + 512, sizeof(head));
	try_entries(head, data + 1024, size - 1024);
	return 0;
}
