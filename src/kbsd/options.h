/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Long options of one verb as a table: parsing, ranges and `--help` come from the same lines. May include base/.
 * Values are `--name value` or `--name=value`; `--` ends the options. Errors are ERR_CONFIG, id "usage".
 */
#ifndef CRYPTATTEST_KBSD_OPTIONS_H
#define CRYPTATTEST_KBSD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

enum option_type {
	OPTION_FLAG,	 /* bool */
	OPTION_STRING,	 /* const char *, points into argv */
	OPTION_LIST,	 /* struct option_list */
	OPTION_U64,	 /* uint64_t within min..max */
	OPTION_DURATION, /* uint64_t milliseconds within min..max; text as in base/text.h */
	OPTION_CALL,	 /* call(ctx, name, value, err) */
};

#define OPTION_LIST_MAX 32
struct option_list {
	const char *items[OPTION_LIST_MAX + 1]; /* NULL-terminated, point into argv */
	size_t n;
};

struct option_def {
	const char *name;
	enum option_type type;
	void *target; /* of the type above; ctx of an OPTION_CALL */
	const char *metavar, *help;
	uint64_t min, max;
	int (*call)(void *ctx, const char *name, const char *value, struct err **err);
};

/* args[0..n-1] are the words after the verb. Words that are not options go to positional (at least min, at most max).
 * *ret_help: --help was given, nothing else was checked. */
int options_parse(const struct option_def *defs, int n, char *const *args, size_t min, size_t max,
		  const char **positional, bool *ret_help, struct err **err);
void options_help(FILE *out, const char *synopsis, const char *text, const struct option_def *defs);

#endif
