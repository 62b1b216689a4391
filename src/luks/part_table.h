/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * PARTUUID from a partition table, for kernels whose uevents do not carry it. Pure over bytes that the host wrote; everything
 * is bounded. Not a partition manager: the kernel decided which partitions exist, this only names one of them.
 */
#ifndef CRYPTATTEST_LUKS_PART_TABLE_H
#define CRYPTATTEST_LUKS_PART_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GPT_ENTRIES_MAX (128 * 1024) /* bytes; the usual table has 16 KiB */
#define PARTUUID_SIZE 37

struct gpt {
	uint64_t entries_lba;
	uint32_t count, entry_size, entries_crc;
};

/* One block of at least 512 bytes, read at this LBA (1, or the last one for the backup). */
bool gpt_header_parse(const uint8_t *block, size_t len, uint64_t lba, struct gpt *ret);
size_t gpt_entries_size(const struct gpt *g);
/* entries: gpt_entries_size() bytes, checked against the header's CRC. partno counts from 1. Lower-case text. */
bool gpt_partuuid(const struct gpt *g, const uint8_t *entries, size_t len, unsigned int partno, uint64_t *ret_first_lba,
		  char out[static PARTUUID_SIZE]);
/* "%08x-%02x" of a disk with a DOS table (not a protective one). */
bool mbr_partuuid(const uint8_t *sector, size_t len, unsigned int partno, char out[static PARTUUID_SIZE]);

#endif
