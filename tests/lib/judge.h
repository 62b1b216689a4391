/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Verdicts in a line: evidence of the test PKI judged with its roots trusted. For the tests of verify/. */
#ifndef CRYPTATTEST_TESTS_JUDGE_H
#define CRYPTATTEST_TESTS_JUDGE_H

#include "tests/lib/testpki.h"
#include "verify/verify.h"

/* Group state of a test program. */
struct judge {
	struct testpki *pki;
	struct trust_anchors *trusting; /* the PKI's roots added */
	struct trust_anchors *strict;	/* built-in roots alone */
};

int judge_setup(void **state);
int judge_teardown(void **state);

#define JUDGE_AT INT64_C(1767225600) /* 2026-01-01, inside every certificate of the PKI */

/* Anchors and time are filled in where the input has none. Fails the test when there is no verdict. */
void judge_evidence(const struct judge *j, struct verify_input in, struct verdict *ret);
/* The verdict must be "verified" (id NULL) or "refused" with this id and a text. */
void assert_verdict(const char *what, const struct verdict *v, const char *id);

#endif
