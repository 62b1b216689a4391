/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "base/encode.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/secret.h"

static const char alphabet_std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char alphabet_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t b64_encoded_len(enum b64_form form, size_t n)
{
	static const size_t tail[] = { 0, 2, 3 };

	if (form == B64_URL)
		return n / 3 * 4 + tail[n % 3];
	return (n + 2) / 3 * 4;
}

size_t b64_decoded_max(size_t text_len)
{
	return text_len / 4 * 3 + 3;
}

void b64_encode(enum b64_form form, const void *data, size_t n, char *out)
{
	const char *alphabet = form == B64_STD ? alphabet_std : alphabet_url;
	const uint8_t *p = data;

	for (size_t i = 0; i < n; i += 3) {
		size_t have = n - i < 3 ? n - i : 3;
		uint32_t v = (uint32_t)p[i] << 16;

		if (have > 1)
			v |= (uint32_t)p[i + 1] << 8;
		if (have > 2)
			v |= p[i + 2];
		*out++ = alphabet[v >> 18 & 63];
		*out++ = alphabet[v >> 12 & 63];
		if (have > 1)
			*out++ = alphabet[v >> 6 & 63];
		else if (form != B64_URL)
			*out++ = '=';
		if (have > 2)
			*out++ = alphabet[v & 63];
		else if (form != B64_URL)
			*out++ = '=';
	}
	*out = '\0';
}

char *b64_encode_dup(enum b64_form form, const void *data, size_t n)
{
	char *out = malloc(b64_encoded_len(form, n) + 1);

	if (out)
		b64_encode(form, data, n, out);
	return out;
}

static int b64_value(enum b64_form form, char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == (form == B64_STD ? '+' : '-'))
		return 62;
	if (c == (form == B64_STD ? '/' : '_'))
		return 63;
	return -1;
}

/* Number of alphabet characters, or an error when padding is not exactly what the form wants. */
static int b64_payload_len(enum b64_form form, const char *text, size_t text_len, size_t *ret, struct err **err)
{
	size_t n = text_len;

	if (form != B64_URL) {
		if (text_len % 4)
			return err_set(err, ERR_INTEGRITY, "base64", "base64 text is not padded to a multiple of four");
		if (n && text[n - 1] == '=')
			n--;
		if (n && n < text_len && text[n - 1] == '=')
			n--;
	}
	if (n % 4 == 1)
		return err_set(err, ERR_INTEGRITY, "base64", "base64 text has an impossible length");
	*ret = n;
	return 0;
}

int b64_decode(enum b64_form form, const char *text, size_t text_len, void *out, size_t cap, size_t *ret_len,
	       struct err **err)
{
	uint8_t *p = out;
	uint32_t acc = 0;
	unsigned int bits = 0;
	size_t n = 0, got = 0;

	if (b64_payload_len(form, text, text_len, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		int v = b64_value(form, text[i]);

		if (v < 0)
			return err_set(err, ERR_INTEGRITY, "base64", "base64 text has a wrong character at offset %zu", i);
		acc = (acc << 6 | (uint32_t)v) & 0xffffff;
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		if (got == cap)
			return err_set(err, ERR_INTEGRITY, "base64", "base64 text decodes to more than %zu bytes", cap);
		p[got++] = (uint8_t)(acc >> bits);
	}
	/* Otherwise several texts would decode to the same bytes. */
	if (acc & ((1U << bits) - 1))
		return err_set(err, ERR_INTEGRITY, "base64", "base64 text has non-zero trailing bits");
	*ret_len = got;
	return 0;
}

int b64_decode_dup(enum b64_form form, const char *text, size_t text_len, uint8_t **ret, size_t *ret_len,
		   struct err **err)
{
	size_t cap = b64_decoded_max(text_len), n = 0;
	uint8_t *out = malloc(cap);

	if (!out)
		return err_nomem(err);
	if (b64_decode(form, text, text_len, out, cap, &n, err) < 0) {
		wipe(out, cap);
		free(out);
		return -1;
	}
	*ret = out;
	*ret_len = n;
	return 0;
}

void hex_encode(const void *data, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = data;

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = '\0';
}

char *hex_encode_dup(const void *data, size_t n)
{
	char *out = malloc(2 * n + 1);

	if (out)
		hex_encode(data, n, out);
	return out;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_decode(const char *text, size_t text_len, void *out, size_t n, struct err **err)
{
	uint8_t *p = out;

	if (text_len != 2 * n)
		return err_set(err, ERR_INTEGRITY, "hex", "%zu hex digits wanted, %zu found", 2 * n, text_len);
	for (size_t i = 0; i < text_len; i++)
		if (hex_value(text[i]) < 0)
			return err_set(err, ERR_INTEGRITY, "hex", "not a hex digit at offset %zu", i);
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(hex_value(text[2 * i]) << 4 | hex_value(text[2 * i + 1]));
	return 0;
}
