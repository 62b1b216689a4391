/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "evidence/cert_table.h"

#include <string.h>

#include "base/cleanup.h"
#include "evidence/evidence.h"

#define ENTRY_SIZE 24

/* GUIDs stand in printed order, unlike those of the SVSM manifest (tee-evidence.md 2.4). */
static const struct {
	enum cert_kind kind;
	const char *name;
	uint8_t guid[16];
} kinds[] = {
	{ CERT_ARK, "ARK", { 0xC0, 0xB4, 0x06, 0xA4, 0xA8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3F, 0xB6, 0x01, 0x4C, 0xD0, 0xAE } },
	{ CERT_ASK, "ASK", { 0x4A, 0xB7, 0xB3, 0x79, 0xBB, 0xAC, 0x4F, 0xE4, 0xA0, 0x2F, 0x05, 0xAE, 0xF3, 0x27, 0xC7, 0x82 } },
	{ CERT_VCEK, "VCEK", { 0x63, 0xDA, 0x75, 0x8D, 0xE6, 0x64, 0x45, 0x64, 0xAD, 0xC5, 0xF4, 0xB9, 0x3B, 0xE8, 0xAC, 0xCD } },
	{ CERT_VLEK, "VLEK", { 0xA8, 0x07, 0x4B, 0xC2, 0xA2, 0x5A, 0x48, 0x3E, 0xAA, 0xE6, 0x39, 0xC0, 0x45, 0xA0, 0xB8, 0xA1 } },
	{ CERT_CRL, "CRL", { 0x92, 0xF8, 0x1B, 0xC3, 0x58, 0x11, 0x4D, 0x3D, 0x97, 0xFF, 0xD1, 0x9F, 0x88, 0xDC, 0x67, 0xEA } },
};

const char *cert_kind_name(enum cert_kind k)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].kind == k)
			return kinds[i].name;
	return "OTHER";
}

static enum cert_kind kind_of_guid(const uint8_t *guid)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (memcmp(kinds[i].guid, guid, 16) == 0)
			return kinds[i].kind;
	return CERT_OTHER;
}

/* Reads the header; *ret_end is the first byte after it. Entries of length zero hold nothing and are left out. */
static int read_header(const uint8_t *raw, size_t len, struct cert_entry *out, size_t *ret_n, size_t *ret_end,
		       struct err **err)
{
	struct rd r = RD_INIT(raw, len);
	size_t n = 0;

	for (size_t i = 0; i <= CERT_TABLE_ENTRIES_MAX; i++) {
		const uint8_t *e = rd_ref(&r, ENTRY_SIZE);
		struct rd f = RD_INIT(e, e ? ENTRY_SIZE : 0);
		uint32_t off, size;

		if (!e)
			return err_set(err, ERR_INTEGRITY, "cert-table", "certificate table: no end after %zu entries", i);
		if (all_zero(e, ENTRY_SIZE)) {
			*ret_n = n;
			*ret_end = r.off;
			return 0;
		}
		if (i == CERT_TABLE_ENTRIES_MAX)
			break;
		rd_skip(&f, 16);
		off = rd_u32le(&f);
		size = rd_u32le(&f);
		if (off > len || size > len - off)
			return err_set(err, ERR_INTEGRITY, "cert-table",
				       "certificate table: entry %zu (%u bytes at %u) leaves the %zu bytes", i, size, off, len);
		if (!size)
			continue;
		out[n] = (struct cert_entry){ .kind = kind_of_guid(e), .der = raw + off, .der_len = size };
		memcpy(out[n++].guid, e, 16);
	}
	return err_set(err, ERR_INTEGRITY, "cert-table", "certificate table: more than %d entries", CERT_TABLE_ENTRIES_MAX);
}

/* Overlapping entries would let 16 KiB of table name half a megabyte of certificates. */
static int check_overlap(const struct cert_entry *e, size_t n, const uint8_t *data, struct err **err)
{
	for (size_t i = 0; i < n; i++) {
		if (e[i].der < data)
			return err_set(err, ERR_INTEGRITY, "cert-table", "certificate table: entry %zu overlaps the header", i);
		for (size_t j = 0; j < i; j++)
			if (e[i].der < e[j].der + e[j].der_len && e[j].der < e[i].der + e[i].der_len)
				return err_set(err, ERR_INTEGRITY, "cert-table",
					       "certificate table: entries %zu and %zu overlap", j, i);
	}
	return 0;
}

int cert_table_decode(const uint8_t *raw, size_t len, struct cert_entry out[static CERT_TABLE_ENTRIES_MAX],
		      size_t *ret_n, struct err **err)
{
	size_t n = 0, end = 0;

	if (len == 0 || all_zero(raw, len)) {
		*ret_n = 0;
		return 0;
	}
	if (len > CERT_TABLE_MAX)
		return err_set(err, ERR_INTEGRITY, "cert-table", "certificate table: %zu bytes, at most %d", len, CERT_TABLE_MAX);
	if (read_header(raw, len, out, &n, &end, err) < 0 || check_overlap(out, n, raw + end, err) < 0)
		return -1;
	*ret_n = n;
	return 0;
}

static const uint8_t *guid_of(const struct cert_entry *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].kind == e->kind)
			return kinds[i].guid;
	return e->guid;
}

int cert_table_encode(const struct cert_entry *entries, size_t n, struct buf *out, struct err **err)
{
	size_t off = (n + 1) * ENTRY_SIZE, total = off;

	if (n > CERT_TABLE_ENTRIES_MAX)
		return err_set(err, ERR_INTEGRITY, "cert-table", "certificate table: %zu entries, at most %d", n,
			       CERT_TABLE_ENTRIES_MAX);
	for (size_t i = 0; i < n; i++) {
		if (entries[i].der_len > CERT_TABLE_MAX || total + entries[i].der_len > CERT_TABLE_MAX)
			return err_set(err, ERR_INTEGRITY, "cert-table", "certificate table: more than %d bytes",
				       CERT_TABLE_MAX);
		total += entries[i].der_len;
	}
	for (size_t i = 0; i < n; i++) {
		buf_append(out, guid_of(&entries[i]), 16);
		buf_put_u32le(out, (uint32_t)off);
		buf_put_u32le(out, (uint32_t)entries[i].der_len);
		off += entries[i].der_len;
	}
	buf_put_zero(out, ENTRY_SIZE);
	for (size_t i = 0; i < n; i++)
		buf_append(out, entries[i].der, entries[i].der_len);
	return buf_check(out, err);
}
