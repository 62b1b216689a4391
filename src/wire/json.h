/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * JSON discipline (architecture.md 4 "JSON"): size limit, depth limit 32 by pre-scan, duplicates rejected, a u64
 * with bit 63 refused; RFC 8785 canonical text. The only door to jansson's loader; anyone may include it.
 */
#ifndef CRYPTATTEST_WIRE_JSON_H
#define CRYPTATTEST_WIRE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"

#define JSON_DEPTH_MAX 32

/* Whole text is one JSON value (JSON_DISABLE_EOF_CHECK is off), at most max bytes. Reals are refused unless
 * allow_real. ERR_INTEGRITY, id "json". The caller owns *ret (json_decref). */
int json_parse(const char *text, size_t len, size_t max, bool allow_real, json_t **ret, struct err **err);
/* Typed members of an object; `where` names the object in messages. ERR_INTEGRITY. */
int json_get_str(const json_t *obj, const char *where, const char *key, const char **ret, struct err **err);
int json_get_u64(const json_t *obj, const char *where, const char *key, uint64_t min, uint64_t max, uint64_t *ret,
		 struct err **err);
/* RFC 8785 (strings, integers, booleans, null, arrays, objects; a real is ERR_INTEGRITY). */
int json_canonical(const json_t *v, struct buf *out, struct err **err);
void json_decrefp(json_t **v);
#define _cleanup_json_ __attribute__((cleanup(json_decrefp)))
/* Install once in main(): jansson's allocator wipes on free (S3). */
void json_use_wiping_allocator(void);

#endif
