/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Any policy file: parsed or refused with a reason; what parses judges two machines without harm. */
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/policy_machines.h"
#include "verify/policy.h"

static void judge(const struct policy *p, const struct verdict *v)
{
	for (int test = 0; test < 2; test++) {
		const struct policy_request rq = { .resource = "default/web/root", .verdict = v, .test_server = test };
		struct policy_decision d = { 0 };

		if (policy_evaluate(p, &rq, &d, NULL) < 0 || d.allow != (d.rule[0] != 0) || d.allow != (d.explanation.len == 0))
			abort();
		policy_decision_clear(&d);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy *p = NULL;
	struct err *e = NULL;
	static struct verdict v;

	if (policy_parse("p", (const char *)data, size, &p, &e) < 0) {
		if (err_class(e) != ERR_CONFIG)
			abort();
		err_free(e);
		return 0;
	}
	machine_snp(&v);
	judge(p, &v);
	machine_tdx(&v);
	judge(p, &v);
	policy_free(p);
	return 0;
}
