/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "evidence/pe_image.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"

#define ZEROS_MAX ((size_t)1 << 20)

static int bad(const char *what, struct err **err)
{
	return err_set(err, ERR_INTEGRITY, "pe-image", "no PE image: %s", what);
}

/* Offsets in the optional header: PE32 (0x10B) or PE32+ (0x20B), Microsoft PE Format, "Optional Header". */
static int read_optional(struct pe_image *pe, size_t off, size_t size, struct err **err)
{
	struct rd r = RD_INIT(pe->bytes, pe->len);
	size_t count_off, directory;
	uint16_t magic;
	uint32_t n, cert_at;

	rd_seek(&r, off);
	magic = rd_u16le(&r);
	if (magic != 0x10B && magic != 0x20B)
		return bad("unknown optional header", err);
	count_off = magic == 0x20B ? 108 : 92;
	rd_seek(&r, off + 60);
	pe->headers_size = rd_u32le(&r);
	pe->checksum_off = off + 64;
	rd_seek(&r, off + count_off);
	n = rd_u32le(&r);
	if (r.bad || size < count_off + 4 || pe->headers_size > pe->len || pe->headers_size < off + size)
		return bad("headers are cut short", err);
	if (n <= 4)
		return 0;
	directory = count_off + 4 + 4 * 8;
	if (directory + 8 > size)
		return bad("directory is cut short", err);
	pe->cert_entry_off = off + directory;
	rd_seek(&r, pe->cert_entry_off);
	cert_at = rd_u32le(&r);
	pe->cert_size = rd_u32le(&r);
	if (pe->cert_size && (cert_at > pe->len || pe->cert_size > pe->len - cert_at))
		return bad("certificates lie outside of the file", err);
	return 0;
}

static int read_sections(struct pe_image *pe, struct rd *r, size_t n, struct err **err)
{
	for (size_t i = 0; i < n; i++) {
		struct pe_section *s = &pe->section[i];

		rd_copy(r, s->name, 8);
		s->mem_size = rd_u32le(r);
		rd_skip(r, 4);
		s->file_size = rd_u32le(r);
		s->file_off = rd_u32le(r);
		rd_skip(r, 16);
		if (r->bad)
			return bad("section table is cut short", err);
		if (s->file_size && (s->file_off > pe->len || s->file_size > pe->len - s->file_off))
			return bad("a section lies outside of the file", err);
	}
	pe->n_sections = n;
	return 0;
}

int pe_parse(const uint8_t *bytes, size_t len, struct pe_image *ret, struct err **err)
{
	struct pe_image pe = { .bytes = bytes, .len = len };
	struct rd r = RD_INIT(bytes, len);
	uint16_t n, optional;
	uint32_t at;

	if (rd_u16le(&r) != 0x5A4D)
		return bad("it does not begin with MZ", err);
	rd_seek(&r, 0x3C);
	at = rd_u32le(&r);
	rd_seek(&r, at);
	if (rd_u32le(&r) != 0x4550)
		return bad("no PE header", err);
	rd_skip(&r, 2);
	n = rd_u16le(&r);
	rd_skip(&r, 12);
	optional = rd_u16le(&r);
	rd_skip(&r, 2);
	if (r.bad || n > PE_SECTIONS_MAX || optional > rd_left(&r))
		return bad("header is cut short, or has too many sections", err);
	if (read_optional(&pe, r.off, optional, err) < 0)
		return -1;
	rd_skip(&r, optional);
	if (read_sections(&pe, &r, n, err) < 0)
		return -1;
	*ret = pe;
	return 0;
}

static int by_offset(const void *a, const void *b)
{
	const struct pe_section *x = a, *y = b;

	return x->file_off < y->file_off ? -1 : x->file_off > y->file_off;
}

int pe_authenticode(const struct pe_image *pe, enum digest_alg alg, uint8_t out[static DIGEST_MAX], struct err **err)
{
	struct digest_piece pieces[PE_SECTIONS_MAX + 4];
	struct pe_section sorted[PE_SECTIONS_MAX];
	size_t n = 0, at = pe->checksum_off + 4, hashed = pe->headers_size;

	pieces[n++] = (struct digest_piece){ pe->bytes, pe->checksum_off };
	if (pe->cert_entry_off) {
		pieces[n++] = (struct digest_piece){ pe->bytes + at, pe->cert_entry_off - at };
		at = pe->cert_entry_off + 8;
	}
	if (at > pe->headers_size)
		return bad("headers are cut short", err);
	pieces[n++] = (struct digest_piece){ pe->bytes + at, pe->headers_size - at };
	memcpy(sorted, pe->section, pe->n_sections * sizeof(sorted[0]));
	qsort(sorted, pe->n_sections, sizeof(sorted[0]), by_offset);
	for (size_t i = 0; i < pe->n_sections; i++) {
		if (!sorted[i].file_size)
			continue;
		pieces[n++] = (struct digest_piece){ pe->bytes + sorted[i].file_off, sorted[i].file_size };
		hashed += sorted[i].file_size;
	}
	if (hashed > pe->len)
		return bad("sections overlap", err);
	if (pe->len > hashed) {
		if (pe->cert_size > pe->len - hashed)
			return bad("certificates overlap the sections", err);
		pieces[n++] = (struct digest_piece){ pe->bytes + hashed, pe->len - hashed - pe->cert_size };
	}
	return digest_pieces(alg, pieces, n, out, err);
}

const struct pe_section *pe_find(const struct pe_image *pe, const char *name)
{
	for (size_t i = 0; i < pe->n_sections; i++)
		if (text_eq(pe->section[i].name, name))
			return &pe->section[i];
	return NULL;
}

int pe_content(const struct pe_image *pe, const struct pe_section *s, struct pe_content *ret, struct err **err)
{
	struct pe_content c = { .bytes = pe->bytes + s->file_off };

	c.len = s->mem_size < s->file_size ? s->mem_size : s->file_size;
	c.zeros = s->mem_size - c.len;
	if (!s->file_size)
		c.bytes = pe->bytes;
	if (c.zeros > ZEROS_MAX)
		return bad("a section is mostly empty", err);
	*ret = c;
	return 0;
}

int pe_content_digest(const struct pe_content *c, enum digest_alg alg, uint8_t out[static DIGEST_MAX], struct err **err)
{
	_cleanup_free_ uint8_t *zeros = calloc(1, c->zeros + 1);
	const struct digest_piece pieces[] = { { c->bytes, c->len }, { zeros, c->zeros } };

	if (!zeros)
		return err_nomem(err);
	return digest_pieces(alg, pieces, ARRAY_SIZE(pieces), out, err);
}
