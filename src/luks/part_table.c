/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "luks/part_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

#define HEADER_MIN 92
#define ENTRY_MIN 128
#define ENTRY_MAX 4096
#define MBR_TYPE_OFFSET(i) (446 + 16 * (i) + 4)
#define MBR_TYPE_PROTECTIVE 0xee

static uint32_t crc32_update(uint32_t crc, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
	}
	return crc;
}

static uint32_t crc32_of(const uint8_t *p, size_t n)
{
	return ~crc32_update(UINT32_MAX, p, n);
}

/* The header's CRC is computed with its own field zero. */
static uint32_t header_crc(const uint8_t *block, size_t header_size)
{
	static const uint8_t zero[4];
	uint32_t crc = crc32_update(UINT32_MAX, block, 16);

	crc = crc32_update(crc, zero, sizeof(zero));
	return ~crc32_update(crc, block + 20, header_size - 20);
}

bool gpt_header_parse(const uint8_t *block, size_t len, uint64_t lba, struct gpt *ret)
{
	struct rd r = RD_INIT(block, len);
	uint32_t header_size, crc;
	struct gpt g;
	uint64_t my_lba;

	if (len < 512 || memcmp(block, "EFI PART", 8) != 0)
		return false;
	rd_seek(&r, 12);
	header_size = rd_u32le(&r);
	crc = rd_u32le(&r);
	rd_skip(&r, 4);
	my_lba = rd_u64le(&r);
	if (header_size < HEADER_MIN || header_size > 512 || my_lba != lba || header_crc(block, header_size) != crc)
		return false;
	rd_seek(&r, 72);
	g.entries_lba = rd_u64le(&r);
	g.count = rd_u32le(&r);
	g.entry_size = rd_u32le(&r);
	g.entries_crc = rd_u32le(&r);
	if (g.entry_size < ENTRY_MIN || g.entry_size > ENTRY_MAX || g.entry_size % 128 != 0 || g.count == 0 ||
	    g.count > GPT_ENTRIES_MAX / g.entry_size || g.entries_lba > UINT64_MAX / 4096)
		return false;
	*ret = g;
	return true;
}

size_t gpt_entries_size(const struct gpt *g)
{
	return (size_t)g->count * g->entry_size;
}

bool gpt_partuuid(const struct gpt *g, const uint8_t *entries, size_t len, unsigned int partno, uint64_t *ret_first_lba,
		  char out[static PARTUUID_SIZE])
{
	struct rd r = RD_INIT(entries, len);
	uint32_t a;
	uint16_t b, c;
	uint8_t rest[8];

	if (len != gpt_entries_size(g) || partno < 1 || partno > g->count || crc32_of(entries, len) != g->entries_crc)
		return false;
	rd_seek(&r, (size_t)(partno - 1) * g->entry_size);
	if (all_zero(entries + (size_t)(partno - 1) * g->entry_size, 16))
		return false; /* unused entry */
	rd_skip(&r, 16);
	a = rd_u32le(&r);
	b = rd_u16le(&r);
	c = rd_u16le(&r);
	rd_copy(&r, rest, sizeof(rest));
	*ret_first_lba = rd_u64le(&r);
	snprintf(out, PARTUUID_SIZE, "%08" PRIx32 "-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x", a, b, c, rest[0], rest[1], rest[2],
		 rest[3], rest[4], rest[5], rest[6], rest[7]);
	return !r.bad;
}

bool mbr_partuuid(const uint8_t *sector, size_t len, unsigned int partno, char out[static PARTUUID_SIZE])
{
	struct rd r = RD_INIT(sector, len);
	uint32_t signature;

	if (len < 512 || sector[510] != 0x55 || sector[511] != 0xaa || partno < 1 || partno > 255)
		return false;
	for (int i = 0; i < 4; i++)
		if (sector[MBR_TYPE_OFFSET(i)] == MBR_TYPE_PROTECTIVE)
			return false;
	rd_seek(&r, 440);
	signature = rd_u32le(&r);
	if (signature == 0)
		return false;
	snprintf(out, PARTUUID_SIZE, "%08" PRIx32 "-%02x", signature, partno);
	return true;
}
