/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Growable bytes with an upper bound, and a bounded reader for binary formats.
 *
 * A buf remembers its first failure (out of memory, over max): append freely, check once with buf_ok().
 * Its memory is wiped on growth and on free, so nobody has to ask whether this one was secret.
 * The reader never reads past its end: a short read returns zero, sets `bad`, and every later read fails.
 */
#ifndef CRYPTATTEST_BASE_BUF_H
#define CRYPTATTEST_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct buf {
	uint8_t *data;
	size_t len, cap, max;
	bool failed;
};

#define BUF_INIT(limit) { .max = (limit) }

void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);
void buf_reset(struct buf *b); /* keeps the memory, wipes it, clears failed */
bool buf_ok(const struct buf *b);
int buf_check(const struct buf *b, struct err **err); /* INTERNAL "too long" or NOMEM */
void buf_append(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u16le(struct buf *b, uint16_t v);
void buf_put_u32le(struct buf *b, uint32_t v);
void buf_put_u64le(struct buf *b, uint64_t v);
void buf_put_u16be(struct buf *b, uint16_t v);
void buf_put_u32be(struct buf *b, uint32_t v);
void buf_put_u64be(struct buf *b, uint64_t v);
void buf_put_zero(struct buf *b, size_t n);
/* NUL-terminated view of the content (the NUL is not counted); NULL when the buf has failed. */
const char *buf_cstr(struct buf *b);
/* Gives the memory (NUL-terminated) to the caller and empties the buf; NULL when it has failed. */
char *buf_take_str(struct buf *b);
#define _cleanup_buf_ __attribute__((cleanup(buf_free)))

struct rd {
	const uint8_t *p;
	size_t len, off;
	bool bad;
};

#define RD_INIT(ptr, n) { .p = (ptr), .len = (n) }

uint8_t rd_u8(struct rd *r);
uint16_t rd_u16le(struct rd *r);
uint32_t rd_u32le(struct rd *r);
uint64_t rd_u64le(struct rd *r);
uint16_t rd_u16be(struct rd *r);
uint32_t rd_u32be(struct rd *r);
uint64_t rd_u64be(struct rd *r);
void rd_copy(struct rd *r, void *dst, size_t n);     /* zero-fills dst when short */
const uint8_t *rd_ref(struct rd *r, size_t n);	     /* NULL when short */
void rd_skip(struct rd *r, size_t n);
void rd_seek(struct rd *r, size_t off);
size_t rd_left(const struct rd *r);
bool all_zero(const void *p, size_t n);

#endif
