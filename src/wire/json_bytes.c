/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * SNP evidence is a few hundred values and some seven thousand single bytes written as numbers. As jansson integers they
 * cost a server more time than all signatures together (2.9 ms of 5.1 ms were measured). So a first pass takes the arrays
 * of bytes out of the text and leaves short references in their place, jansson reads the rest, and the references become
 * strings that hold the bytes.
 *
 * A reference is a string that starts with U+0001. The text may not hold such a string of its own, so nobody can forge
 * one; raw control characters are no JSON to begin with.
 */
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define ARRAY_MIN 16 /* shorter ones are not worth it */
#define MARK "\\u0001"

struct packed {
	struct buf text;
	uint8_t *bytes; /* room for every byte that the text can hold */
	size_t used;
	uint32_t *end; /* of each array's bytes */
	size_t n, room;
};

static void packed_clear(struct packed *p)
{
	buf_free(&p->text);
	free(p->bytes);
	free(p->end);
}

static inline size_t skip_space(const char *text, size_t len, size_t i)
{
	/* Nothing to skip is the rule: evidence is written without spaces. */
	if (i < len && text[i] > ' ')
		return i;
	while (i < len && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r'))
		i++;
	return i;
}

/* One number 0..255 without sign, fraction or leading zero; 0 when it is anything else. */
static inline size_t read_byte(const char *text, size_t len, size_t i, uint8_t *ret)
{
	size_t start = i;
	unsigned int v = 0;

	for (; i < len && i - start < 4 && text[i] >= '0' && text[i] <= '9'; i++)
		v = v * 10 + (unsigned int)(text[i] - '0');
	if (i == start || v > 255 || i - start > 3 || (text[start] == '0' && i - start > 1))
		return 0;
	*ret = (uint8_t)v;
	return i;
}

/* "17," in one go: evidence is written without spaces, so nearly all of it looks like this. Position behind the comma; i when
 * it looks otherwise. */
static inline size_t read_usual(const char *text, size_t len, size_t i, uint8_t *ret)
{
	size_t start = i;
	unsigned int v = 0;

	if (len - i < 5)
		return start;
	do {
		unsigned int digit = (unsigned int)text[i] - '0';

		if (digit > 9 || i - start == 3)
			return start;
		v = v * 10 + digit;
	} while (text[++i] != ',');
	if (v > 255 || (text[start] == '0' && i - start > 1))
		return start;
	*ret = (uint8_t)v;
	return i + 1;
}

/* text[i] is behind a bracket. Writes the bytes to out and returns the position behind the closing bracket; 0 when this is
 * not an array of ARRAY_MIN bytes or more. */
static size_t take_array(const char *text, size_t len, size_t i, uint8_t *out, size_t *ret_n)
{
	size_t n = 0;

	for (;;) {
		size_t usual = read_usual(text, len, i, &out[n]);

		if (usual != i) {
			i = usual;
			n++;
			continue;
		}
		i = read_byte(text, len, skip_space(text, len, i), &out[n]);
		if (i == 0)
			return 0;
		n++;
		i = skip_space(text, len, i);
		if (i < len && text[i] == ',') {
			i++;
			continue;
		}
		*ret_n = n;
		return i < len && text[i] == ']' && n >= ARRAY_MIN ? i + 1 : 0;
	}
}

static int add_reference(struct packed *p, size_t n, struct err **err)
{
	if (p->n == p->room) {
		size_t room = p->room ? 2 * p->room : 64;
		uint32_t *end = reallocarray(p->end, room, sizeof(*end));

		if (!end)
			return err_nomem(err);
		p->end = end;
		p->room = room;
	}
	buf_printf(&p->text, "\"" MARK "%zu\"", p->n);
	p->used += n;
	p->end[p->n++] = (uint32_t)p->used;
	return 0;
}

/* Position behind the string that starts at i; len when it does not end (jansson will say so). */
static size_t skip_string(const char *text, size_t len, size_t i)
{
	for (i++; i < len && text[i] != '"'; i++)
		if (text[i] == '\\')
			i++;
	return i < len ? i + 1 : len;
}

static int pack(const char *text, size_t len, struct packed *p, struct err **err)
{
	size_t copied = 0, i = 0;

	while (i < len) {
		if (text[i] == '"') {
			if (len - i > sizeof(MARK) && memcmp(text + i + 1, MARK, sizeof(MARK) - 1) == 0)
				return err_set(err, ERR_INTEGRITY, "json", "a string starts with a control character");
			i = skip_string(text, len, i);
			continue;
		}
		size_t n, end = text[i] == '[' ? take_array(text, len, i + 1, p->bytes + p->used, &n) : 0;
		if (!end) {
			i++;
			continue;
		}
		buf_append(&p->text, text + copied, i - copied);
		if (add_reference(p, n, err) < 0)
			return -1;
		copied = i = end;
	}
	buf_append(&p->text, text + copied, len - copied);
	return buf_check(&p->text, err);
}

/* NULL: out of memory, or a reference that is none of ours (which cannot be). */
static json_t *resolve(const struct packed *p, const char *reference)
{
	unsigned long n = strtoul(reference + 1, NULL, 10);
	_cleanup_free_ char *value = NULL;
	size_t start, len;

	if (n >= p->n)
		return NULL;
	start = n ? p->end[n - 1] : 0;
	len = p->end[n] - start;
	value = malloc(len + 1);
	if (!value)
		return NULL;
	value[0] = reference[0];
	memcpy(value + 1, p->bytes + start, len);
	return json_stringn_nocheck(value, len + 1);
}

static bool is_reference(const json_t *v)
{
	return json_is_string(v) && json_string_value(v)[0] == 1;
}

/* Bounded by JSON_DEPTH_MAX. */
static int unpack(const struct packed *p, json_t *v)
{
	const char *key;
	json_t *member;
	size_t i;
	int r = 0;

	if (json_is_array(v)) {
		json_array_foreach(v, i, member)
			r |= is_reference(member) ? json_array_set_new(v, i, resolve(p, json_string_value(member))) :
						    unpack(p, member);
	} else if (json_is_object(v)) {
		/* Setting the value of a member that exists does not disturb the iteration. */
		json_object_foreach(v, key, member)
			r |= is_reference(member) ?
				     json_object_set_new_nocheck(v, key, resolve(p, json_string_value(member))) :
				     unpack(p, member);
	}
	return r;
}

int json_parse_bytes(const char *text, size_t len, size_t max, json_t **ret, struct err **err)
{
	__attribute__((cleanup(packed_clear))) struct packed p = { 0 };
	_cleanup_json_ json_t *v = NULL;
	json_t *whole;

	if (len > max || len == 0)
		return json_parse(text, len, max, false, ret, err); /* which knows what to say */
	/* A reference is never longer than the sixteen numbers and their commas that it stands for. */
	buf_init(&p.text, len);
	/* Each byte takes a digit and a comma or bracket. */
	p.bytes = malloc(len / 2 + 1);
	if (!p.bytes)
		return err_nomem(err);
	if (pack(text, len, &p, err) < 0 ||
	    json_parse((const char *)p.text.data, p.text.len, max, false, &v, err) < 0)
		return -1;
	if (is_reference(v)) {
		whole = resolve(&p, json_string_value(v));
		json_decref(v);
		v = whole;
	} else if (unpack(&p, v) < 0) {
		return err_nomem(err);
	}
	if (!v)
		return err_nomem(err);
	*ret = v;
	v = NULL;
	return 0;
}

bool json_bytes(const json_t *v, const uint8_t **ret, size_t *ret_len)
{
	if (!is_reference(v))
		return false;
	*ret = (const uint8_t *)json_string_value(v) + 1;
	*ret_len = json_string_length(v) - 1;
	return true;
}
