/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf)BUF_INIT(max);
}

void buf_free(struct buf *b)
{
	if (b->data)
		wipe(b->data, b->cap);
	free(b->data);
	buf_init(b, b->max);
}

void buf_reset(struct buf *b)
{
	if (b->data)
		wipe(b->data, b->cap);
	b->len = 0;
	b->failed = false;
}

bool buf_ok(const struct buf *b)
{
	return !b->failed;
}

int buf_check(const struct buf *b, struct err **err)
{
	if (!b->failed)
		return 0;
	/* reserve() marks "over max" by a length past it. */
	if (b->len > b->max)
		return err_set(err, ERR_INTERNAL, "too-long", "text or data of more than %zu bytes", b->max);
	return err_nomem(err);
}

/* Room for n more bytes and a NUL. realloc() would leave an unwiped copy behind, hence malloc and copy. */
static bool reserve(struct buf *b, size_t n)
{
	size_t need, cap;
	uint8_t *fresh;

	if (b->failed)
		return false;
	if (b->max == SIZE_MAX || n > b->max - b->len) {
		b->failed = true;
		b->len = b->max + 1;
		return false;
	}
	need = b->len + n + 1;
	if (need <= b->cap)
		return true;
	cap = b->cap ? b->cap : 64;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	if (cap > b->max + 1)
		cap = b->max + 1;
	fresh = malloc(cap);
	if (!fresh) {
		b->failed = true;
		return false;
	}
	if (b->data) {
		memcpy(fresh, b->data, b->len);
		wipe(b->data, b->cap);
		free(b->data);
	}
	b->data = fresh;
	b->cap = cap;
	return true;
}

void buf_append(struct buf *b, const void *data, size_t len)
{
	if (!reserve(b, len) || len == 0)
		return;
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

void buf_puts(struct buf *b, const char *s)
{
	buf_append(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
	buf_append(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	/* Mostly there is room: formatting twice would cost a server a tenth of its time. */
	size_t room = b->failed ? 0 : b->cap - b->len;
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(room ? (char *)b->data + b->len : NULL, room, fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->failed = true;
	} else if ((size_t)n < room) {
		b->len += (size_t)n;
	} else if (reserve(b, (size_t)n)) {
		vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
}

static void put_le(struct buf *b, uint64_t v, size_t n)
{
	uint8_t out[8];

	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(v >> (8 * i));
	buf_append(b, out, n);
}

static void put_be(struct buf *b, uint64_t v, size_t n)
{
	uint8_t out[8];

	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	buf_append(b, out, n);
}

void buf_put_u8(struct buf *b, uint8_t v)
{
	buf_append(b, &v, 1);
}

void buf_put_u16le(struct buf *b, uint16_t v)
{
	put_le(b, v, 2);
}

void buf_put_u32le(struct buf *b, uint32_t v)
{
	put_le(b, v, 4);
}

void buf_put_u64le(struct buf *b, uint64_t v)
{
	put_le(b, v, 8);
}

void buf_put_u16be(struct buf *b, uint16_t v)
{
	put_be(b, v, 2);
}

void buf_put_u32be(struct buf *b, uint32_t v)
{
	put_be(b, v, 4);
}

void buf_put_u64be(struct buf *b, uint64_t v)
{
	put_be(b, v, 8);
}

void buf_put_zero(struct buf *b, size_t n)
{
	if (!reserve(b, n))
		return;
	memset(b->data + b->len, 0, n);
	b->len += n;
}

const char *buf_cstr(struct buf *b)
{
	if (!reserve(b, 0))
		return NULL;
	b->data[b->len] = '\0';
	return (const char *)b->data;
}

char *buf_take_str(struct buf *b)
{
	char *s = (char *)buf_cstr(b);

	if (!s)
		return NULL;
	buf_init(b, b->max);
	return s;
}

static const uint8_t *take(struct rd *r, size_t n)
{
	const uint8_t *p;

	if (r->bad || n > r->len - r->off) {
		r->bad = true;
		return NULL;
	}
	p = r->p + r->off;
	r->off += n;
	return p;
}

static uint64_t get_le(struct rd *r, size_t n)
{
	const uint8_t *p = take(r, n);
	uint64_t v = 0;

	for (size_t i = n; p && i > 0; i--)
		v = v << 8 | p[i - 1];
	return v;
}

static uint64_t get_be(struct rd *r, size_t n)
{
	const uint8_t *p = take(r, n);
	uint64_t v = 0;

	for (size_t i = 0; p && i < n; i++)
		v = v << 8 | p[i];
	return v;
}

uint8_t rd_u8(struct rd *r)
{
	return (uint8_t)get_le(r, 1);
}

uint16_t rd_u16le(struct rd *r)
{
	return (uint16_t)get_le(r, 2);
}

uint32_t rd_u32le(struct rd *r)
{
	return (uint32_t)get_le(r, 4);
}

uint64_t rd_u64le(struct rd *r)
{
	return get_le(r, 8);
}

uint16_t rd_u16be(struct rd *r)
{
	return (uint16_t)get_be(r, 2);
}

uint32_t rd_u32be(struct rd *r)
{
	return (uint32_t)get_be(r, 4);
}

uint64_t rd_u64be(struct rd *r)
{
	return get_be(r, 8);
}

void rd_copy(struct rd *r, void *dst, size_t n)
{
	const uint8_t *p = take(r, n);

	if (!n)
		return;
	if (p)
		memcpy(dst, p, n);
	else
		memset(dst, 0, n);
}

const uint8_t *rd_ref(struct rd *r, size_t n)
{
	return take(r, n);
}

void rd_skip(struct rd *r, size_t n)
{
	(void)take(r, n);
}

void rd_seek(struct rd *r, size_t off)
{
	if (off > r->len)
		r->bad = true;
	else
		r->off = off;
}

size_t rd_left(const struct rd *r)
{
	return r->bad ? 0 : r->len - r->off;
}

bool all_zero(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint8_t any = 0;

	for (size_t i = 0; i < n; i++)
		any |= b[i];
	return any == 0;
}
