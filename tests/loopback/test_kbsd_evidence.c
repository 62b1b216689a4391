/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Evidence, keys and init-data that a real server must refuse: the reason in its log, one text for the client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "tests/loopback/kbsd_case.h"

static void debug_on(struct snp_report *rep)
{
	rep->policy |= SNP_POLICY_DEBUG;
}
static void other_measurement(struct snp_report *rep)
{
	rep->measurement[7] ^= 0x80;
}
static void other_tcb(struct snp_report *rep)
{
	rep->reported_tcb.snp--;
	rep->reported_tcb.raw[6]--;
}
static void foreign_qe(struct testpki_tdx *t)
{
	t->foreign_qe = true;
}
static void other_mrtd(struct testpki_tdx *t)
{
	t->body.mrtd[0] ^= 1;
}

struct bad_evidence {
	const char *what;
	enum tee_kind tee;
	void (*snp)(struct snp_report *r);
	void (*tdx)(struct testpki_tdx *t);
	bool wrong_data, flip, no_certs;
	const char *log;
};

static void test_bad_evidence(void **state)
{
	static const struct bad_evidence rows[] = {
		{ "report data", TEE_SNP, .wrong_data = true, .log = "report-data: report data is" },
		{ "signature", TEE_SNP, .flip = true, .log = "signature" },
		{ "no certificates", TEE_SNP, .no_certs = true, .log = "to be had from: https://kdsintf.amd.com/vcek/v1/Milan/" },
		{ "tcb", TEE_SNP, .snp = other_tcb, .log = "tcb" },
		{ "report data", TEE_TDX, .wrong_data = true, .log = "report-data: report data is" },
		{ "signature", TEE_TDX, .flip = true, .log = "signature" },
		{ "foreign quoting enclave", TEE_TDX, .tdx = foreign_qe, .log = "qe" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct agent a;
		char seen[64];

		agent_open(&a, &k, KBS_0_4_0, rows[i].tee, KEY_EC_P256);
		a.snp = rows[i].snp;
		a.tdx = rows[i].tdx;
		a.wrong_data = rows[i].wrong_data;
		a.flip = rows[i].flip;
		a.no_certs = rows[i].no_certs;
		agent_attest(&a, &r);
		if (!response_is(&r, 401, "AttestationError"))
			fail_msg("%s", rows[i].what);
		assert_non_null(strstr(r.body, "\"Attestation error: RCAR handshake Attest failed\""));
		snprintf(seen, sizeof(seen), "session %.8s", a.cookie + strlen("kbs-session-id="));
		assert_true(kbsd_log_has(&k, seen));
		if (!kbsd_log_has(&k, rows[i].log)) {
			_cleanup_free_ char *log = kbsd_log_read(&k);

			fail_msg("%s: not in the log: %s\n%s", rows[i].what, rows[i].log, log);
		}
		agent_get(&a, PATH_ROOT, &r);
		assert_true(response_is(&r, 401, "TokenNotFound"));
		agent_close(&a);
	}
}

static void assert_policy_refuses(enum tee_kind tee, void (*snp)(struct snp_report *), void (*tdx)(struct testpki_tdx *),
				  const char *log)
{
	struct agent a;

	agent_open(&a, &k, KBS_0_4_0, tee, KEY_EC_P256);
	a.snp = snp;
	a.tdx = tdx;
	agent_attest(&a, &r);
	assert_int_equal(r.status, 200);
	agent_get(&a, PATH_ROOT, &r);
	assert_true(response_is(&r, 401, "PolicyDeny"));
	assert_non_null(strstr(r.body, "Access denied by policy"));
	if (!kbsd_log_has(&k, log)) {
		_cleanup_free_ char *text = kbsd_log_read(&k);

		fail_msg("not in the log: %s\n%s", log, text);
	}
	agent_close(&a);
}

static void test_policy_refusals(void **state)
{
	char line[160];
	struct snp_report rep;

	(void)state;
	assert_policy_refuses(TEE_SNP, debug_on, NULL, "debug");
	assert_policy_refuses(TEE_TDX, NULL, other_mrtd, "mrtd");
	assert_policy_refuses(TEE_SNP, other_measurement, NULL, "measurement");
	/* The rule to paste starts a line of its own. */
	testpki_snp_template(k.pki, &rep);
	other_measurement(&rep);
	snprintf(line, sizeof(line), "\nmeasurement = ");
	for (size_t i = 0, n = strlen(line); i < 48; i++, n += 2)
		snprintf(line + n, 3, "%02x", rep.measurement[i]);
	assert_true(kbsd_log_has(&k, line));
	assert_true(kbsd_log_has(&k, "\n[resource default/vm/root]"));
}

static void test_additional_evidence(void **state)
{
	static const char empty[] = "\"additional_evidence\":\"\"";
	struct agent a;
	_cleanup_free_ char *body = NULL, *changed = NULL;
	char *at;

	(void)state;
	agent_open(&a, &k, KBS_0_4_0, TEE_SNP, KEY_EC_P256);
	agent_auth(&a, &r);
	body = agent_attest_body(&a);
	at = strstr(body, empty);
	assert_non_null(at);
	changed = text_printf("%.*s\"additional_evidence\":\"{}\"%s", (int)(at - body), body, at + strlen(empty));
	agent_post_attest(&a, changed, &r);
	assert_true(response_is(&r, 401, "AttestationError"));
	assert_true(kbsd_log_has(&k, "additional-evidence"));
	agent_close(&a);
}

#define INIT_DATA "version = \"0.1.0\"\nalgorithm = \"sha256\"\n[data]\n\"a\" = \"b\"\n"

static void host_data_of_init_data(struct snp_report *rep)
{
	uint8_t digest[DIGEST_MAX];

	assert_int_equal(digest_bytes(DIGEST_SHA256, INIT_DATA, strlen(INIT_DATA), digest, NULL), 0);
	memcpy(rep->host_data, digest, 32);
}

static void test_init_data(void **state)
{
	struct agent a;

	(void)state;
	agent_open(&a, &k, KBS_0_4_0, TEE_SNP, KEY_EC_P256);
	a.init_data = INIT_DATA;
	agent_attest(&a, &r);
	assert_true(response_is(&r, 401, "AttestationError"));
	assert_true(kbsd_log_has(&k, "init-data: the init-data sent hashes to"));
	a.snp = host_data_of_init_data;
	agent_attest(&a, &r);
	assert_int_equal(r.status, 200);
	a.init_data = "not = toml [";
	agent_attest(&a, &r);
	assert_true(response_is(&r, 401, "AttestationError"));
	agent_close(&a);
}

static void test_rsa15_key(void **state)
{
	struct agent a;

	(void)state;
	agent_open(&a, &k, KBS_0_4_0, TEE_SNP, KEY_RSA_2048);
	a.jwk.alg = JWK_RSA1_5;
	agent_attest(&a, &r);
	assert_int_equal(r.status, 200);
	agent_get(&a, PATH_ROOT, &r);
	assert_true(response_is(&r, 401, "JweError"));
	agent_close(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_evidence), cmocka_unit_test(test_policy_refusals), cmocka_unit_test(test_additional_evidence),
		cmocka_unit_test(test_init_data),    cmocka_unit_test(test_rsa15_key),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
