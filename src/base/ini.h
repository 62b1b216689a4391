/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Pure INI line parser shared by configuration and policy files (contracts.md 7): `[section]`, `key = value`,
 * comments (# or ;) at line start only, split at the first `=`, no quoting, no continuation, UTF-8 passes.
 * Lines may be up to 64 KiB; control characters other than tab are an error. Meaning is the callback's.
 */
#ifndef CRYPTATTEST_BASE_INI_H
#define CRYPTATTEST_BASE_INI_H

#include <stddef.h>

#include "base/err.h"

struct ini_line {
	const char *file;    /* as given, for messages */
	unsigned int line;   /* 1-based */
	const char *section; /* text between the brackets, trimmed */
	unsigned int section_line;
	const char *key;     /* NULL: this call announces a section */
	const char *value;   /* trimmed, may be empty */
};

/* A callback failure is passed up with "FILE:LINE: " in front. */
typedef int (*ini_handler)(const struct ini_line *line, void *ctx, struct err **err);
int ini_parse(const char *file, const char *text, size_t len, ini_handler handler, void *ctx, struct err **err);

#endif
