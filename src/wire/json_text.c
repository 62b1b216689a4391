/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * JSON text out. jansson's dumper is close to RFC 8785 but writes control characters as upper-case \u001F and sorts
 * by UTF-8 bytes; the hash in the hardware report (kbs-protocol.md 3.1) leaves no room for close.
 */
#include "wire/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Decodes one sequence; 0 when it is not valid UTF-8 (over-long, surrogate, past U+10FFFF, cut). */
static size_t utf8_next(const unsigned char *s, size_t len, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n;
	uint32_t c;

	if (len == 0)
		return 0;
	if (s[0] < 0x80) {
		*ret = s[0];
		return 1;
	}
	n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc0 ? 2 : 0;
	if (n == 0 || n > len || s[0] > 0xf4)
		return 0;
	c = s[0] & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return n;
}

bool json_is_utf8(const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;
	uint32_t c;

	while (len > 0) {
		size_t n = utf8_next(p, len, &c);

		if (n == 0)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

/* RFC 8785 3.2.3 sorts by UTF-16 code units: a character beyond U+FFFF counts as its first surrogate, D800..DBFF, and
 * so comes before U+E000..U+FFFF. This maps each code point to a number of the same order. */
static uint32_t utf16_rank(uint32_t c)
{
	if (c >= 0x10000)
		return c - 0x10000 + 0xd800;
	return c >= 0xe000 ? c + 0x100000 : c;
}

static int compare_keys(const void *a, const void *b)
{
	const unsigned char *x = *(const unsigned char *const *)a, *y = *(const unsigned char *const *)b;
	size_t xl = strlen((const char *)x), yl = strlen((const char *)y);

	for (;;) {
		uint32_t cx = 0, cy = 0;
		size_t nx = utf8_next(x, xl, &cx), ny = utf8_next(y, yl, &cy);

		if (nx == 0 || ny == 0)
			return nx ? 1 : ny ? -1 : 0;
		if (cx != cy)
			return utf16_rank(cx) < utf16_rank(cy) ? -1 : 1;
		x += nx, xl -= nx;
		y += ny, yl -= ny;
	}
}

void json_put_string(struct buf *out, const char *s, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	static const char letters[] = "btn\0fr"; /* 8 to 13; 11 has no short form */
	size_t start = 0;

	buf_putc(out, '"');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		char esc[] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };
		size_t n = sizeof(esc);

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		if (c >= 0x20) {
			esc[1] = (char)c;
			n = 2;
		} else if (c >= 8 && c <= 13 && letters[c - 8]) {
			esc[1] = letters[c - 8];
			n = 2;
		}
		buf_append(out, s + start, i - start);
		buf_append(out, esc, n);
		start = i + 1;
	}
	buf_append(out, s + start, len - start);
	buf_putc(out, '"');
}

static int put_value(const json_t *v, bool sorted, unsigned int depth, struct buf *out, struct err **err);

static int put_object(const json_t *v, bool sorted, unsigned int depth, struct buf *out, struct err **err)
{
	size_t n = json_object_size(v), i = 0;
	_cleanup_free_ const char **keys = calloc(n + 1, sizeof(*keys));
	const char *key;
	json_t *member;

	if (!keys)
		return err_nomem(err);
	json_object_foreach((json_t *)v, key, member)
		keys[i++] = key;
	if (sorted)
		qsort(keys, n, sizeof(*keys), compare_keys);
	buf_putc(out, '{');
	for (i = 0; i < n; i++) {
		if (i > 0)
			buf_putc(out, ',');
		json_put_string(out, keys[i], strlen(keys[i]));
		buf_putc(out, ':');
		if (put_value(json_object_get(v, keys[i]), sorted, depth + 1, out, err) < 0)
			return -1;
	}
	buf_putc(out, '}');
	return 0;
}

static int put_array(const json_t *v, bool sorted, unsigned int depth, struct buf *out, struct err **err)
{
	json_t *member;
	size_t i;

	buf_putc(out, '[');
	json_array_foreach(v, i, member) {
		if (i > 0)
			buf_putc(out, ',');
		if (put_value(member, sorted, depth + 1, out, err) < 0)
			return -1;
	}
	buf_putc(out, ']');
	return 0;
}

/* Evidence is arrays of thousands of them: printf would be most of the work. */
static void put_integer(json_int_t v, struct buf *out)
{
	unsigned long long left = v < 0 ? -(unsigned long long)v : (unsigned long long)v;
	char text[24], *p = text + sizeof(text);

	do {
		*--p = (char)('0' + left % 10);
		left /= 10;
	} while (left);
	if (v < 0)
		*--p = '-';
	buf_append(out, p, (size_t)(text + sizeof(text) - p));
}

static int put_value(const json_t *v, bool sorted, unsigned int depth, struct buf *out, struct err **err)
{
	if (depth > JSON_DEPTH_MAX)
		return err_set(err, ERR_INTEGRITY, "json", "nested more than %d levels deep", JSON_DEPTH_MAX);
	switch (v ? json_typeof(v) : JSON_NULL) {
	case JSON_OBJECT:
		return put_object(v, sorted, depth, out, err);
	case JSON_ARRAY:
		return put_array(v, sorted, depth, out, err);
	case JSON_STRING:
		json_put_string(out, json_string_value(v), json_string_length(v));
		return 0;
	case JSON_INTEGER:
		put_integer(json_integer_value(v), out);
		return 0;
	case JSON_REAL:
		return err_set(err, ERR_INTEGRITY, "json", "a number is not an integer");
	case JSON_TRUE:
		buf_puts(out, "true");
		return 0;
	case JSON_FALSE:
		buf_puts(out, "false");
		return 0;
	case JSON_NULL:
		buf_puts(out, "null");
		return 0;
	}
	return err_set(err, ERR_INTERNAL, "json", "unknown kind of value");
}

int json_canonical(const json_t *v, struct buf *out, struct err **err)
{
	if (put_value(v, true, 0, out, err) < 0)
		return -1;
	return buf_check(out, err);
}

int json_compact(const json_t *v, struct buf *out, struct err **err)
{
	if (put_value(v, false, 0, out, err) < 0)
		return -1;
	return buf_check(out, err);
}
