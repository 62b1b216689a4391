/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A made-up machine before a policy text. */
#ifndef CRYPTATTEST_TESTS_POLICY_JUDGE_H
#define CRYPTATTEST_TESTS_POLICY_JUDGE_H

#include "tests/unit/policy_machines.h"
#include "verify/policy.h"

static inline struct policy *parse(const char *text)
{
	_cleanup_err_ struct err *e = NULL;
	struct policy *p = NULL;

	if (policy_parse("p", text, strlen(text), &p, &e) < 0)
		fail_msg("%s in\n%s", err_message(e), text);
	return p;
}

static inline struct policy_decision judge(const char *text, const struct policy_request *rq)
{
	struct policy *p = parse(text);
	struct policy_decision d = { 0 };

	assert_int_equal(policy_evaluate(p, rq, &d, NULL), 0);
	policy_free(p);
	return d;
}

#endif
