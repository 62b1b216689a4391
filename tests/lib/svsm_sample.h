/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Manifests as an SVSM makes them. */
#ifndef CRYPTATTEST_TESTS_SVSM_SAMPLE_H
#define CRYPTATTEST_TESTS_SVSM_SAMPLE_H

#include "base/buf.h"

struct svsm_sample_entry {
	const uint8_t *guid; /* 16 bytes, UEFI order */
	const void *data;
	size_t len;
};

static const uint8_t svsm_guid_vtpm[16] = { 0xeb, 0xf1, 0x76, 0xc4, 0x23, 0x01, 0xa5, 0x45,
					    0x96, 0x41, 0xb4, 0xe7, 0xdd, 0xe5, 0xbf, 0xe3 };
static const uint8_t svsm_guid_uefi_mm[16] = { 0x59, 0x3a, 0x45, 0xa4, 0x1b, 0x9e, 0x87, 0x47,
					       0xa0, 0x33, 0x19, 0x86, 0xd6, 0xad, 0xbe, 0x55 };

static inline void svsm_sample_table(const struct svsm_sample_entry *e, size_t n, struct buf *out)
{
	static const uint8_t table[16] = { 0xbb, 0x9e, 0x84, 0x63, 0x92, 0x3d, 0x70, 0x46,
					   0xa1, 0xff, 0x58, 0xf9, 0xc9, 0x4b, 0x87, 0xbb };
	size_t off = 24 + 24 * n, total = off;

	for (size_t i = 0; i < n; i++)
		total += e[i].len;
	buf_append(out, table, 16);
	buf_put_u32le(out, (uint32_t)total);
	buf_put_u32le(out, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		buf_append(out, e[i].guid, 16);
		buf_put_u32le(out, (uint32_t)off);
		buf_put_u32le(out, (uint32_t)e[i].len);
		off += e[i].len;
	}
	for (size_t i = 0; i < n; i++)
		buf_append(out, e[i].data, e[i].len);
}

/* The TCG default template of an RSA-2048 endorsement key, with this modulus. */
static inline void svsm_sample_ek(const uint8_t modulus[static 256], struct buf *out)
{
	static const uint8_t policy[32] = { 0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc,
					    0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52,
					    0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa };

	buf_put_u16be(out, 0x0001); /* RSA */
	buf_put_u16be(out, 0x000B); /* SHA-256 */
	buf_put_u32be(out, 0x000300B2); /* fixedTPM fixedParent sensitiveDataOrigin adminWithPolicy restricted decrypt */
	buf_put_u16be(out, 32);
	buf_append(out, policy, 32);
	buf_put_u16be(out, 0x0006); /* AES */
	buf_put_u16be(out, 128);
	buf_put_u16be(out, 0x0043); /* CFB */
	buf_put_u16be(out, 0x0010); /* no scheme */
	buf_put_u16be(out, 2048);
	buf_put_u32be(out, 0);
	buf_put_u16be(out, 256);
	buf_append(out, modulus, 256);
}

#endif
