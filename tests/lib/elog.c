/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/lib/elog.h"

#include <stdlib.h>
#include <string.h>

#include "evidence/pe_image.h"

#define TAG_LOAD_OPTIONS 0x8F3B22EDU
#define TAG_INITRD 0x8F3B22ECU

static void must(int rc)
{
	if (rc < 0)
		abort();
}

static void digests(const void *p, size_t len, uint8_t sha256[static DIGEST_MAX], uint8_t sha384[static DIGEST_MAX])
{
	must(digest_bytes(DIGEST_SHA256, p, len, sha256, NULL));
	must(digest_bytes(DIGEST_SHA384, p, len, sha384, NULL));
}

void elog_begin(struct buf *b)
{
	buf_put_u32le(b, 0);
	buf_put_u32le(b, EV_NO_ACTION);
	buf_put_zero(b, 20);
	buf_put_u32le(b, 16 + 8 + 4 + 12 + 1);
	buf_append(b, "Spec ID Event03", 16);
	buf_put_u32le(b, 0);
	buf_append(b, "\0\2\0\2", 4);
	buf_put_u32le(b, 3);
	buf_put_u16le(b, TCG_SHA1);
	buf_put_u16le(b, 20);
	buf_put_u16le(b, TCG_SHA256);
	buf_put_u16le(b, 32);
	buf_put_u16le(b, TCG_SHA384);
	buf_put_u16le(b, 48);
	buf_put_u8(b, 0);
}

void elog_digest(struct buf *b, uint32_t pcr, uint32_t type, const uint8_t sha256[32], const uint8_t sha384[48], const void *data, size_t len)
{
	buf_put_u32le(b, pcr);
	buf_put_u32le(b, type);
	buf_put_u32le(b, 3);
	buf_put_u16le(b, TCG_SHA1);
	for (int i = 0; i < 20; i++)
		buf_put_u8(b, 0xA1);
	buf_put_u16le(b, TCG_SHA256);
	buf_append(b, sha256, 32);
	buf_put_u16le(b, TCG_SHA384);
	buf_append(b, sha384, 48);
	buf_put_u32le(b, (uint32_t)len);
	buf_append(b, data, len);
}

void elog_event2(struct buf *b, uint32_t pcr, uint32_t type, const void *measured, size_t measured_len, const void *data, size_t len)
{
	uint8_t sha256[DIGEST_MAX], sha384[DIGEST_MAX];

	digests(measured, measured_len, sha256, sha384);
	elog_digest(b, pcr, type, sha256, sha384, data, len);
}

void elog_event(struct buf *b, uint32_t pcr, uint32_t type, const void *data, size_t len)
{
	elog_event2(b, pcr, type, data, len, data, len);
}

void elog_separator(struct buf *b, uint32_t pcr)
{
	elog_event(b, pcr, EV_SEPARATOR, "\0\0\0\0", 4);
}

void elog_utf16(struct buf *b, const char *text)
{
	for (const char *p = text; *p; p++)
		buf_put_u16le(b, (uint8_t)*p);
	buf_put_u16le(b, 0);
}

void elog_variable(struct buf *b, uint32_t pcr, uint32_t type, const char *name, const void *value, size_t len)
{
	struct buf d = BUF_INIT(ELOG_MAX), n = BUF_INIT(ELOG_MAX);

	elog_utf16(&n, name);
	buf_put_zero(&d, 16);
	buf_put_u64le(&d, strlen(name));
	buf_put_u64le(&d, len);
	buf_append(&d, n.data, n.len - 2);
	buf_append(&d, value, len);
	elog_event(b, pcr, type, d.data, d.len);
	buf_free(&d);
	buf_free(&n);
}

static void file_node(struct buf *b, const char *path)
{
	static const uint8_t stub[16] = { 0xF8, 0xD1, 0xC5, 0x55, 0xCD, 0x04, 0xB5, 0x46, 0x8A, 0x20, 0xE5, 0x6C, 0xBB, 0x30, 0x52, 0xD0 };

	buf_put_u8(b, 4);
	buf_put_u8(b, *path ? 4 : 3);
	buf_put_u16le(b, (uint16_t)(4 + (*path ? 2 * (strlen(path) + 1) : sizeof(stub))));
	if (*path)
		elog_utf16(b, path);
	else
		buf_append(b, stub, sizeof(stub));
	buf_append(b, "\x7f\xff\4\0", 4);
}

void elog_image(struct buf *b, const char *path, const void *pe, size_t len)
{
	struct buf d = BUF_INIT(ELOG_MAX), node = BUF_INIT(ELOG_MAX);
	uint8_t sha256[DIGEST_MAX], sha384[DIGEST_MAX];
	struct pe_image image;

	must(pe_parse(pe, len, &image, NULL));
	must(pe_authenticode(&image, DIGEST_SHA256, sha256, NULL));
	must(pe_authenticode(&image, DIGEST_SHA384, sha384, NULL));
	if (path)
		file_node(&node, path);
	buf_put_u64le(&d, 0x2c332018);
	buf_put_u64le(&d, len);
	buf_put_u64le(&d, 0);
	buf_put_u64le(&d, node.len);
	if (node.len)
		buf_append(&d, node.data, node.len);
	elog_digest(b, 4, (uint32_t)EV_EFI_BOOT_SERVICES_APPLICATION, sha256, sha384, d.data, d.len);
	buf_free(&d);
	buf_free(&node);
}

void elog_grub(struct buf *b, const char *prefix, const char *text)
{
	struct buf d = BUF_INIT(ELOG_MAX);

	buf_puts(&d, prefix);
	buf_puts(&d, text);
	buf_put_u8(&d, 0);
	elog_event2(b, 8, EV_IPL, text, strlen(text), d.data, d.len);
	buf_free(&d);
}

void elog_grub_file(struct buf *b, const char *path, const void *content, size_t len)
{
	elog_event2(b, 9, EV_IPL, content, len, path, strlen(path) + 1);
}

static void tagged(struct buf *b, uint32_t id, const char *what, const void *measured, size_t len)
{
	struct buf d = BUF_INIT(ELOG_MAX);

	buf_put_u32le(&d, id);
	buf_put_u32le(&d, (uint32_t)strlen(what) + 1);
	buf_append(&d, what, strlen(what) + 1);
	elog_event2(b, 9, EV_EVENT_TAG, measured, len, d.data, d.len);
	buf_free(&d);
}

void elog_load_options(struct buf *b, const char *cmdline)
{
	struct buf d = BUF_INIT(ELOG_MAX);

	elog_utf16(&d, cmdline);
	tagged(b, TAG_LOAD_OPTIONS, "LOADED_IMAGE::LoadOptions", d.data, d.len);
	buf_free(&d);
}

void elog_initrd(struct buf *b, const void *content, size_t len)
{
	tagged(b, TAG_INITRD, "Linux initrd", content, len);
}

void elog_section(struct buf *b, const char *name, const void *content, size_t len)
{
	struct buf d = BUF_INIT(ELOG_MAX);

	elog_utf16(&d, name);
	elog_event2(b, 11, EV_IPL, name, strlen(name) + 1, d.data, d.len);
	elog_event2(b, 11, EV_IPL, content, len, d.data, d.len);
	buf_free(&d);
}

void elog_loader_cmdline(struct buf *b, const char *cmdline)
{
	struct buf d = BUF_INIT(ELOG_MAX);

	elog_utf16(&d, cmdline);
	elog_event(b, 12, EV_IPL, d.data, d.len);
	buf_free(&d);
}

#define PE_AT 0x80
#define OPTIONAL 240
#define ALIGN 512

void elog_pe(struct buf *b, const struct elog_section *sections, bool cert)
{
	size_t n = 0, at = ALIGN * 2, end = at;

	for (const struct elog_section *s = sections; s->name; s++, n++)
		end += (s->len + ALIGN - 1) / ALIGN * ALIGN;
	buf_append(b, "MZ", 2);
	buf_put_zero(b, 0x3A);
	buf_put_u32le(b, PE_AT);
	buf_put_zero(b, PE_AT - 0x40);
	buf_append(b, "PE\0\0\x64\x86", 6);
	buf_put_u16le(b, (uint16_t)n);
	buf_put_zero(b, 12);
	buf_put_u16le(b, OPTIONAL);
	buf_put_u16le(b, 0);
	buf_put_u16le(b, 0x20B);
	buf_put_zero(b, 58);
	buf_put_u32le(b, ALIGN * 2); /* SizeOfHeaders */
	buf_put_u32le(b, 0x12345678); /* checksum */
	buf_put_zero(b, 40);
	buf_put_u32le(b, 16);
	buf_put_zero(b, 32);
	buf_put_u32le(b, cert ? (uint32_t)end : 0);
	buf_put_u32le(b, cert ? 64 : 0);
	buf_put_zero(b, 11 * 8);
	for (const struct elog_section *s = sections; s->name; s++) {
		char name[8] = { 0 };

		memcpy(name, s->name, strlen(s->name) < 8 ? strlen(s->name) : 8);
		buf_append(b, name, 8);
		buf_put_u32le(b, (uint32_t)s->len);
		buf_put_u32le(b, 0x1000);
		buf_put_u32le(b, (uint32_t)((s->len + ALIGN - 1) / ALIGN * ALIGN));
		buf_put_u32le(b, (uint32_t)at);
		buf_put_zero(b, 16);
		at += (s->len + ALIGN - 1) / ALIGN * ALIGN;
	}
	buf_put_zero(b, ALIGN * 2 - b->len);
	for (const struct elog_section *s = sections; s->name; s++) {
		buf_append(b, s->bytes, s->len);
		buf_put_zero(b, (ALIGN - s->len % ALIGN) % ALIGN);
	}
	if (cert)
		for (int i = 0; i < 64; i++)
			buf_put_u8(b, 0xCE);
	if (!buf_ok(b))
		abort();
}
