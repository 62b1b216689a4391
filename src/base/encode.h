/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Strict text encodings (RFC 4648). Decoders refuse wrong alphabet, wrong padding, non-zero trailing bits,
 * white space. kbs-protocol.md 3.4 lists which field uses which form.
 */
#ifndef CRYPTATTEST_BASE_ENCODE_H
#define CRYPTATTEST_BASE_ENCODE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum b64_form {
	B64_STD,     /* standard alphabet, padded */
	B64_URL,     /* URL-safe alphabet, no padding */
	B64_URL_PAD, /* URL-safe alphabet, padded */
};

size_t b64_encoded_len(enum b64_form form, size_t n); /* without NUL */
size_t b64_decoded_max(size_t text_len);
/* Writes b64_encoded_len()+1 bytes including NUL. */
void b64_encode(enum b64_form form, const void *data, size_t n, char *out);
char *b64_encode_dup(enum b64_form form, const void *data, size_t n); /* NULL on OOM */
/* out has room for cap bytes; *ret_len gets the count. ERR_INTEGRITY (id "base64"). */
int b64_decode(enum b64_form form, const char *text, size_t text_len, void *out, size_t cap, size_t *ret_len,
	       struct err **err);
int b64_decode_dup(enum b64_form form, const char *text, size_t text_len, uint8_t **ret, size_t *ret_len,
		   struct err **err);
void hex_encode(const void *data, size_t n, char *out /* 2n+1 */); /* lower case */
char *hex_encode_dup(const void *data, size_t n);
/* Exactly n bytes from exactly 2n digits, either case. ERR_INTEGRITY (id "hex"). */
int hex_decode(const char *text, size_t text_len, void *out, size_t n, struct err **err);

#endif
