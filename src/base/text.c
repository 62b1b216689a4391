/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 64

bool text_eq(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool text_starts(const char *s, const char *prefix)
{
	return s && strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Not ctype: it depends on the locale and is undefined for negative char. */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

void text_sanitise(const char *s, size_t len, char *out, size_t cap)
{
	size_t n = 0;

	if (cap == 0)
		return;
	for (; n < len && n < cap - 1; n++)
		out[n] = s[n] >= 0x20 && s[n] <= 0x7e ? s[n] : '?';
	out[n] = '\0';
	if (n < len && n >= 2)
		out[n - 1] = out[n - 2] = '.';
}

/* Optimal string alignment distance: a swap of neighbours is one edit, the commonest typing error. */
static unsigned int distance(const char *a, size_t la, const char *b, size_t lb)
{
	unsigned int rows[3][NAME_MAX_LEN + 1];

	for (size_t j = 0; j <= lb; j++)
		rows[0][j] = (unsigned int)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned int *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned int best = up[j - 1] + (a[i - 1] != b[j - 1]);

			if (up[j] + 1 < best)
				best = up[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && up2[j - 2] + 1 < best)
				best = up2[j - 2] + 1;
			row[j] = best;
		}
	}
	return rows[la % 3][lb];
}

const char *text_nearest(const char *word, const char *const *names)
{
	size_t len = strlen(word);
	unsigned int limit = len / 3 > 1 ? (unsigned int)(len / 3) : 1, best = limit + 1;
	const char *found = NULL;

	if (len == 0 || len > NAME_MAX_LEN)
		return NULL;
	for (; *names; names++) {
		size_t n = strlen(*names);
		unsigned int d = n > NAME_MAX_LEN ? best : distance(word, len, *names, n);

		if (d < best) {
			best = d;
			found = *names;
		}
	}
	return found;
}

bool text_is_uuid(const char *s)
{
	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s[i] != '-' : !is_hex(s[i]))
			return false;
	}
	return s[36] == '\0';
}

static bool is_name(const char *s, size_t max, const char *first, const char *later)
{
	size_t len = strnlen(s, max + 1);

	if (len == 0 || len > max)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(s[i]) && !strchr(i ? later : first, s[i]))
			return false;
	return true;
}

bool text_is_volume_name(const char *s)
{
	return is_name(s, 63, "", "_.-");
}

bool text_is_path_segment(const char *s)
{
	return is_name(s, 64, "_-", "_.-");
}

char *text_dup(const char *s)
{
	return s ? strdup(s) : NULL;
}

char *text_printf(const char *fmt, ...)
{
	va_list ap;
	char *out = NULL;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&out, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : out;
}

size_t strv_len(char *const *v)
{
	size_t n = 0;

	while (v && v[n])
		n++;
	return n;
}

char **strv_append(char **v, const char *s, bool *failed)
{
	size_t n = strv_len(v);
	char *copy = strdup(s), **grown;

	grown = copy ? realloc(v, (n + 2) * sizeof(*v)) : NULL;
	if (!grown) {
		free(copy);
		*failed = true;
		return v;
	}
	grown[n] = copy;
	grown[n + 1] = NULL;
	return grown;
}

bool strv_has(char *const *v, const char *s)
{
	for (; v && *v; v++)
		if (strcmp(*v, s) == 0)
			return true;
	return false;
}

void strv_free(char **v)
{
	for (size_t i = 0; v && v[i]; i++)
		free(v[i]);
	free(v);
}
