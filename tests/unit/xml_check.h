/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* For test_timeline.c: is a picture well-formed? */
#ifndef CRYPTATTEST_TESTS_XML_CHECK_H
#define CRYPTATTEST_TESTS_XML_CHECK_H

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static inline int xml_entity(const char **p)
{
	static const char *const all[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&apos;" };

	for (size_t i = 0; i < 5; i++)
		if (text_starts(*p, all[i])) {
			*p += strlen(all[i]);
			return 0;
		}
	return -1;
}

static inline size_t xml_name_len(const char *p)
{
	return strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-:_");
}

static inline int xml_attributes(const char **p)
{
	char seen[16][32];
	size_t n = 0;

	while (**p == ' ') {
		const char *name = ++*p;
		size_t len = xml_name_len(name);

		if (!len || len >= sizeof(seen[0]) || n == 16 || strncmp(name + len, "=\"", 2) != 0)
			return -1;
		snprintf(seen[n], sizeof(seen[n]), "%.*s", (int)len, name);
		for (size_t i = 0; i < n; i++)
			if (text_eq(seen[i], seen[n]))
				return -1;
		n++;
		for (*p = name + len + 2; **p != '"';) {
			if (!**p || **p == '<' || (**p == '&' && xml_entity(p) < 0))
				return -1;
			if (**p != '"' && **p != '&')
				(*p)++;
		}
		(*p)++;
	}
	return 0;
}

/* Enough of XML 1.0 to tell whether a document without DOCTYPE, CDATA and comments is well-formed: elements nest, attributes are quoted and
 * distinct, every & begins one of the five entities, no < stands in a value. Returns the number of elements, -1 when it is not. */
static inline int xml_elements(const char *p)
{
	char open[8][16];
	size_t depth = 0;
	int elements = 0;

	while (*p) {
		size_t len;

		if (*p == '&') {
			if (!depth || xml_entity(&p) < 0)
				return -1;
			continue;
		}
		if (*p != '<') {
			if (!depth && *p != '\n')
				return -1;
			p++;
			continue;
		}
		if (p[1] == '/') {
			len = xml_name_len(p + 2);
			if (!depth || strlen(open[depth - 1]) != len || strncmp(open[depth - 1], p + 2, len) != 0 || p[2 + len] != '>')
				return -1;
			depth--;
			p += len + 3;
			continue;
		}
		len = xml_name_len(p + 1);
		if (!len || len >= sizeof(open[0]) || depth == 8 || (!depth && elements))
			return -1;
		snprintf(open[depth++], sizeof(open[0]), "%.*s", (int)len, p + 1);
		elements++;
		p += len + 1;
		if (xml_attributes(&p) < 0)
			return -1;
		if (text_starts(p, "/>")) {
			depth--;
			p += 2;
		} else if (*p++ != '>') {
			return -1;
		}
	}
	return depth ? -1 : elements;
}

#endif
