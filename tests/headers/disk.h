/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The first sectors of a partitioned disk, for tests. */
#ifndef CRYPTATTEST_TESTS_HEADERS_DISK_H
#define CRYPTATTEST_TESTS_HEADERS_DISK_H

#include <stdint.h>

#define DISK_TABLE_SIZE 1536 /* sector 0, header, four entries */
#define DISK_PARTUUID_1 "03020100-0504-0706-0809-0a0b0c0d0e0f"
#define DISK_PARTUUID_2 "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"

/* GPT: partition 1 from LBA 2048, partition 2 from 4096; header for my_lba with the entries at entries_lba. */
void disk_gpt(uint8_t out[static DISK_TABLE_SIZE], uint64_t my_lba, uint64_t entries_lba);
/* Other numbers in the header, its CRC made right. */
void disk_gpt_shape(uint8_t disk[static DISK_TABLE_SIZE], uint32_t count, uint32_t entry_size);
/* DOS table, signature deadbeef. */
void disk_mbr(uint8_t out[static DISK_TABLE_SIZE]);
uint32_t disk_crc32(const uint8_t *p, uint32_t n);

#endif
