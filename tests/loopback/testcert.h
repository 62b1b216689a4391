/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Certificates for tests, made when they run: a P-256 authority and server certificates under it. */
#ifndef CRYPTATTEST_TESTS_TESTCERT_H
#define CRYPTATTEST_TESTS_TESTCERT_H

#include <stdbool.h>
#include <stdint.h>

struct testca;

struct testcert_params {
	const char *const *names; /* subject alternative names, DNS or addresses; NULL = 127.0.0.1 */
	const char *cn;		  /* common name, NULL = "test server" */
	int64_t not_before, not_after; /* seconds since 1970; 0 = an hour ago, in a day */
};

struct testcert {
	char cert_pem[2048]; /* leaf */
	char key_pem[512];
	char pin[64];
};

/* Aborts on failure: a test cannot go on without them. */
struct testca *testca_new(const char *name);
void testca_free(struct testca *ca);
const char *testca_pem(const struct testca *ca);
void testcert_make(const struct testca *ca, const struct testcert_params *p, struct testcert *ret);

#endif
