/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Fields of reports and quotes by name, for command lines and files: "measurement=<96 hex>", "vmpl=2", "foreign-qe=1". */
#ifndef CRYPTATTEST_TESTS_TESTPKI_FIELDS_H
#define CRYPTATTEST_TESTS_TESTPKI_FIELDS_H

#include "tests/lib/testpki.h"

/* ERR_CONFIG: no such field, or no value of its kind and size. */
int testpki_snp_set(struct snp_report *r, const char *assignment, struct err **err);
int testpki_tdx_set(struct testpki_tdx *t, const char *assignment, struct err **err);

#endif
