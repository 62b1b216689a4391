/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The rule that a denial prints, and policy_from_evidence(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tests/unit/policy_judge.h"

/* The rule at the end of an explanation, with covers filled in. */
static char *pasted(const char *text)
{
	const char *at = strstr(text, "[resource default/web/root]\ntee");
	char *rule, *hole;
	int r;

	assert_non_null(at);
	hole = strstr(at, "covers = FILL-IN\n");
	assert_non_null(hole);
	assert_string_equal(hole, "covers = FILL-IN\n");
	r = asprintf(&rule, "%.*scovers = kernel+initrd+cmdline\n", (int)(hole - at), at);
	assert_true(r > 0);
	return rule;
}

/* Whatever the machine is: the rule that the denial prints accepts it, once its covers is filled in. */
static void suggestion(const struct verdict *v, bool test_server)
{
	const struct policy_request rq = { .resource = "default/web/root", .verdict = v, .test_server = test_server };
	struct policy_decision d = judge("", &rq);
	_cleanup_err_ struct err *e = NULL;
	_cleanup_free_ char *rule = NULL;
	struct policy *p = NULL;
	const char *text;

	assert_false(d.allow);
	text = strstr(buf_cstr(&d.explanation), "[resource default/web/root]\ntee");
	assert_true(policy_parse("p", text, strlen(text), &p, &e) < 0);
	assert_non_null(strstr(err_message(e), "covers = FILL-IN"));
	rule = pasted(text);
	policy_decision_clear(&d);
	d = judge(rule, &rq);
	if (!d.allow)
		fail_msg("%s does not accept it: %s", rule, buf_cstr(&d.explanation));
	policy_decision_clear(&d);
}

static void suggestions(void **state)
{
	struct verdict v;

	machine_snp(&v);
	suggestion(&v, false);
	suggestion(&v, true);
	memset(v.snp.host_data, 0, 32);
	suggestion(&v, false);
	memset(v.snp.chip_id, 0, 64);
	suggestion(&v, false);
	memset(v.snp.family_id, 0, 16);
	suggestion(&v, false);
	memset(v.snp.image_id, 0, 16);
	suggestion(&v, false);
	memset(v.snp.id_key_digest, 0, 48);
	suggestion(&v, false);
	v.snp.policy |= SNP_POLICY_DEBUG | SNP_POLICY_MIGRATE_MA;
	v.signer = SIGNER_VLEK;
	v.snp.key_info = 1 << 2 | 1 << 1;
	v.snp.vmpl = 1;
	v.snp.generation = SNP_TURIN;
	suggestion(&v, false);
	v.snp.generation = SNP_GEN_UNKNOWN;
	suggestion(&v, true);
	machine_tdx(&v);
	suggestion(&v, false);
	memset(v.tdx.body.mrconfigid, 0, 48);
	v.tdx.body.td_attributes = TDX_ATTR_DEBUG | TDX_ATTR_MIGRATABLE;
	suggestion(&v, false);
	suggestion(&v, true);
}

static void from_evidence(void **state)
{
	static const char want[] = "[resource default/web/root]\ntee = snp\n" MEAS HOSTD TCB
				   "# CAREFUL: the host can read and write this guest's memory\ndebug = allow\n"
				   "# signed by a test root, for a test server alone\ntest = yes\ncovers = FILL-IN\n";
	_cleanup_buf_ struct buf b = BUF_INIT(65536), small = BUF_INIT(10);
	_cleanup_err_ struct err *e = NULL;
	struct verdict v;

	machine_snp(&v);
	v.snp.policy |= SNP_POLICY_DEBUG;
	v.test_root = true;
	assert_int_equal(policy_from_evidence("default/web/root", &v, &b, NULL), 0);
	assert_string_equal(buf_cstr(&b), want);
	assert_true(policy_from_evidence("default/web/root", &v, &small, &e) < 0);
	assert_int_equal(err_class(e), ERR_INTERNAL);
	err_clear(&e);
	assert_true(policy_from_evidence("default/*/root", &v, &b, &e) < 0);
	assert_int_equal(err_class(e), ERR_CONFIG);
	err_clear(&e);
	memset(&v, 0, sizeof(v));
	strcpy(v.reason, "too short");
	assert_true(policy_from_evidence("default/web/root", &v, &b, &e) < 0);
	assert_int_equal(err_class(e), ERR_REFUSED);
	err_clear(&e);
	v.tee = TEE_SNP;
	assert_true(policy_from_evidence("default/web/root", &v, &b, &e) < 0);
	assert_int_equal(err_class(e), ERR_REFUSED);
	assert_string_equal(err_message(e), "too short: the evidence does not decode");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(suggestions), cmocka_unit_test(from_evidence) };

	return cmocka_run_group_tests_name("policy_suggest", tests, NULL, NULL);
}
