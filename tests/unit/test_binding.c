/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Who else may say which vTPM it is: an SVSM, a stored TDX quote, the configuration. */
#include "tests/unit/binding_machine.h"

#include "evidence/hcl_stored.h"
#include "tests/lib/svsm_sample.h"

/* --- SVSM --- */

static void machine_has_svsm(struct machine *m, const struct public_key *ek)
{
	_cleanup_buf_ struct buf manifest = BUF_INIT(4096);
	const char *top = getenv("TOP_BUILDDIR");
	char dir[512];

	svsm_sample_ek(ek->n, &manifest);
	snprintf(dir, sizeof(dir), "%s/tests/pki\n", top && *top ? top : "."); /* as testpki_open(NULL) */
	machine_tee(m, "kind", "snp\n", 4);
	machine_tee(m, "pki-dir", dir, strlen(dir));
	machine_tee(m, "svsm-manifest", manifest.data, manifest.len);
}

static void svsm_genuine(void **state)
{
	_cleanup_buf_ struct buf ek_area = BUF_INIT(4096), table = BUF_INIT(4096);
	struct machine *m = *state;
	struct binding_result r, again;
	struct public_key ek;

	azure_tpm_make_key(m->swtpm, false, 0, &ek);
	machine_has_svsm(m, &ek);
	machine_proves(m, "svsm", &r);
	assert_int_equal(r.persistence, BINDING_PERSISTENCE_UNKNOWN);
	m->config.vtpm.binding = BINDING_SVSM;
	machine_pin(m, &r.srk);
	machine_proves(m, "svsm", &again);
	assert_true(tpm_name_equal(&r.srk, &again.srk));
	/* The table of all services holds the same. */
	svsm_sample_ek(ek.n, &ek_area);
	svsm_sample_table(&(struct svsm_sample_entry){ svsm_guid_vtpm, ek_area.data, ek_area.len }, 1, &table);
	machine_tee(m, "svsm-manifest", table.data, table.len);
	machine_proves(m, "svsm", &again);
	/* After a reset with other seeds everything is genuine again, and nothing is the same. */
	swtpm_replace(m->swtpm);
	azure_tpm_make_key(m->swtpm, false, 0, &ek);
	machine_has_svsm(m, &ek);
	machine_fails(m, "vtpm-forgets");
	assert_fails(binding_check_sealed(&r, &(struct tpm_name){ .len = 34 }, &_err), ERR_TPM, "vtpm-forgets");
}

static void svsm_other_tpm(void **state)
{
	struct machine *m = *state;
	struct swtpm *other = swtpm_start();
	struct public_key ek;

	/* The kernel talks to a TPM of the host's, beside the SVSM's. */
	azure_tpm_make_key(other, false, 0, &ek);
	swtpm_stop(other);
	machine_has_svsm(m, &ek);
	machine_fails(m, "vtpm-ek");
	machine_tee(m, "svsm-manifest", "no key", 6);
	machine_fails(m, "svsm-ek");
}

static void svsm_report(void **state)
{
	static const struct {
		const char *file, *text, *id;
	} t[] = {
		{ "set", "vmpl=1\n", "vtpm-vmpl" },
		{ "set", "policy=0xb0000\n", "vtpm-debug" },
		{ "set", "policy=0x70000\n", "vtpm-migration" },
		{ "set", "", NULL },
		{ "fault", "wrong-data\n", "vtpm-report" },
		{ "fault", "flip 700\n", "vtpm-report" },
		{ "fault", "no-certs\n", "vtpm-vek" },
		{ "fault", "", NULL },
	};
	struct machine *m = *state;
	struct public_key ek;

	azure_tpm_make_key(m->swtpm, false, HANDLE_EK_RSA, &ek);
	machine_has_svsm(m, &ek);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct binding_result r;

		machine_tee(m, t[i].file, t[i].text, strlen(t[i].text));
		if (t[i].id)
			machine_fails(m, t[i].id);
		else
			machine_proves(m, "svsm", &r);
	}
}

/* Busy is asked again; a driver that has lost its key is not. */
static void svsm_faults(void **state)
{
	struct machine *m = *state;
	struct binding_result r;
	struct public_key ek;

	azure_tpm_make_key(m->swtpm, false, HANDLE_EK_RSA, &ek);
	machine_has_svsm(m, &ek);
	machine_tee(m, "fault", "errno EBUSY 1\n", 14);
	machine_proves(m, "svsm", &r);
	machine_tee(m, "fault", "errno ENOTTY\n", 13);
	assert_fails(machine_prove(m, &r, &_err), ERR_NOEVIDENCE, "vmpck");
}

static void svsm_absent(void **state)
{
	struct machine *m = *state;

	m->config.vtpm.binding = BINDING_SVSM;
	machine_fails(m, "svsm-absent");
	m->config.vtpm.binding = BINDING_AZURE;
	machine_fails(m, "hcl-absent");
}

/* --- the configuration's word --- */

static void host_run(void **state)
{
	_cleanup_vtpm_ struct vtpm *v = NULL;
	struct machine *m = *state;
	struct binding_result r;
	struct tpm_name name;

	machine_fails(m, "vtpm-untrusted");
	m->config.vtpm.allow_untrusted = true;
	assert_fails(machine_prove(m, &r, &_err), ERR_CONFIG, "srk-name");
	assert_ok(vtpm_open(m->tpm, m->env.root_fd, deadline_in_ms(20000), &v, &_err));
	assert_ok(vtpm_primary_name(v, &name, &_err));
	vtpm_close(TAKE_PTR(v));
	machine_pin(m, &name);
	machine_proves(m, "config", &r);
	assert_non_null(strstr(r.summary, "operator of the host can unseal at will"));
	m->config.vtpm.binding = BINDING_NONE;
	machine_proves(m, "config", &r);
	m->config.vtpm.allow_untrusted = false;
	machine_fails(m, "vtpm-untrusted");
}

/* allow-untrusted-vtpm is for a vTPM that shows no proof; one that shows a bad one stays refused. */
static void bad_proof_is_not_no_proof(void **state)
{
	struct machine *m = *state;

	machine_is_azure(m);
	machine_pin_other(m);
	m->config.vtpm.allow_untrusted = true;
	m->platform.test_roots = NULL;
	machine_fails(m, "vtpm-report");
}

static void bare_metal(void **state)
{
	struct machine *m = *state;
	struct binding_result r;

	m->config.profile = PROFILE_BARE_METAL;
	assert_fails(machine_prove(m, &r, &_err), ERR_CONFIG, "srk-name");
	machine_pin_other(m);
	assert_ok(machine_prove(m, &r, &_err)); /* whether this TPM has it is vtpm_trust()'s to see */
	assert_string_equal(r.method, "config");
	assert_false(r.proved);
}

/* --- TDX --- */

/* An evidence object whose quote the test PKI signed, over an HCL report of these claims. */
static void stored_quote(struct machine *m, const struct public_key *ak, const char *set, struct buf *hcl, struct buf *object)
{
	_cleanup_buf_ struct buf claims = BUF_INIT(HCL_CLAIMS_MAX), quote = BUF_INIT(TDX_QUOTE_MAX);
	_cleanup_free_ char *a = NULL, *b = NULL;
	uint8_t hw[SNP_REPORT_SIZE];
	struct testpki_tdx t;

	assert_ok(hcl_sample_claims(&(struct hcl_sample){ .ak = ak, .configuration = "{\"tpm-persisted\":true}" }, &claims, &_err));
	hcl_sample_tdreport(hw);
	hcl_sample_bind(TEE_TDX, hw, claims.data, claims.len);
	hcl_sample_wrap(2, TEE_TDX, hw, claims.data, claims.len, hcl);
	testpki_tdx_template(pki, &t);
	memcpy(t.body.report_data, hw + 128, sizeof(t.body.report_data));
	if (text_eq(set, "debug"))
		t.body.td_attributes |= TDX_ATTR_DEBUG;
	else if (text_eq(set, "migratable"))
		t.body.td_attributes |= TDX_ATTR_MIGRATABLE;
	else if (text_eq(set, "foreign-qe"))
		t.foreign_qe = true;
	else if (text_eq(set, "other-data"))
		t.body.report_data[0] ^= 1;
	assert_ok(testpki_tdx_sign(pki, &t, &quote, &_err));
	a = b64_encode_dup(B64_URL_PAD, hcl->data, hcl->len);
	b = b64_encode_dup(B64_URL, quote.data, quote.len);
	buf_printf(object, "{\"version\":1,\"hcl_report\":\"%s\",\"td_quote\":\"%s\",\"tpm_quote\":{}}", a, b);
	assert_true(buf_ok(object));
}

static void tdx(void **state)
{
	static const struct {
		const char *set, *id;
	} t[] = {
		{ "", NULL },			{ "debug", "vtpm-debug" },	    { "migratable", "vtpm-migration" },
		{ "foreign-qe", "vtpm-report" }, { "other-data", "vtpm-report" },
	};
	struct machine *m = *state;

	machine_is_azure(m);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		_cleanup_buf_ struct buf hcl = BUF_INIT(HCL_REPORT_MAX), object = BUF_INIT(HCL_STORED_MAX);
		struct binding_result r;

		stored_quote(m, &m->azure.ak, t[i].set, &hcl, &object);
		m->azure.fixed = hcl.data;
		m->azure.fixed_len = hcl.len;
		machine_vek(m, false);
		machine_fails(m, "vtpm-quote"); /* certificates do not help */
		m->config.vtpm.vek_data = object.data;
		m->config.vtpm.vek_len = object.len;
		if (t[i].id) {
			machine_fails(m, t[i].id);
			continue;
		}
		machine_proves(m, "azure-ak", &r);
		assert_int_equal(r.persistence, BINDING_PERSISTS);
		assert_non_null(strstr(r.summary, "TDX report, test:"));
		/* Not the object of our vTPM, or no whole object. */
		object.len -= 1;
		m->config.vtpm.vek_len = object.len;
		machine_fails(m, "hcl-stored");
		m->config.vtpm.vek_data = NULL;
		machine_fails(m, "vtpm-quote");
	}
}

static void tdx_of_another(void **state)
{
	_cleanup_buf_ struct buf hcl = BUF_INIT(HCL_REPORT_MAX), theirs = BUF_INIT(HCL_REPORT_MAX), object = BUF_INIT(HCL_STORED_MAX),
				 ignored = BUF_INIT(HCL_STORED_MAX);
	struct machine *m = *state;
	struct public_key other;

	machine_is_azure(m);
	other = m->azure.ak;
	other.n[100] ^= 1;
	stored_quote(m, &m->azure.ak, "", &hcl, &ignored);
	stored_quote(m, &other, "", &theirs, &object);
	m->config.vtpm.vek = (char *)"/etc/quote.json";
	m->config.vtpm.vek_data = object.data;
	m->config.vtpm.vek_len = object.len;
	m->azure.fixed = hcl.data;
	m->azure.fixed_len = hcl.len;
	machine_fails(m, "vtpm-quote");
	/* A vTPM that shows the other one's report has to answer for its key. */
	m->azure.fixed = theirs.data;
	m->azure.fixed_len = theirs.len;
	machine_fails(m, "vtpm-ak");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(svsm_genuine), MACHINE_TEST(svsm_other_tpm), MACHINE_TEST(svsm_report), MACHINE_TEST(svsm_faults),
		MACHINE_TEST(svsm_absent),  MACHINE_TEST(host_run),	  MACHINE_TEST(bad_proof_is_not_no_proof),
		MACHINE_TEST(bare_metal),   MACHINE_TEST(tdx),		  MACHINE_TEST(tdx_of_another),
	};

	swtpm_or_skip();
	return cmocka_run_group_tests_name("binding", tests, machine_open_pki, machine_close_pki);
}
