/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Reports of real Azure machines through the same checks: they verify by the built-in roots, and prove nothing about a swtpm. */
#include "tests/unit/binding_machine.h"

#include "evidence/hcl_stored.h"
#include "tests/lib/fixture.h"
#include "unlock/binding_impl.h"

static void snp(void **state)
{
	_cleanup_free_ uint8_t *hcl = NULL, *vek = NULL;
	struct evidence ev = { .tee = TEE_SNP };
	struct machine *m = *state;
	struct hcl_report r;
	char summary[320];
	size_t len;

	m->platform.test_roots = NULL;
	hcl = fixture_read("azure/snp-v2-a/hcl-report.bin", &len);
	assert_ok(hcl_report_decode(hcl, len, &r, &_err));
	ev.report = (uint8_t *)r.hardware;
	ev.report_len = r.hardware_len;
	vek = fixture_read("azure/snp-v2-a/vcek.pem", &m->config.vtpm.vek_len);
	m->config.vtpm.vek_data = vek;
	assert_ok(binding_appraise(&m->env, &ev, r.report_data, summary, sizeof(summary), &_err));
	assert_non_null(strstr(summary, "SNP report, ARK-Milan, TCB milan"));

	/* In a TPM of ours it is an old report of somebody else's. */
	azure_tpm_init(&m->azure, m->swtpm, pki);
	m->tpm = &m->azure.access;
	m->azure.fixed = hcl;
	m->azure.fixed_len = len;
	m->patience_ms = 300;
	machine_fails(m, "hcl-stale");
}

static void tdx(void **state)
{
	_cleanup_free_ uint8_t *hcl = NULL, *object = NULL;
	struct machine *m = *state;

	m->platform.test_roots = NULL;
	azure_tpm_init(&m->azure, m->swtpm, pki);
	m->tpm = &m->azure.access;
	m->azure.fixed = hcl = fixture_read("azure/tdx-a/hcl-report.bin", &m->azure.fixed_len);
	m->config.vtpm.vek_data = object = fixture_read("azure/tdx-a/evidence-v1.json", &m->config.vtpm.vek_len);
	m->config.vtpm.vek = (char *)"/etc/quote.json";
	/* Everything up to the key, which is not in this TPM. */
	machine_fails(m, "vtpm-ak");
	free(hcl);
	m->azure.fixed = hcl = fixture_read("azure/tdx-b/hcl-report-tdx.bin", &m->azure.fixed_len);
	machine_fails(m, "vtpm-quote");
}

int main(void)
{
	const struct CMUnitTest tests[] = { MACHINE_TEST(snp), MACHINE_TEST(tdx) };

	fixtures_or_skip();
	swtpm_or_skip();
	return cmocka_run_group_tests_name("binding_fixtures", tests, machine_open_pki, machine_close_pki);
}
