/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Every 1-bit flip and every truncation of a valid blob, for codec tests (style.md 8). */
#ifndef CRYPTATTEST_TESTS_MUTATE_H
#define CRYPTATTEST_TESTS_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/* Called with an exact-size heap copy (so that sanitizers see an over-read); what names the mutation. */
typedef void (*mutate_fn)(const uint8_t *data, size_t len, const char *what, void *ctx);

void mutate_bit_flips(const uint8_t *data, size_t from, size_t to, size_t len, mutate_fn fn, void *ctx);
void mutate_truncations(const uint8_t *data, size_t len, size_t step, mutate_fn fn, void *ctx);

#endif
