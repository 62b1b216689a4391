/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/lib/mutate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *copy_of(const uint8_t *data, size_t len)
{
	uint8_t *c = malloc(len ? len : 1);

	if (!c)
		abort();
	memcpy(c, data, len);
	return c;
}

void mutate_bit_flips(const uint8_t *data, size_t from, size_t to, size_t len, mutate_fn fn, void *ctx)
{
	char what[64];

	for (size_t byte = from; byte < to && byte < len; byte++) {
		for (unsigned int bit = 0; bit < 8; bit++) {
			uint8_t *c = copy_of(data, len);

			c[byte] ^= (uint8_t)(1U << bit);
			snprintf(what, sizeof(what), "bit %u of byte %zu flipped", bit, byte);
			fn(c, len, what, ctx);
			free(c);
		}
	}
}

void mutate_truncations(const uint8_t *data, size_t len, size_t step, mutate_fn fn, void *ctx)
{
	char what[64];

	for (size_t n = 0; n < len; n += step) {
		uint8_t *c = copy_of(data, n);

		snprintf(what, sizeof(what), "cut to %zu bytes", n);
		fn(c, n, what, ctx);
		free(c);
	}
}
