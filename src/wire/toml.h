/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The part of TOML 1.0 that init-data and confdata use (kbs-protocol.md 6): `key = string` with bare or quoted keys,
 * strings of all four kinds, [table] headers of one bare or quoted key, comments. Anything else (numbers, arrays,
 * dotted keys, inline tables) is an error with its line: a value that is not understood must not be skipped.
 * Values may be secrets: they are built in memory that is wiped, and no error text quotes one.
 */
#ifndef CRYPTATTEST_WIRE_TOML_H
#define CRYPTATTEST_WIRE_TOML_H

#include <stddef.h>

#include "base/err.h"

struct toml_entry {
	unsigned int line;
	const char *table; /* "" before the first header */
	const char *key;   /* NULL: this call announces the table */
	const char *value; /* NUL-terminated, holds no other NUL */
	size_t value_len;
};

typedef int (*toml_handler)(const struct toml_entry *entry, void *ctx, struct err **err);
/* ERR_INTEGRITY, id "toml", with "line N: " in front, also of a handler's error. Duplicates are the handler's to see. */
int toml_parse(const char *text, size_t len, toml_handler handler, void *ctx, struct err **err);

#endif
