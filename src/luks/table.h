/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * K6: is the kernel's table the one that we asked for? Pure: text in, verdict out. The text comes from our own kernel, but some
 * numbers in it (integrity superblock) come from the host's disk (A20).
 */
#ifndef CRYPTATTEST_LUKS_TABLE_H
#define CRYPTATTEST_LUKS_TABLE_H

#include "base/secret.h"
#include "luks/mapper.h"

struct table_expect {
	const char *name;	  /* dm name of the crypt mapping */
	const char *uuid;	  /* of the volume */
	const char *digest;	  /* number of the digest: part of the key's description */
	dev_t rdev;		  /* the device below */
	uint64_t device_size;	  /* bytes */
	uint64_t data_offset;	  /* bytes */
	unsigned int sector_size; /* 512 or 4096 */
	size_t key_size;	  /* 32, 64, 96 */
	bool integrity, discard;
	int read_only;		  /* 0, 1, -1 = either */
	const struct secret *key; /* compared when the table holds the key itself; NULL = length only */
};

/* The crypt mapping. lower: the dm device of <name>_dif when there is integrity. ERR_INTEGRITY "K6". */
int table_check_crypt(const struct mapper_info *info, const struct table_expect *e, dev_t lower, struct err **err);
/* The inner mapping of a volume with integrity (boot-integration.md 14.5). ERR_INTEGRITY "K6". */
int table_check_integrity(const struct mapper_info *info, const struct table_expect *e, struct err **err);
/* Both have the same length in sectors. ERR_INTEGRITY "K6". */
int table_check_lengths(const struct mapper_info *crypt, const struct mapper_info *integrity, struct err **err);

/* "CRYPT-LUKS2-<uuid without dashes>-<name>", or with kind "INTEGRITY". */
void table_dm_uuid(const char *kind, const char *uuid, const char *name, char *out, size_t cap);

#endif
