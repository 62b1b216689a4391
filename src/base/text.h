/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Strings from people and peers: numbers, durations, lists, safe printing, nearest name. */
#ifndef CRYPTATTEST_BASE_TEXT_H
#define CRYPTATTEST_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

bool text_eq(const char *a, const char *b);		    /* NULL-safe */
bool text_starts(const char *s, const char *prefix);
int text_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret, struct err **err); /* decimal only; ERR_CONFIG */
int text_bool(const char *s, bool *ret, struct err **err);  /* yes/no, true/false, on/off, 1/0 */
/* "90", "90s", "10m", "2h", "1m30s", "500ms"; "0" means unlimited to callers that say so. ERR_CONFIG */
int text_duration_ms(const char *s, uint64_t *ret, struct err **err);
/* RFC 3339 or YYYY-MM-DD (UTC) to seconds since 1970. ERR_CONFIG */
int text_time(const char *s, int64_t *ret, struct err **err);
void text_format_time(int64_t t, char out[static 21]);	    /* 2026-01-02T03:04:05Z */
/* Copies at most cap-1 bytes; anything outside printable ASCII becomes '?' ; cut text ends in "..". (H12, A23) */
void text_sanitise(const char *s, size_t len, char *out, size_t cap);
/* Closest of names (NULL-terminated) within an edit distance of 1/3 of its length; NULL if none. */
const char *text_nearest(const char *word, const char *const *names);
bool text_is_uuid(const char *s);			    /* 36 characters, any case */
bool text_is_volume_name(const char *s);		    /* contracts.md 1 */
bool text_is_path_segment(const char *s);		    /* [A-Za-z0-9_-][A-Za-z0-9_.-]{0,63} (contracts.md 7) */
char *text_dup(const char *s);
char *text_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* NULL-terminated string vectors. */
char **strv_append(char **v, const char *s, bool *failed);  /* takes and returns v; on OOM v unchanged, *failed */
size_t strv_len(char *const *v);
bool strv_has(char *const *v, const char *s);
void strv_free(char **v);

#endif
