/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/lib/judge.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/check.h"

int judge_setup(void **state)
{
	struct judge *j = calloc(1, sizeof(*j));
	_cleanup_err_ struct err *err = NULL;

	if (!j || testpki_open(NULL, &j->pki, &err) < 0 || trust_anchors_new(&j->trusting, &err) < 0 ||
	    trust_anchors_new(&j->strict, &err) < 0 ||
	    trust_anchors_add_test_root(j->trusting, testpki_roots(j->pki), strlen(testpki_roots(j->pki)), &err) < 0) {
		print_message("%s\n", err_message(err));
		return -1;
	}
	*state = j;
	return 0;
}

int judge_teardown(void **state)
{
	struct judge *j = *state;

	trust_anchors_free(j->trusting);
	trust_anchors_free(j->strict);
	testpki_free(j->pki);
	free(j);
	return 0;
}

void judge_evidence(const struct judge *j, struct verify_input in, struct verdict *ret)
{
	if (!in.anchors)
		in.anchors = j->trusting;
	if (!in.at)
		in.at = JUDGE_AT;
	assert_ok(verify_evidence(&in, ret, &_err));
}

void assert_verdict(const char *what, const struct verdict *v, const char *id)
{
	if (v->verified != !id || strcmp(v->reason_id, id ? id : "") != 0 || (id && !v->reason[0]))
		fail_msg("%s: %s (%s: %s), expected %s", what, v->verified ? "verified" : "refused", v->reason_id, v->reason,
			 id ? id : "verified");
}
