/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/headers/disk.h"

#include <string.h>

static void put(uint8_t *p, uint64_t v, int n)
{
	for (int i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

uint32_t disk_crc32(const uint8_t *p, uint32_t n)
{
	uint32_t crc = UINT32_MAX;

	while (n--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = (crc & 1) ? (crc >> 1) ^ UINT32_C(0xedb88320) : crc >> 1;
	}
	return ~crc;
}

static void header_crc(uint8_t *h)
{
	put(h + 16, 0, 4);
	put(h + 16, disk_crc32(h, 92), 4);
}

static void entry(uint8_t *p, const char *name, uint64_t first, uint64_t last)
{
	memset(p, 0x4c, 16); /* type */
	put(p + 32, first, 8);
	put(p + 40, last, 8);
	for (int i = 0; name[i]; i++)
		put(p + 56 + 2 * i, (uint8_t)name[i], 2);
}

void disk_gpt(uint8_t out[static DISK_TABLE_SIZE], uint64_t my_lba, uint64_t entries_lba)
{
	uint8_t *h = out + 512, *e = out + 1024;

	memset(out, 0, DISK_TABLE_SIZE);
	out[446 + 4] = 0xee; /* the kernel wants this entry to begin at 1 */
	put(out + 446 + 8, 1, 4);
	put(out + 446 + 12, UINT32_MAX, 4);
	out[510] = 0x55;
	out[511] = 0xaa;
	entry(e, "root-crypt", 2048, 4095);
	for (int i = 0; i < 16; i++)
		e[16 + i] = (uint8_t)i;
	entry(e + 128, "data-crypt", 4096, 8191);
	memset(e + 128 + 16, 0xaa, 16);
	memcpy(h, "EFI PART", 8);
	put(h + 8, 0x10000, 4);
	put(h + 12, 92, 4);
	put(h + 24, my_lba, 8);
	put(h + 40, 34, 8);    /* first and last usable */
	put(h + 48, 16350, 8);
	put(h + 72, entries_lba, 8);
	put(h + 80, 4, 4);
	put(h + 84, 128, 4);
	put(h + 88, disk_crc32(e, 512), 4);
	header_crc(h);
}

void disk_gpt_shape(uint8_t disk[static DISK_TABLE_SIZE], uint32_t count, uint32_t entry_size)
{
	put(disk + 512 + 80, count, 4);
	put(disk + 512 + 84, entry_size, 4);
	header_crc(disk + 512);
}

void disk_mbr(uint8_t out[static DISK_TABLE_SIZE])
{
	memset(out, 0, DISK_TABLE_SIZE);
	put(out + 440, 0xdeadbeef, 4);
	out[446 + 4] = 0x83;
	out[510] = 0x55;
	out[511] = 0xaa;
}
