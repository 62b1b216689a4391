/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The vTPM of Azure's paravisor: proven, and every way in which it is not. */
#include "tests/unit/binding_machine.h"

#include <tss2/tss2_tpm2_types.h>

static void genuine(void **state)
{
	struct machine *m = *state;
	struct binding_result r, again;

	machine_is_azure(m);
	machine_proves(m, "azure-ak", &r);
	assert_int_equal(r.persistence, BINDING_PERSISTS);
	assert_non_null(strstr(r.summary, "test:ARK-Milan"));
	/* By that name and no other, and a second time. */
	machine_pin(m, &r.srk);
	m->config.vtpm.binding = BINDING_AZURE;
	machine_proves(m, "azure-ak", &again);
	assert_true(tpm_name_equal(&r.srk, &again.srk));
	assert_ok(binding_check_sealed(&r, &again.srk, &_err));
	/* A sealed secret of another primary. */
	again.srk.bytes[5] ^= 1;
	assert_fails(binding_check_sealed(&r, &again.srk, &_err), ERR_TPM, "vtpm-srk-name");
	again.srk.len = 0;
	assert_ok(binding_check_sealed(&r, &again.srk, &_err));
}

static void by_endorsement_key(void **state)
{
	struct machine *m = *state;
	struct binding_result r;

	machine_is_azure(m);
	m->azure.claim_ek = true;
	machine_proves(m, "azure-ak", &r);
	assert_int_equal(swtpm_sh(m->swtpm, "tpm2_evictcontrol -C o -c 0x81000003"), 0);
	machine_proves(m, "azure-ek", &r);
	m->azure.claim_ek = false;
	machine_fails(m, "vtpm-ak");
}

static void slow_paravisor(void **state)
{
	struct machine *m = *state;
	struct binding_result r;

	machine_is_azure(m);
	m->azure.reads_late = 2;
	machine_proves(m, "azure-ak", &r);
}

/* --- another TPM --- */

static void foreign_ak(void **state)
{
	struct machine *m = *state;
	struct swtpm *other = swtpm_start();

	machine_is_azure(m);
	/* The report is genuine, but of the machine next door. */
	azure_tpm_make_key(other, true, HANDLE_AZURE_AK, &m->azure.ak);
	azure_tpm_make_key(other, false, HANDLE_EK_RSA, &m->azure.ek);
	swtpm_stop(other);
	machine_fails(m, "vtpm-ak");
	m->azure.claim_ek = true;
	machine_fails(m, "vtpm-ak");
}

static void swapped_after_the_proof(void **state)
{
	struct machine *m = *state;
	_cleanup_vtpm_ struct vtpm *v = NULL;
	struct binding_result r;

	machine_is_azure(m);
	machine_proves(m, "azure-ak", &r);
	swtpm_replace(m->swtpm);
	assert_ok(vtpm_open(swtpm_access(m->swtpm), m->env.root_fd, deadline_in_ms(20000), &v, &_err));
	assert_fails(vtpm_trust(v, &r.srk, &_err), ERR_TPM, "tpm-replaced");
}

/* Somebody on the way alters the answer that proves. */
static void altered_answers(void **state)
{
	struct machine *m = *state;

	machine_is_azure(m);
	m->azure.claim_ek = true;
	m->azure.tamper = TPM2_CC_Certify;
	machine_fails(m, "vtpm-certify"); /* a no is final: the endorsement key is not asked */
	assert_int_equal(swtpm_sh(m->swtpm, "tpm2_evictcontrol -C o -c 0x81000003"), 0);
	m->azure.tamper = TPM2_CC_ReadPublic;
	machine_fails(m, "vtpm-ak");
}

static void planted_primary(void **state)
{
	struct machine *m = *state;

	machine_is_azure(m);
	azure_tpm_child_key(m->swtpm, 0x81000001, false);
	machine_fails(m, "vtpm-srk-kind");
}

/* --- the report --- */

static void vmpl_1(struct snp_report *r)
{
	r->vmpl = 1;
}

static void debug_on(struct snp_report *r)
{
	r->policy |= SNP_POLICY_DEBUG;
}

static void migration_agent(struct snp_report *r)
{
	r->policy |= SNP_POLICY_MIGRATE_MA;
}

static void masked_chip(struct snp_report *r)
{
	memset(r->chip_id, 0, sizeof(r->chip_id));
}

static void other_chip(struct snp_report *r)
{
	r->chip_id[0] ^= 1;
}

static void by_vlek(struct snp_report *r)
{
	r->key_info |= 1 << 2;
}

static void what_the_report_says(void **state)
{
	static const struct {
		void (*edit)(struct snp_report *r);
		const char *id;
	} t[] = {
		{ vmpl_1, "vtpm-vmpl" },	       { debug_on, "vtpm-debug" },   { migration_agent, "vtpm-migration" },
		{ masked_chip, "vtpm-masked-chip" }, { other_chip, "vtpm-report" },
	};
	struct machine *m = *state;

	machine_is_azure(m);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		m->azure.edit = t[i].edit;
		machine_fails(m, t[i].id);
	}
	m->azure.edit = by_vlek;
	machine_fails(m, "vtpm-report"); /* vek = is the chip's */
	machine_vek(m, true);
	machine_fails(m, "vtpm-vlek");
}

static void other_claims(uint8_t *report, size_t len)
{
	report[0x4D4 + 100] ^= 1;
}

static void other_signature(uint8_t *report, size_t len)
{
	report[0x20 + SNP_OFF_SIG_R] ^= 1;
}

/* Claims of our own, with the hash put right: the signature does not cover them any more. Byte 100 is inside a modulus in base64. */
static void rebound_claims(uint8_t *report, size_t len)
{
	report[0x4D4 + 100] = report[0x4D4 + 100] == 'A' ? 'B' : 'A';
	hcl_sample_bind(TEE_SNP, report + 0x20, report + 0x4D4, len - 0x4D4);
}

static void failed_paravisor(uint8_t *report, size_t len)
{
	report[0x10] = 1;
}

static void what_became_of_the_report(void **state)
{
	static const struct {
		void (*damage)(uint8_t *report, size_t len);
		const char *id;
	} t[] = {
		{ other_claims, "hcl-binding" },
		{ other_signature, "vtpm-report" },
		{ rebound_claims, "vtpm-report" },
		{ failed_paravisor, "hcl-status" },
	};
	struct machine *m = *state;

	machine_is_azure(m);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		m->azure.damage = t[i].damage;
		machine_fails(m, t[i].id);
	}
}

static void stale(void **state)
{
	struct machine *m = *state;

	machine_is_azure(m);
	m->patience_ms = 400;
	m->azure.stale = true;
	machine_fails(m, "hcl-stale");
}

static void measurements(void **state)
{
	char none[97] = "", right[97];
	char *list[] = { none, NULL, NULL };
	struct machine *m = *state;
	struct binding_result r;
	struct snp_report t;

	testpki_snp_template(pki, &t);
	hex_encode(t.measurement, sizeof(t.measurement), right);
	memset(none, '0', 96);
	machine_is_azure(m);
	m->config.vtpm.binding_measurements = list;
	machine_fails(m, "vtpm-measurement");
	list[1] = right;
	machine_proves(m, "azure-ak", &r);
}

/* --- certificates --- */

static void certificates(void **state)
{
	struct machine *m = *state;
	struct binding_result r;
	uint8_t byte;

	machine_is_azure(m);
	/* The test PKI's root is trusted by the test platform alone. */
	m->platform.test_roots = NULL;
	machine_fails(m, "vtpm-report");
	m->platform.test_roots = machine_test_roots;
	/* A certificate without its chain, none at all, and what is none. */
	buf_reset(&m->vek);
	assert_ok(testpki_der(pki, "vcek", &m->vek, &_err));
	m->config.vtpm.vek_len = m->vek.len;
	machine_fails(m, "vtpm-vek");
	m->config.vtpm.vek_data = NULL;
	machine_fails(m, "vtpm-vek");
	byte = 'x';
	m->config.vtpm.vek_data = &byte;
	m->config.vtpm.vek_len = 1;
	assert_fails(machine_prove(m, &r, &_err), ERR_CONFIG, "certificate");
}

/* --- this machine? --- */

static void another_name(void **state)
{
	struct machine *m = *state;

	machine_is_azure(m);
	machine_pin_other(m);
	machine_fails(m, "vtpm-srk-name");
	m->azure.configuration = "{\"tpm-persisted\":false}";
	machine_fails(m, "vtpm-forgets");
}

/* A kernel that can ask the processor itself has no paravisor: the vTPM is somebody else's. */
static void elsewhere(void **state)
{
	struct machine *m = *state;

	machine_is_azure(m);
	machine_tee(m, "kind", "snp\n", 4);
	machine_fails(m, "vtpm-elsewhere");
	machine_tee(m, "kind", "none\n", 5);
	tee_root_dir(m->root, "sys/devices/platform/sev-guest");
	machine_fails(m, "vtpm-elsewhere");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(genuine),	       MACHINE_TEST(by_endorsement_key), MACHINE_TEST(slow_paravisor),
		MACHINE_TEST(foreign_ak),      MACHINE_TEST(swapped_after_the_proof), MACHINE_TEST(altered_answers),
		MACHINE_TEST(planted_primary), MACHINE_TEST(what_the_report_says), MACHINE_TEST(what_became_of_the_report),
		MACHINE_TEST(stale),	       MACHINE_TEST(measurements),	   MACHINE_TEST(certificates),
		MACHINE_TEST(another_name),    MACHINE_TEST(elsewhere),
	};

	swtpm_or_skip();
	return cmocka_run_group_tests_name("binding_azure", tests, machine_open_pki, machine_close_pki);
}
