/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The one table of configuration keys: the parser, `config --show` and the manual page read it. A default is text and goes
 * through the same setter as a line of a file, so what is documented is what happens.
 */
#ifndef CRYPTATTEST_CONFIG_KEYWORDS_H
#define CRYPTATTEST_CONFIG_KEYWORDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum config_scope { SCOPE_AGENT, SCOPE_KBS, SCOPE_VTPM, SCOPE_PUSH, SCOPE_VOLUME };

enum keyword_type {
	KW_ENUM,	/* int-sized enum; values[] in the order of the enum */
	KW_WORD,	/* char *, one of values[] */
	KW_BOOL,	/* bool */
	KW_DURATION,	/* uint64_t milliseconds, min..max */
	KW_INT,		/* int, min..max */
	KW_COUNT,	/* uint64_t, min..max */
	KW_PCRS,	/* uint32_t mask of PCRs 0..max */
	KW_HANDLE,	/* uint32_t, 0x and 8 hex digits, min..max; 0 = not set */
	KW_SECTOR_SIZE, /* unsigned int, one of values[] */
	KW_STRING,	/* char * */
	KW_HEX,		/* char *, max bytes as hex digits, kept in lower case */
	KW_LIST,	/* char ** */
};

struct keyword {
	enum config_scope scope;
	const char *name;
	enum keyword_type type;
	size_t offset;
	const char *def; /* as one would write it; NULL: unset */
	const char *const *values;
	uint64_t min, max;
	const char *allowed; /* for messages and the manual */
	const char *doc;
};

extern const struct keyword config_keywords[]; /* ends with a NULL name */

const struct keyword *keyword_find(enum config_scope scope, const char *name);
/* Sets the member of the scope's struct at target; an empty value empties a list. ERR_CONFIG. */
int keyword_set(const struct keyword *kw, void *target, const char *value, struct err **err);
void keyword_clear(const struct keyword *kw, void *target); /* frees what keyword_set() allocated */
const char *config_scope_name(enum config_scope s);	    /* "agent", "kbs", "vtpm", "push", "volume" */

#endif
