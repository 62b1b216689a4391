/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Real evidence lives beside the checkout, in ../shared/fixtures, and is never committed. A test program whose data is
 * not there prints `1..0 # SKIP reason` (cmocka 1.1.5 reports its own skip() as a failure).
 */
#ifndef CRYPTATTEST_TESTS_FIXTURE_H
#define CRYPTATTEST_TESTS_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool fixtures_present(void);
/* Prints the TAP skip line and exits 0 when the fixtures are absent: first statement of main(). */
void fixtures_or_skip(void);
/* Whole file below ../shared/fixtures; exits with a message when it is missing. free() it. NUL added. */
uint8_t *fixture_read(const char *rel, size_t *ret_len);

#endif
