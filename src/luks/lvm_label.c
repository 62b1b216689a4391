/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "luks/lvm_label.h"

#include <string.h>
#include <unistd.h>

#define SECTOR 512
#define LABEL_SIZE 32	 /* id, sector, crc, offset, type */
#define PV_HEADER_MIN 40 /* uuid, size */
#define LOCATIONS_MAX 16

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t le64(const uint8_t *p)
{
	return le32(p) | (uint64_t)le32(p + 4) << 32;
}

/* A list of {offset, size} that a pair of zeros ends. Returns the end of the list, NULL when it does not end. */
static const uint8_t *locations(const uint8_t *p, const uint8_t *end, uint64_t *ret_offset, uint64_t *ret_size)
{
	for (int i = 0; i < LOCATIONS_MAX && end - p >= 16; i++, p += 16) {
		if (!le64(p) && !le64(p + 8))
			return p + 16;
		if (i == 0 && ret_offset) {
			*ret_offset = le64(p);
			*ret_size = le64(p + 8);
		}
	}
	return NULL;
}

bool lvm_label_parse(const uint8_t *area, size_t len, uint64_t *ret_offset, uint64_t *ret_size)
{
	for (size_t at = 0; at + SECTOR <= len && at < LVM_LABEL_AREA; at += SECTOR) {
		const uint8_t *sector = area + at, *end = sector + SECTOR, *p;
		uint64_t offset = 0, size = 0;
		uint32_t header;

		if (memcmp(sector, "LABELONE", 8) != 0 || memcmp(sector + 24, "LVM2 001", 8) != 0)
			continue;
		header = le32(sector + 20);
		if (header < LABEL_SIZE || header > SECTOR - PV_HEADER_MIN)
			continue;
		p = locations(sector + header + PV_HEADER_MIN, end, NULL, NULL); /* data areas */
		if (!p || !locations(p, end, &offset, &size) || !offset || !size)
			continue;
		*ret_offset = offset;
		*ret_size = size;
		return true;
	}
	return false;
}

bool lvm_mda_parse(const uint8_t *mda, size_t len, uint64_t area_size, uint64_t *ret_offset)
{
	static const char magic[] = " LVM2 x[5A%r0N*>";
	uint64_t offset;

	if (len < SECTOR || memcmp(mda + 4, magic, 16) != 0)
		return false;
	offset = le64(mda + 40); /* first raw location, after checksum, magic, version, start and size */
	if (offset < SECTOR || offset >= area_size)
		return false;
	*ret_offset = offset;
	return true;
}

bool lvm_text_name(const char *text, size_t len, char out[static LVM_NAME_MAX])
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+_.-";
	size_t n = 0, p;

	while (n < len && text[n] && strchr(allowed, text[n]))
		n++;
	for (p = n; p < len && (text[p] == ' ' || text[p] == '\t'); p++)
		;
	if (!n || n >= LVM_NAME_MAX || p >= len || text[p] != '{')
		return false;
	memcpy(out, text, n);
	out[n] = '\0';
	return true;
}

bool lvm_vg_name(int fd, char out[static LVM_NAME_MAX])
{
	uint8_t area[LVM_LABEL_AREA], mda[SECTOR];
	uint64_t offset, size, text;
	char words[2 * LVM_NAME_MAX];
	ssize_t n;

	if (pread(fd, area, sizeof(area), 0) != (ssize_t)sizeof(area) || !lvm_label_parse(area, sizeof(area), &offset, &size))
		return false;
	if (offset > INT64_MAX - size || pread(fd, mda, sizeof(mda), (off_t)offset) != (ssize_t)sizeof(mda) ||
	    !lvm_mda_parse(mda, sizeof(mda), size, &text))
		return false;
	n = pread(fd, words, sizeof(words), (off_t)(offset + text));
	return n > 0 && lvm_text_name(words, (size_t)n, out);
}
