/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * A fuzz target is one file fuzz_FORMAT.c that defines this function: no crash, no leak, bounded time on any bytes. It
 * returns 0 and calls abort() when something that must hold does not (a parsed value that does not print back, say).
 */
#ifndef CRYPTATTEST_TESTS_FUZZ_H
#define CRYPTATTEST_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
