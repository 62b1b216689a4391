/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Tokens. The key is the public half of the one in fuzz_jwe.c. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "wire/ear_token.h"
#include "wire/json.h"

static void number(const char *text, uint8_t out[static 32])
{
	size_t n;

	if (b64_decode(B64_URL, text, strlen(text), out, 32, &n, NULL) < 0 || n != 32)
		abort();
}

static void try_token(const char *jwt)
{
	_cleanup_json_ json_t *payload = NULL, *peeked = NULL;
	_cleanup_err_ struct err *e = NULL;
	struct public_key pk = { .curve_bits = 256, .coord_len = 32 };

	number("-HLV1FPagKWzRksOHVBe207HNJAasgXvnYgiYPn7-mw", pk.x);
	number("0mRAKgmHKrOv3BpNhW-woT5QvN-1is8n1ihybNXJFYY", pk.y);
	ear_token_peek(jwt, &peeked, NULL);
	if (ear_token_verify(&pk, jwt, 1800000000, &payload, &e) < 0 && err_class(e) != ERR_INTEGRITY)
		abort();
	if (payload && !peeked)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = strndup((const char *)data, size);

	if (!text)
		abort();
	try_token(text);
	return 0;
}
