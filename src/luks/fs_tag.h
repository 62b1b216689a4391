/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* UUID and label of a file system that may hold a sealed secret's file: vfat and ext2/3/4. Pure, over the device's first bytes. */
#ifndef CRYPTATTEST_LUKS_FS_TAG_H
#define CRYPTATTEST_LUKS_FS_TAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FS_TAG_BYTES 2048

struct fs_tag {
	const char *type; /* for mount: "vfat", "ext4" */
	char uuid[37];	  /* "ABCD-0123" or 36 characters, as blkid prints them */
	char label[17];	  /* trailing blanks removed; what is not printable becomes '?' */
};

/* False when these are not the first FS_TAG_BYTES of such a file system. */
bool fs_tag_parse(const uint8_t *data, size_t len, struct fs_tag *ret);

#endif
