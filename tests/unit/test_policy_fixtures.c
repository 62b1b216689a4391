/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Real evidence: the rule printed from each accepts it and no other machine's; what is dangerous about it is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tests/lib/fixture.h"
#include "verify/policy.h"

static const struct {
	const char *file;
	const char *expect; /* a line of the rule, besides what all have */
} machines[] = {
	{ "snp/v2-milan-a/report.bin", "chip-id = " },
	{ "snp/v2-milan-azure/report.bin", "host-data = cadd74f7" },
	{ "snp/v2-milan-b/report.bin", "debug = allow" },
	{ "snp/v2-milan-vmpl2-nocert/report.bin", "vmpl = 2" },
	{ "snp/v3-genoa/report.bin", "min-tcb = genoa bootloader:" },
	{ "snp/v3-milan-a/report.bin", "min-tcb = milan bootloader:" },
	{ "snp/v3-milan-aci/report.bin", "host-data = aadd911a" },
	{ "snp/v3-milan-b/report.bin", "chip-id = " },
	{ "snp/v3-milan-vlek-vmpl1/report.bin", "vlek = allow" },
	{ "snp/v5-turin/report.bin", "min-tcb = turin fmc:" },
	{ "tdx/quote-v4-a.bin", "tcb = unverified" },
	{ "tdx/quote-v4-gcp.bin", "rtmr2 = " },
	{ "tdx/quote-v4-mrconfigid.bin", "mrconfigid = " },
	{ "tdx/quote-v5-a.bin", "mrtd = " },
};
#define N ARRAY_SIZE(machines)

static uint8_t *bytes[N]; /* a TD quote points into its own */
static struct verdict verdicts[N];

static int load(void **state)
{
	for (size_t i = 0; i < N; i++) {
		struct verdict *v = &verdicts[i];
		size_t len;
		bool snp = strncmp(machines[i].file, "snp/", 4) == 0;

		bytes[i] = fixture_read(machines[i].file, &len);
		/* Signatures are verify's tests; here the fields count. */
		v->verified = true;
		v->tee = snp ? TEE_SNP : TEE_TDX;
		if (snp ? snp_report_decode(bytes[i], len, &v->snp, NULL) < 0 : tdx_quote_decode(bytes[i], len, &v->tdx, NULL) < 0)
			return -1;
		/* Version 2 does not say; verify takes it from the certificate's issuer, and these are Milan's. */
		if (snp && v->snp.version == 2)
			v->snp.generation = SNP_MILAN;
		v->signer = !snp ? SIGNER_PCK : snp_signing_key(&v->snp) == 1 ? SIGNER_VLEK : SIGNER_VCEK;
	}
	return 0;
}

static int unload(void **state)
{
	for (size_t i = 0; i < N; i++)
		free(bytes[i]);
	return 0;
}

static struct policy *rule_of(size_t i)
{
	_cleanup_buf_ struct buf rule = BUF_INIT(65536);
	_cleanup_err_ struct err *e = NULL;
	struct policy *p = NULL;
	char *hole;

	assert_int_equal(policy_from_evidence("default/web/root", &verdicts[i], &rule, NULL), 0);
	if (!strstr(buf_cstr(&rule), machines[i].expect))
		fail_msg("%s: no \"%s\" in %s", machines[i].file, machines[i].expect, buf_cstr(&rule));
	hole = strstr((char *)rule.data, "covers = FILL-IN");
	assert_non_null(hole);
	rule.len = (size_t)(hole - (char *)rule.data);
	buf_puts(&rule, "covers = kernel+initrd+cmdline\n");
	if (policy_parse("p", (const char *)rule.data, rule.len, &p, &e) < 0)
		fail_msg("%s: %s in %s", machines[i].file, err_message(e), buf_cstr(&rule));
	return p;
}

static void each_its_own(void **state)
{
	for (size_t i = 0; i < N; i++) {
		struct policy *p = rule_of(i);

		for (size_t k = 0; k < N; k++) {
			const struct policy_request rq = { .resource = "default/web/root", .verdict = &verdicts[k] };
			struct policy_decision d = { 0 };

			assert_int_equal(policy_evaluate(p, &rq, &d, NULL), 0);
			if (d.allow != (i == k))
				fail_msg("rule of %s, machine %s: %s", machines[i].file, machines[k].file, d.allow ? "allowed" : "denied");
			policy_decision_clear(&d);
		}
		policy_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_its_own) };

	fixtures_or_skip();
	return cmocka_run_group_tests_name("policy_fixtures", tests, load, unload);
}
