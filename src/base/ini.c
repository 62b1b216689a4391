/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "base/ini.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define LINE_MAX_LEN (64 * 1024)
#define FILE_MAX_LEN (4 * 1024 * 1024)

struct ini {
	const char *file;
	unsigned int line, section_line;
	char *section;
	ini_handler handler;
	void *ctx;
};

static int fail(const struct ini *ini, struct err **err, const char *what)
{
	return err_set(err, ERR_CONFIG, "ini", "%s:%u: %s", ini->file, ini->line, what);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char *trim(char *s)
{
	size_t n;

	while (is_blank(*s))
		s++;
	n = strlen(s);
	while (n && is_blank(s[n - 1]))
		s[--n] = '\0';
	return s;
}

/* Length of the UTF-8 sequence at p (RFC 3629: shortest form, no surrogates), 0 when malformed. */
static size_t utf8_len(const unsigned char *p, size_t left)
{
	static const unsigned char second_min[] = { [0xe0 - 0xc2] = 0xa0, [0xf0 - 0xc2] = 0x90, [0xf4 - 0xc2] = 0x80 };
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
	unsigned char min = 0x80, max = 0xbf;

	if (n <= 1 || n > left)
		return n > left ? 0 : n;
	if (second_min[p[0] - 0xc2])
		min = second_min[p[0] - 0xc2];
	if (p[0] == 0xed)
		max = 0x9f;
	else if (p[0] == 0xf4)
		max = 0x8f;
	if (p[1] < min || p[1] > max)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return n;
}

static int check_characters(const struct ini *ini, const char *text, size_t len, struct err **err)
{
	const unsigned char *p = (const unsigned char *)text;

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_len(p + i, len - i);
		if (n == 0)
			return fail(ini, err, "text that is not UTF-8");
		if (p[i] == '\r')
			return fail(ini, err, "carriage return: save the file with Unix line ends");
		if ((p[i] < 0x20 && p[i] != '\t') || p[i] == 0x7f)
			return fail(ini, err, "control character");
	}
	return 0;
}

static int call(const struct ini *ini, const char *key, const char *value, struct err **err)
{
	struct ini_line l = {
		.file = ini->file,
		.line = ini->line,
		.section = ini->section,
		.section_line = ini->section_line,
		.key = key,
		.value = value,
	};
	struct err *inner = NULL;

	if (ini->handler(&l, ini->ctx, &inner) == 0)
		return 0;
	if (!inner)
		err_set(&inner, ERR_INTERNAL, "ini", "refused without a reason");
	err_wrap(&inner, "%s:%u", ini->file, ini->line);
	return err_propagate(err, inner);
}

static int on_section(struct ini *ini, char *s, struct err **err)
{
	size_t n = strlen(s);

	if (s[n - 1] != ']')
		return fail(ini, err, "section line without ] at its end");
	s[n - 1] = '\0';
	s = trim(s + 1);
	if (*s == '\0')
		return fail(ini, err, "empty section name");
	if (strpbrk(s, "[]"))
		return fail(ini, err, "bracket in a section name");
	free(ini->section);
	ini->section = strdup(s);
	if (!ini->section)
		return err_nomem(err);
	ini->section_line = ini->line;
	return call(ini, NULL, NULL, err);
}

static int on_line(struct ini *ini, char *s, struct err **err)
{
	char *eq;

	s = trim(s);
	if (*s == '\0' || *s == '#' || *s == ';')
		return 0;
	if (*s == '[')
		return on_section(ini, s, err);
	eq = strchr(s, '=');
	if (!eq)
		return fail(ini, err, "neither [section] nor key = value");
	*eq = '\0';
	s = trim(s);
	if (*s == '\0')
		return fail(ini, err, "no key before =");
	if (!ini->section)
		return fail(ini, err, "a key before the first [section]");
	return call(ini, s, trim(eq + 1), err);
}

int ini_parse(const char *file, const char *text, size_t len, ini_handler handler, void *ctx, struct err **err)
{
	struct ini ini = { .file = file, .line = 1, .handler = handler, .ctx = ctx };
	int r = 0;

	if (len > FILE_MAX_LEN)
		return err_set(err, ERR_CONFIG, "ini", "%s: longer than 4 MiB", file);
	for (size_t off = 0; r == 0 && off < len; ini.line++) {
		const char *nl = memchr(text + off, '\n', len - off);
		size_t n = nl ? (size_t)(nl - text) - off : len - off;
		_cleanup_free_ char *copy = NULL;

		if (n > LINE_MAX_LEN) {
			r = fail(&ini, err, "line longer than 64 KiB");
			break;
		}
		r = check_characters(&ini, text + off, n, err);
		if (r < 0)
			break;
		copy = strndup(text + off, n);
		r = copy ? on_line(&ini, copy, err) : err_nomem(err);
		off += n + 1;
	}
	free(ini.section);
	return r;
}
