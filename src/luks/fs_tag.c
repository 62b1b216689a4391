/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "luks/fs_tag.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define EXT_SUPER 1024
#define EXT_MAGIC (EXT_SUPER + 0x38)
#define EXT_UUID (EXT_SUPER + 0x68)
#define EXT_LABEL (EXT_SUPER + 0x78)
/* BIOS parameter block: FAT12 and FAT16 have a shorter one than FAT32. */
#define FAT_TYPE_16 0x36
#define FAT_TYPE_32 0x52
#define FAT_SERIAL_TO_LABEL 4
#define FAT_LABEL_TO_TYPE 11

static void take_label(const uint8_t *p, size_t len, char out[static 17])
{
	while (len && (p[len - 1] == ' ' || p[len - 1] == 0))
		len--;
	text_sanitise((const char *)p, strnlen((const char *)p, len), out, 17);
}

static bool parse_ext(const uint8_t *d, struct fs_tag *ret)
{
	const uint8_t *u = d + EXT_UUID;

	if (d[EXT_MAGIC] != 0x53 || d[EXT_MAGIC + 1] != 0xef)
		return false;
	ret->type = "ext4"; /* its driver mounts the older two as well */
	snprintf(ret->uuid, sizeof(ret->uuid), "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1], u[2], u[3],
		 u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
	take_label(d + EXT_LABEL, 16, ret->label);
	return true;
}

static bool parse_fat(const uint8_t *d, struct fs_tag *ret)
{
	const uint8_t *type = memcmp(d + FAT_TYPE_32, "FAT32   ", 8) == 0 ? d + FAT_TYPE_32 : d + FAT_TYPE_16;
	const uint8_t *label = type - FAT_LABEL_TO_TYPE, *serial = label - FAT_SERIAL_TO_LABEL;

	if (d[510] != 0x55 || d[511] != 0xaa || memcmp(type, "FAT", 3) != 0)
		return false;
	ret->type = "vfat";
	snprintf(ret->uuid, sizeof(ret->uuid), "%02X%02X-%02X%02X", serial[3], serial[2], serial[1], serial[0]);
	take_label(label, FAT_LABEL_TO_TYPE, ret->label);
	if (strcmp(ret->label, "NO NAME") == 0)
		ret->label[0] = 0;
	return true;
}

bool fs_tag_parse(const uint8_t *data, size_t len, struct fs_tag *ret)
{
	memset(ret, 0, sizeof(*ret));
	return len >= FS_TAG_BYTES && (parse_ext(data, ret) || parse_fat(data, ret));
}
