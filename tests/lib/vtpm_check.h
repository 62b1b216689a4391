/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* For the tests of vtpm/: one swtpm for the group, and a TPM opened and trusted in a line. */
#ifndef CRYPTATTEST_TESTS_VTPM_CHECK_H
#define CRYPTATTEST_TESTS_VTPM_CHECK_H

#include "tests/lib/check.h"

#include <fcntl.h>
#include <string.h>

#include "tests/lib/swtpm.h"
#include "vtpm/nv.h"
#include "vtpm/pcr.h"
#include "vtpm/session.h"
#include "vtpm/srk.h"

/* Per test, not per group: what one test leaves behind never helps or hurts another. */
static inline int check_start(void **state)
{
	*state = swtpm_start();
	return 0;
}

static inline int check_stop(void **state)
{
	swtpm_stop(*state);
	return 0;
}

#define vtpm_test(f) cmocka_unit_test_setup_teardown(f, check_start, check_stop)

static inline struct tpm *check_open(const struct tpm_access *access)
{
	struct tpm *t = NULL;

	assert_ok(tpm_open(access, AT_FDCWD, deadline_in_ms(20000), &t, &_err));
	return t;
}

/* Persistent storage primary, session salted to it. */
static inline struct tpm *check_trusted(struct swtpm *s, struct tpm_name *ret_name)
{
	struct tpm *t = check_open(swtpm_access(s));
	struct srk srk = SRK_INIT(t);

	assert_ok(srk_provision(t, NULL, &_err));
	assert_ok(srk_show(t, &srk, &_err));
	*ret_name = srk.name;
	srk_release(&srk);
	assert_ok(srk_trust(t, ret_name, &_err));
	return t;
}

#endif
