/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "wire/toml.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "wire/json.h"

#define KEY_MAX 256

struct scan {
	const char *p, *end;
	unsigned int line;
	unsigned int fault; /* line of the error, 0 = the line where the entry starts */
};

static int bad(struct scan *s, struct err **err, const char *why)
{
	s->fault = s->line;
	return err_set(err, ERR_INTEGRITY, "toml", "%s", why);
}

/* NUL stands for the end: the text itself holds none. */
static char peek(const struct scan *s, size_t n)
{
	return (size_t)(s->end - s->p) > n ? s->p[n] : '\0';
}

static bool looking_at(const struct scan *s, const char *word)
{
	size_t n = strlen(word);

	return (size_t)(s->end - s->p) >= n && memcmp(s->p, word, n) == 0;
}

static void skip_blank(struct scan *s)
{
	while (peek(s, 0) == ' ' || peek(s, 0) == '\t')
		s->p++;
}

/* Length of a newline here, 0 if there is none. */
static size_t newline(const struct scan *s)
{
	if (peek(s, 0) == '\n')
		return 1;
	return peek(s, 0) == '\r' && peek(s, 1) == '\n' ? 2 : 0;
}

static bool is_control(char c)
{
	return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

/* Blanks, a comment, the end of the line. */
static int end_of_line(struct scan *s, struct err **err)
{
	size_t n;

	skip_blank(s);
	if (peek(s, 0) == '#')
		while (s->p < s->end && !newline(s)) {
			if (is_control(*s->p))
				return bad(s, err, "control character in a comment");
			s->p++;
		}
	n = newline(s);
	if (n == 0 && s->p < s->end)
		return bad(s, err, "something follows the value");
	if (n > 0)
		s->line++;
	s->p += n;
	return 0;
}

static void put_utf8(struct buf *b, uint32_t c)
{
	if (c < 0x80) {
		buf_putc(b, (char)c);
	} else if (c < 0x800) {
		buf_putc(b, (char)(0xc0 | c >> 6));
		buf_putc(b, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_putc(b, (char)(0xe0 | c >> 12));
		buf_putc(b, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_putc(b, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_putc(b, (char)(0xf0 | c >> 18));
		buf_putc(b, (char)(0x80 | (c >> 12 & 0x3f)));
		buf_putc(b, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_putc(b, (char)(0x80 | (c & 0x3f)));
	}
}

static int unicode_escape(struct scan *s, unsigned int digits, struct buf *out, struct err **err)
{
	uint32_t c = 0;

	for (unsigned int i = 0; i < digits; i++, s->p++) {
		char d = peek(s, 0);

		if (d >= '0' && d <= '9')
			c = c << 4 | (uint32_t)(d - '0');
		else if ((d | 0x20) >= 'a' && (d | 0x20) <= 'f')
			c = c << 4 | (uint32_t)((d | 0x20) - 'a' + 10);
		else
			return bad(s, err, "bad \\u escape");
	}
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return bad(s, err, "\\u escape of no usable character");
	put_utf8(out, c);
	return 0;
}

/* A backslash before the end of a line swallows white space up to the next text. */
static bool line_continuation(struct scan *s)
{
	struct scan t = *s;

	skip_blank(&t);
	if (!newline(&t))
		return false;
	for (;;) {
		size_t n = newline(&t);

		if (n > 0)
			t.line++;
		else if (peek(&t, 0) != ' ' && peek(&t, 0) != '\t')
			break;
		t.p += n ? n : 1;
	}
	*s = t;
	return true;
}

static int escape(struct scan *s, bool multi, struct buf *out, struct err **err)
{
	static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
	const char *at;
	char c;

	if (multi && line_continuation(s))
		return 0;
	c = peek(s, 0);
	if (c == 'u' || c == 'U') {
		s->p++;
		return unicode_escape(s, c == 'u' ? 4 : 8, out, err);
	}
	at = c ? strchr(from, c) : NULL;
	if (!at)
		return bad(s, err, "unknown escape in a string");
	buf_putc(out, to[at - from]);
	s->p++;
	return 0;
}

/* Up to two quotes may stand right before the closing three. */
static bool closes_multi(struct scan *s, char quote, struct buf *out)
{
	size_t n = 0;

	while (peek(s, n) == quote)
		n++;
	if (n < 3 || n > 5) {
		/* Fewer are text; more cannot close, the caller fails at what follows the first three. */
		if (n < 3)
			return false;
		n = 3;
	}
	for (size_t i = 3; i < n; i++)
		buf_putc(out, quote);
	s->p += n;
	return true;
}

/* The opening quotes are behind us. */
static int string_body(struct scan *s, char quote, bool multi, struct buf *out, struct err **err)
{
	while (s->p < s->end) {
		size_t n = newline(s);

		if (n > 0 && !multi)
			return bad(s, err, "string is not closed on its line");
		if (n > 0) {
			buf_append(out, s->p, n);
			s->p += n;
			s->line++;
		} else if (*s->p == quote && !multi) {
			s->p++;
			return 0;
		} else if (*s->p == quote && closes_multi(s, quote, out)) {
			return 0;
		} else if (*s->p == '\\' && quote == '"') {
			s->p++;
			if (escape(s, multi, out, err) < 0)
				return -1;
		} else if (is_control(*s->p)) {
			return bad(s, err, "control character in a string");
		} else {
			buf_putc(out, *s->p++);
		}
	}
	return err_set(err, ERR_INTEGRITY, "toml", "string is not closed");
}

static int string_value(struct scan *s, bool may_span, struct buf *out, struct err **err)
{
	char quote = peek(s, 0);
	bool multi = looking_at(s, quote == '"' ? "\"\"\"" : "'''");
	size_t n;

	if (multi && !may_span)
		return bad(s, err, "a key cannot be a multi-line string");
	s->p += multi ? 3 : 1;
	n = multi ? newline(s) : 0; /* a newline right after the quotes is not part of the text */
	s->p += n;
	s->line += n > 0;
	if (string_body(s, quote, multi, out, err) < 0)
		return -1;
	return buf_check(out, err);
}

static bool is_quote(char c)
{
	return c == '"' || c == '\'';
}

static int key_name(struct scan *s, struct buf *out, struct err **err)
{
	static const char bare[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

	buf_reset(out);
	if (is_quote(peek(s, 0))) {
		if (string_value(s, false, out, err) < 0)
			return -1;
	} else {
		while (peek(s, 0) && strchr(bare, peek(s, 0)))
			buf_putc(out, *s->p++);
		if (out->len == 0)
			return bad(s, err, "a key is expected");
	}
	if (!buf_ok(out) || out->len > KEY_MAX)
		return bad(s, err, "key is too long");
	skip_blank(s);
	if (peek(s, 0) == '.')
		return bad(s, err, "dotted keys are not supported (put the key in quotes)");
	return 0;
}

static int table_header(struct scan *s, struct buf *table, struct err **err)
{
	s->p++;
	if (peek(s, 0) == '[')
		return bad(s, err, "arrays of tables are not supported");
	skip_blank(s);
	if (key_name(s, table, err) < 0)
		return -1;
	if (peek(s, 0) != ']')
		return bad(s, err, "] is expected");
	s->p++;
	return 0;
}

static int key_value(struct scan *s, struct buf *key, struct buf *value, struct err **err)
{
	if (key_name(s, key, err) < 0)
		return -1;
	if (peek(s, 0) != '=')
		return bad(s, err, "= is expected");
	s->p++;
	skip_blank(s);
	if (!is_quote(peek(s, 0)))
		return bad(s, err, "a value in quotes is expected");
	buf_reset(value);
	return string_value(s, true, value, err);
}

/* One line, or one entry of several. */
static int one_entry(struct scan *s, struct buf *table, struct buf *key, struct buf *value, toml_handler handler, void *ctx,
		     struct err **err)
{
	struct toml_entry entry = { .line = s->line };
	bool header;

	skip_blank(s);
	if (s->p == s->end || peek(s, 0) == '#' || newline(s))
		return end_of_line(s, err);
	header = peek(s, 0) == '[';
	if ((header ? table_header(s, table, err) : key_value(s, key, value, err)) < 0 || end_of_line(s, err) < 0)
		return -1;
	entry.table = buf_cstr(table);
	if (!header) {
		entry.key = buf_cstr(key);
		entry.value = buf_cstr(value);
		entry.value_len = value->len;
	}
	if (!entry.table || (!header && (!entry.key || !entry.value)))
		return err_nomem(err);
	return handler(&entry, ctx, err);
}

int toml_parse(const char *text, size_t len, toml_handler handler, void *ctx, struct err **err)
{
	_cleanup_buf_ struct buf table = BUF_INIT(4 * KEY_MAX), key = BUF_INIT(4 * KEY_MAX), value = BUF_INIT(len + 1);
	struct scan s = { .p = text, .end = text + len, .line = 1 };

	if (!json_is_utf8(text, len) || memchr(text, 0, len))
		return err_set(err, ERR_INTEGRITY, "toml", "not UTF-8 text");
	while (s.p < s.end) {
		unsigned int line = s.line;

		if (one_entry(&s, &table, &key, &value, handler, ctx, err) < 0)
			return err_wrap(err, "line %u", s.fault ? s.fault : line);
	}
	return 0;
}
