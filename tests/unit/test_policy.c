/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Machines against rules: who gets the secret, who does not, and what the refusal says. */
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

static void allow(const char *text, const struct verdict *v)
{
	struct policy_decision d = judge(text, &(struct policy_request){ .resource = "default/web/root", .verdict = v });

	if (!d.allow)
		fail_msg("denied by\n%s: %s", text, buf_cstr(&d.explanation));
	assert_int_equal(d.explanation.len, 0);
	policy_decision_clear(&d);
}

/* want: a line of the explanation. */
static void deny_request(const char *text, const struct policy_request *rq, const char *want)
{
	struct policy_decision d = judge(text, rq);

	if (d.allow)
		fail_msg("allowed by\n%s", text);
	assert_string_equal(d.rule, "");
	if (!strstr(buf_cstr(&d.explanation), want))
		fail_msg("no \"%s\" in\n%s", want, buf_cstr(&d.explanation));
	policy_decision_clear(&d);
}

static void deny(const char *text, const struct verdict *v, const char *want)
{
	deny_request(text, &(struct policy_request){ .resource = "default/web/root", .verdict = v }, want);
}

static void default_deny(void **state)
{
	struct verdict v;

	machine_snp(&v);
	deny("", &v, "p: no section is for resource default/web/root\n");
	deny("[resource default/other/root]\ntee = snp\n" MEAS HOSTD TCB COV, &v, "p: no section is for resource default/web/root\n");
	allow(SNP_RULE, &v);
	deny_request(SNP_RULE, &(struct policy_request){ .resource = "default/web", .verdict = &v },
		     "the resource asked for is not a name repository/type/tag\n");
	deny_request("[resource */*/*]\ntee = snp\n" MEAS HOSTD TCB COV,
		     &(struct policy_request){ .resource = "default/../root", .verdict = &v },
		     "the resource asked for is not a name repository/type/tag\n");
	v.verified = false;
	strcpy(v.reason_id, "snp-signature");
	strcpy(v.reason, "signature is wrong");
	deny(SNP_RULE, &v, "the evidence is not verified: snp-signature: signature is wrong\n");
	machine_tdx(&v);
	allow(TDX_RULE, &v);
	v.verified = false;
	deny(TDX_RULE, &v, "the evidence is not verified");
}

static void what_allowed(void **state)
{
	struct verdict v;
	const struct policy_request rq = { .resource = "default/web/root", .verdict = &v };
	struct policy_decision d;

	machine_snp(&v);
	d = judge(TDX_RULE "\n" SNP_RULE, &rq);
	assert_true(d.allow);
	assert_string_equal(d.rule, "p:8");
	assert_string_equal(d.covers, "kernel+initrd+cmdline");
	policy_decision_clear(&d);
	assert_false(d.allow);
}

/* Every pinned byte counts: one other bit in a field, and the machine is refused with both values in the reason. */
static void every_field(void **state)
{
	static const struct {
		const char *key, *value;
		enum tee_kind tee;
		size_t offset, len;
	} t[] = {
#define S(k, hex, m) { k, hex, TEE_SNP, offsetof(struct verdict, snp.m), sizeof(((struct verdict *)0)->snp.m) }
#define T(k, hex, m) { k, hex, TEE_TDX, offsetof(struct verdict, tdx.body.m), sizeof(((struct verdict *)0)->tdx.body.m) }
		S("measurement", H48("a1"), measurement),
		S("host-data", H32("a2"), host_data),
		S("report-id", H32("a3"), report_id),
		S("chip-id", H64("a4"), chip_id),
		S("family-id", H16("a5"), family_id),
		S("image-id", H16("a6"), image_id),
		S("id-key-digest", H48("a7"), id_key_digest),
		S("author-key-digest", H48("a8"), author_key_digest),
		T("mrtd", H48("b1"), mrtd),
		T("rtmr0", H48("c0"), rtmr[0]),
		T("rtmr1", H48("c1"), rtmr[1]),
		T("rtmr2", H48("c2"), rtmr[2]),
		T("rtmr3", H48("c3"), rtmr[3]),
		T("mrconfigid", H48("b2"), mrconfigid),
		T("mrowner", H48("b3"), mrowner),
		T("mrownerconfig", H48("b4"), mrownerconfig),
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		bool stands = t[i].tee == TEE_SNP ? strcmp(t[i].key, "measurement") == 0 || strcmp(t[i].key, "host-data") == 0 :
						    strcmp(t[i].key, "mrtd") == 0 || strcmp(t[i].key, "mrconfigid") == 0;
		const char *base = t[i].tee == TEE_SNP ? SNP_RULE : TDX_RULE;
		char rule[2048], want[512];
		struct verdict v;
		int n;

		if (t[i].tee == TEE_SNP)
			machine_snp(&v);
		else
			machine_tdx(&v);
		n = snprintf(rule, sizeof(rule), "%s", base);
		if (!stands)
			snprintf(rule + n, sizeof(rule) - (size_t)n, "%s = %s\n", t[i].key, t[i].value);
		allow(rule, &v);
		for (size_t bit = 0; bit < 8 * t[i].len; bit++) {
			uint8_t *p = (uint8_t *)&v + t[i].offset;

			p[bit / 8] ^= (uint8_t)(1 << bit % 8);
			snprintf(want, sizeof(want), "p:1 [resource default/web/root]: %s: found ", t[i].key);
			deny(rule, &v, want);
			snprintf(want, sizeof(want), ", wanted %s\n", t[i].value);
			if (bit == 0)
				deny(rule, &v, want);
			p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		allow(rule, &v);
	}
}

static void repeated_keys(void **state)
{
	struct verdict v;

	machine_snp(&v);
	allow(RES "tee = snp\nmeasurement = " H48("01") "\n" MEAS "measurement = " H48("02") "\nhost-data = " H32("03") "\n" HOSTD TCB COV, &v);
	deny(RES "tee = snp\nmeasurement = " H48("01") "\nmeasurement = " H48("02") "\n" HOSTD TCB COV, &v,
	     "measurement: found " H48("a1") ", wanted " H48("01") " or " H48("02") "\n");
	deny(RES "tee = snp\nmeasurement = " H48("01") "\nmeasurement = " H48("02") "\nmeasurement = " H48("03") "\nmeasurement = " H48("04")
		 "\nmeasurement = " H48("05") "\n" HOSTD TCB COV, &v, H48("03") " or one of 2 more\n");
	/* All keys of a rule are required; the failing ones are all named. */
	memset(v.snp.host_data, 9, 32);
	memset(v.snp.measurement, 9, 48);
	deny(SNP_RULE, &v, ": measurement: found " H48("09"));
	deny(SNP_RULE, &v, ": host-data: found " H32("09"));
}

static void alternatives(void **state)
{
	struct verdict v;

	machine_snp(&v);
	memset(v.snp.host_data, 9, 32);
	deny(SNP_RULE TDX_RULE, &v, "p:7 [resource default/web/root]: tee: found snp, wanted tdx\n");
	allow(SNP_RULE TDX_RULE RES "tee = snp\n" MEAS "host-data = " H32("09") "\n" TCB COV, &v);
	allow(SNP_RULE "[resource default/*/root]\ntee = snp\n" MEAS "shared = yes\n" TCB COV, &v);
	/* Two half-right rules are not one right one. */
	deny(RES "tee = snp\nmeasurement = " H48("01") "\nhost-data = " H32("09") "\n" TCB COV SNP_RULE, &v, "measurement: found");
}

static void min_tcb(void **state)
{
	static const struct {
		uint8_t bl, tee, snp, ucode;
		bool ok;
	} t[] = { { 4, 0, 24, 219, true },  { 5, 1, 25, 220, true },	  { 255, 255, 255, 255, true }, { 3, 0, 24, 219, false },
		  { 4, 0, 23, 219, false }, { 4, 0, 24, 218, false }, { 3, 255, 255, 255, false },  { 255, 255, 255, 0, false } };
	struct verdict v;

	machine_snp(&v);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		v.snp.reported_tcb = (struct snp_tcb){ .bootloader = t[i].bl, .tee = t[i].tee, .snp = t[i].snp, .microcode = t[i].ucode };
		if (t[i].ok)
			allow(SNP_RULE, &v);
		else
			deny(SNP_RULE, &v, ", wanted at least milan bootloader:4 tee:0 snp:24 microcode:219\n");
	}
	deny(SNP_RULE, &v, "min-tcb: found milan bootloader:255 tee:255 snp:255 microcode:0, wanted");
	/* The reported TCB is what the certificate vouches for; the others do not help. */
	v.snp.current_tcb = v.snp.committed_tcb = v.snp.launch_tcb = (struct snp_tcb){ 255, 255, 255, 255, 255, { 0 } };
	deny(SNP_RULE, &v, "min-tcb: found milan");
	allow(RES "tee = snp\n" MEAS HOSTD "min-tcb = none\n" COV, &v);

	machine_snp(&v);
	v.snp.generation = SNP_GENOA;
	deny(SNP_RULE, &v, "wanted at least a line for genoa, which the rule does not have\n");
	allow(SNP_RULE "min-tcb = genoa bootloader:4 tee:0 snp:24 microcode:219\n", &v);
	v.snp.generation = SNP_GEN_UNKNOWN;
	deny(SNP_RULE, &v, "wanted at least a line for unknown, which the rule does not have\n");
	allow(RES "tee = snp\n" MEAS HOSTD "min-tcb = none\n" COV, &v);
	v.snp.generation = SNP_TURIN;
	v.snp.reported_tcb.fmc = 2;
	allow(SNP_RULE "min-tcb = turin fmc:2 bootloader:4 tee:0 snp:24 microcode:219\n", &v);
	deny(SNP_RULE "min-tcb = turin fmc:3 bootloader:4 tee:0 snp:24 microcode:219\n", &v, "found turin fmc:2 bootloader:4");
	v.snp.generation = 99;
	deny(SNP_RULE, &v, "min-tcb: found unknown");
}

static void vmpl(void **state)
{
	struct verdict v;

	machine_snp(&v);
	for (uint32_t i = 1; i < 6; i++) {
		v.snp.vmpl = i;
		deny(SNP_RULE, &v, "vmpl: found ");
		deny(SNP_RULE "vmpl = 0\n", &v, ", wanted 0\n");
	}
	v.snp.vmpl = 2;
	allow(SNP_RULE "vmpl = 2\n", &v);
	allow(SNP_RULE "vmpl = 0\nvmpl = 2\n", &v);
	deny(SNP_RULE "vmpl = 0\nvmpl = 3\n", &v, "vmpl: found 2, wanted 0 3\n");
	v.snp.vmpl = 0;
	deny(SNP_RULE "vmpl = 2\n", &v, "vmpl: found 0, wanted 2\n");
	v.snp.vmpl = UINT32_MAX;
	deny(SNP_RULE "vmpl = 3\n", &v, "vmpl: found 4294967295, wanted 3\n");
}

static void danger(const char *rule, const char *name, const struct verdict *v)
{
	char with[4096], want[256];

	snprintf(want, sizeof(want), "]: %s: found yes (", name);
	deny(rule, v, want);
	snprintf(with, sizeof(with), "%s%s = allow\n", rule, name);
	allow(with, v);
}

/* Each is off by default and allowed by its own name only. */
static void dangers(void **state)
{
	struct verdict v;

	machine_snp(&v);
	v.snp.policy |= SNP_POLICY_DEBUG;
	danger(SNP_RULE, "debug", &v);
	deny(SNP_RULE "vlek = allow\nmigration-agent = allow\nmasked-chip-id = allow\n", &v, "debug: found yes");
	machine_snp(&v);
	v.snp.policy |= SNP_POLICY_MIGRATE_MA;
	danger(SNP_RULE, "migration-agent", &v);
	machine_snp(&v);
	v.snp.report_id_ma[31] = 0xfe;
	danger(SNP_RULE, "migration-agent", &v);
	machine_snp(&v);
	v.signer = SIGNER_VLEK;
	danger(SNP_RULE, "vlek", &v);
	machine_snp(&v);
	v.snp.key_info = 1 << 2;
	danger(SNP_RULE, "vlek", &v);
	machine_snp(&v);
	memset(v.snp.chip_id, 0, 64);
	danger(SNP_RULE, "masked-chip-id", &v);
	machine_snp(&v);
	v.snp.key_info = 1 << 1;
	danger(SNP_RULE, "masked-chip-id", &v);
	machine_snp(&v);
	v.signer = SIGNER_NONE;
	deny(SNP_RULE "vlek = allow\n", &v, "signer: found none, wanted VCEK\n");
	v.signer = SIGNER_PCK;
	deny(SNP_RULE "vlek = allow\n", &v, "signer: found none, wanted VCEK\n");
	machine_tdx(&v);
	v.tdx.body.td_attributes = TDX_ATTR_DEBUG;
	danger(TDX_RULE, "debug", &v);
	for (unsigned int bit = 0; bit < 8; bit++) {
		v.tdx.body.td_attributes = UINT64_C(1) << bit;
		danger(TDX_RULE, "debug", &v);
	}
	v.tdx.body.td_attributes = TDX_ATTR_MIGRATABLE | TDX_ATTR_SEPT_VE_DISABLE;
	danger(TDX_RULE, "migratable", &v);
	deny(TDX_RULE "debug = allow\n", &v, "migratable: found yes");
	v.tdx.body.td_attributes = TDX_ATTR_SEPT_VE_DISABLE;
	allow(TDX_RULE, &v);
	v.tdx.body.mrservicetd[47] = 1;
	danger(TDX_RULE, "migratable", &v);
}

static void bind_init_data(void **state)
{
	static const char rule[] = "[resource default/*/root]\ntee = snp\n" MEAS "bind = init-data\n" TCB COV,
			  tdx_rule[] = "[resource default/*/root]\ntee = tdx\nmrtd = " H48("b1") "\nbind = init-data\ntcb = unverified\n" COV;
	char *keys[] = { (char *)"a", (char *)"b", NULL }, *values[] = { (char *)"x", (char *)"default/web/root", NULL };
	struct init_data d = { .alg = DIGEST_SHA256, .keys = keys, .values = values };
	struct verdict v;
	struct policy_request rq = { .resource = "default/web/root", .verdict = &v, .init_data = &d };
	struct policy_decision dec;

	machine_snp(&v);
	memset(d.digest, 0xa2, 32);
	dec = judge(rule, &rq);
	assert_true(dec.allow);
	policy_decision_clear(&dec);
	values[1] = (char *)"kbs:///default/web/root";
	dec = judge(rule, &rq);
	assert_true(dec.allow);
	policy_decision_clear(&dec);

	rq.resource = "default/other/root";
	deny_request(rule, &rq, "bind: found init-data whose [data] do not name this resource, wanted a value default/other/root there\n");
	rq.resource = "default/web/root";
	values[1] = (char *)"kbs:///default/web/root2";
	deny_request(rule, &rq, "do not name this resource");
	values[1] = (char *)" default/web/root";
	deny_request(rule, &rq, "do not name this resource");
	values[1] = (char *)"default/*/root";
	deny_request(rule, &rq, "do not name this resource");
	values[1] = (char *)"default/web/root";
	d.digest[31] ^= 1;
	deny_request(rule, &rq, "bind: found init-data that do not hash to HOST_DATA");
	d.digest[31] ^= 1;
	rq.init_data = NULL;
	deny_request(rule, &rq, "bind: found no init-data in the request");

	machine_tdx(&v);
	d.alg = DIGEST_SHA384;
	memset(d.digest, 0xb2, 48);
	rq.init_data = &d;
	dec = judge(tdx_rule, &rq);
	assert_true(dec.allow);
	policy_decision_clear(&dec);
	d.digest[0] ^= 1;
	deny_request(tdx_rule, &rq, "bind: found init-data that do not hash to MRCONFIGID");
}

/* A server that trusts a test root gives nothing of value, a real one nothing of tests, and nobody a mixture. */
static void test_servers(void **state)
{
	struct verdict v;
	struct policy_request test = { .resource = "default/web/root", .verdict = &v, .test_server = true };
	struct policy_decision d;

	machine_snp(&v);
	deny_request(SNP_RULE, &test, "p:1 [resource default/web/root]: test: found a server with a test root, wanted test = yes");
	v.test_root = true;
	deny_request(SNP_RULE, &test, "test: found a server with a test root");
	d = judge(SNP_RULE "test = yes\n", &test);
	assert_true(d.allow);
	policy_decision_clear(&d);
	deny_request(SNP_RULE "test = yes\n" SNP_RULE, &test, "p:8 [resource default/web/root]: test: found a server with a test root");
	deny_request(SNP_RULE SNP_RULE "test = yes\n", &test, "p:1 [resource default/web/root]: test: found a server with a test root");
	deny_request(SNP_RULE "test = yes\n[resource */*/*]\ntee = snp\n" MEAS HOSTD TCB COV, &test,
		     "p:8 [resource */*/*]: test: found a server with a test root");
	v.test_root = false;
	deny(SNP_RULE "test = yes\n", &v, "p:1 [resource default/web/root]: test: found a server without a test root");
	deny(SNP_RULE "test = yes\n" SNP_RULE, &v, "test: found a server without a test root");
	allow(SNP_RULE "test = no\n", &v);
	/* Another resource's test rule is no matter. */
	allow(SNP_RULE "[resource default/x/y]\ntee = snp\n" MEAS HOSTD TCB COV "test = yes\n", &v);
}

/* Many rules for one resource: the log line count stays bounded. */
static void bounded_explanation(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(4 << 20);
	struct verdict v;

	for (int i = 0; i < 500; i++)
		buf_puts(&b, SNP_RULE);
	machine_snp(&v);
	memset(v.snp.measurement, 1, 48);
	deny(buf_cstr(&b), &v, "and 484 more sections for this resource\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_deny),	 cmocka_unit_test(what_allowed),  cmocka_unit_test(every_field),
		cmocka_unit_test(repeated_keys), cmocka_unit_test(alternatives),  cmocka_unit_test(min_tcb),
		cmocka_unit_test(vmpl),		 cmocka_unit_test(dangers),	  cmocka_unit_test(bind_init_data),
		cmocka_unit_test(test_servers),	 cmocka_unit_test(bounded_explanation),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
