/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * JSON discipline (architecture.md 4 "JSON"): size limit, depth limit 32 and value limit by pre-scan, duplicates
 * rejected, a u64 with bit 63 refused; RFC 8785 canonical text. The only door to jansson's loader; anyone may
 * include it. Error texts never quote the input: it may be a secret document.
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
/* Separators in one text: bounds what a small text of many small values can make jansson allocate. SNP evidence with a
 * full certificate table has some 40,000. */
#define JSON_VALUES_MAX 131072

/* Whole text is one JSON value (JSON_DISABLE_EOF_CHECK is off), at most max bytes, no NUL byte, raw or escaped. Reals
 * are refused unless allow_real. ERR_INTEGRITY, id "json". The caller owns *ret (json_decref). */
int json_parse(const char *text, size_t len, size_t max, bool allow_real, json_t **ret, struct err **err);
/* json_parse() without reals, in which an array of 16 or more numbers 0..255 is one value, see json_bytes(). For evidence,
 * which is thousands of such numbers. A string that starts with U+0001 is refused. */
int json_parse_bytes(const char *text, size_t len, size_t max, json_t **ret, struct err **err);
/* The bytes of a value that json_parse_bytes() made of an array, valid while v lives; false for any other value. */
bool json_bytes(const json_t *v, const uint8_t **ret, size_t *ret_len);
/* Typed members of an object; `where` names the object in messages. ERR_INTEGRITY, id "json". */
int json_get_str(const json_t *obj, const char *where, const char *key, const char **ret, struct err **err);
int json_get_u64(const json_t *obj, const char *where, const char *key, uint64_t min, uint64_t max, uint64_t *ret,
		 struct err **err);
int json_get_obj(const json_t *obj, const char *where, const char *key, json_t **ret, struct err **err); /* borrowed */
int json_get_arr(const json_t *obj, const char *where, const char *key, json_t **ret, struct err **err); /* borrowed */
/* RFC 8785 (strings, integers, booleans, null, arrays, objects; a real is ERR_INTEGRITY). Integers past 2^53, which the
 * RFC tells people not to use, keep every digit: SNP policies and mitigation vectors are such numbers. */
int json_canonical(const json_t *v, struct buf *out, struct err **err);
/* The same text with members in the order they were added. */
int json_compact(const json_t *v, struct buf *out, struct err **err);
/* Appends s quoted and escaped as RFC 8785 3.2.2.2 says. s must be UTF-8. */
void json_put_string(struct buf *out, const char *s, size_t len);
bool json_is_utf8(const char *s, size_t len);
#define _cleanup_json_ __attribute__((cleanup(json_decrefp)))
/* jansson's allocator wipes on free (S3). Idempotent, safe at any time: blocks stay ordinary malloc() blocks. Text made
 * by json_dumps() is not wiped by free(): dump with json_compact(). */
void json_use_wiping_allocator(void);

#endif
