/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/unit/snp_sample.h"

#define HWID                                                                                                            \
	"7e57c41f000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031" \
	"32333435363738393a3b"
#define VCEK_URL                                                                 \
	"https://kdsintf.amd.com/vcek/v1/Milan/" HWID                            \
	"?blSPL=04&teeSPL=00&snpSPL=24&ucodeSPL=219"

static void vcek_and_vlek_verify(void **state)
{
	for (int vlek = 0; vlek < 2; vlek++) {
		_cleanup_sample_ struct sample s;
		struct verdict v;

		sample_use(*state, &s, vlek);
		judge_evidence(*state, (struct verify_input){ .evidence = &s.ev, .report_data = s.r.report_data }, &v);
		assert_verdict("own chain", &v, NULL);
		assert_int_equal(v.signer, vlek ? SIGNER_VLEK : SIGNER_VCEK);
		assert_string_equal(v.root, "test:ARK-Milan");
		assert_true(v.test_root);
		assert_string_equal(v.tcb, "milan bootloader:4 tee:0 snp:24 microcode:219");
		assert_string_equal(v.csp_id, vlek ? "CN=cc-test.cryptattest.invalid" : "");
		assert_int_equal(v.missing_n, 0);
		assert_string_equal(v.kds_url, "");
		assert_int_equal(v.snp.generation, SNP_MILAN);
	}
}

static void a_root_must_be_pinned_or_named(void **state)
{
	const struct judge *j = *state;
	_cleanup_sample_ struct sample s;
	struct verdict v;

	sample_use(j, &s, false);
	judge_evidence(j, (struct verify_input){ .evidence = &s.ev, .anchors = j->strict }, &v);
	assert_verdict("unknown root", &v, "chain-root");
	assert_false(v.test_root);
	assert_string_equal(v.root, "");
	assert_true(trust_anchors_have_test(j->trusting));
	assert_false(trust_anchors_have_test(j->strict));
}

static void test_roots_must_sign_themselves(void **state)
{
	const struct judge *j = *state;
	_cleanup_buf_ struct buf ask = BUF_INIT(8192);

	assert_ok(testpki_der(j->pki, "ask", &ask, &_err));
	assert_fails(trust_anchors_add_test_root(j->strict, ask.data, ask.len, &_err), ERR_CONFIG, "test-root");
	assert_fails(trust_anchors_add_test_root(j->strict, "junk", 4, &_err), ERR_CONFIG, "certificate");
	assert_false(trust_anchors_have_test(j->strict));
}

static void certificates_by_option(void **state)
{
	const struct judge *j = *state;
	_cleanup_buf_ struct buf vek = BUF_INIT(8192), ca = BUF_INIT(16384), all = BUF_INIT(32768);
	_cleanup_sample_ struct sample s;
	struct verdict v;

	sample_init(j, &s);
	assert_ok(testpki_der(j->pki, "vcek", &vek, &_err));
	assert_ok(testpki_der(j->pki, "asvk", &ca, &_err));
	assert_ok(testpki_der(j->pki, "ark", &ca, &_err));
	assert_ok(testpki_der(j->pki, "ask", &ca, &_err));
	judge_evidence(j, (struct verify_input){ .evidence = &s.ev, .vek = vek.data, .vek_len = vek.len, .ca = ca.data, .ca_len = ca.len },
		       &v);
	assert_verdict("DER, chain in any order", &v, NULL);
	/* One file with the leaf first, as Azure's service hands it out. */
	buf_append(&all, vek.data, vek.len);
	buf_append(&all, ca.data, ca.len);
	judge_evidence(j, (struct verify_input){ .evidence = &s.ev, .vek = all.data, .vek_len = all.len }, &v);
	assert_verdict("one file", &v, NULL);
	/* The root may come from the trust anchors alone. */
	buf_reset(&ca);
	assert_ok(testpki_der(j->pki, "ask", &ca, &_err));
	judge_evidence(j, (struct verify_input){ .evidence = &s.ev, .vek = vek.data, .vek_len = vek.len, .ca = ca.data, .ca_len = ca.len },
		       &v);
	assert_verdict("root among the anchors", &v, NULL);
}

static void useless_options_are_errors(void **state)
{
	const struct judge *j = *state;
	_cleanup_buf_ struct buf many = BUF_INIT(1 << 20), der = BUF_INIT(8192);
	static const char *const junk[] = { "", "junk", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "\x30\x82\x01",
					    "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00000000000000000000000000000000\n\nMIIB\n-----END CERTIFICATE-----\n" };
	_cleanup_sample_ struct sample s;
	struct verify_input in = { .evidence = &s.ev, .anchors = j->trusting, .at = JUDGE_AT };
	struct verdict v;

	sample_init(j, &s);
	for (size_t i = 0; i < ARRAY_SIZE(junk); i++) {
		in.ca = junk[i];
		in.ca_len = strlen(junk[i]);
		assert_fails(verify_evidence(&in, &v, &_err), ERR_CONFIG, "certificate");
	}
	in.vek = "junk";
	in.vek_len = 4;
	in.ca = NULL;
	assert_fails(verify_evidence(&in, &v, &_err), ERR_CONFIG, "certificate");
	in.vek = NULL;
	assert_ok(testpki_der(j->pki, "vlek", &der, &_err));
	for (int i = 0; i < 49; i++)
		buf_append(&many, der.data, der.len);
	in.ca = many.data;
	in.ca_len = many.len;
	assert_fails(verify_evidence(&in, &v, &_err), ERR_CONFIG, "certificate");
}

static void missing_certificates_are_named(void **state)
{
	const struct judge *j = *state;
	_cleanup_buf_ struct buf vek = BUF_INIT(8192);
	_cleanup_sample_ struct sample s;
	struct verdict v;

	sample_init(j, &s);
	judge_evidence(j, (struct verify_input){ .evidence = &s.ev }, &v);
	assert_verdict("no certificate", &v, "vek-missing");
	assert_string_equal(v.kds_url, VCEK_URL);
	assert_int_equal(v.missing_n, 1);
	assert_ok(testpki_der(j->pki, "vcek", &vek, &_err));
	judge_evidence(j, (struct verify_input){ .evidence = &s.ev, .vek = vek.data, .vek_len = vek.len, .anchors = j->strict }, &v);
	assert_verdict("no chain", &v, "chain-missing");
	assert_string_equal(v.kds_url, "https://kdsintf.amd.com/vcek/v1/Milan/cert_chain");
	assert_int_equal(v.missing_n, 2);
	assert_non_null(strstr(v.missing[0], "SEV-Milan"));
	assert_non_null(strstr(v.missing[1], "ARK-Milan"));
	s.r.key_info = 4;
	sample_sign(j, &s);
	judge_evidence(j, (struct verify_input){ .evidence = &s.ev }, &v);
	assert_verdict("no VLEK", &v, "vek-missing");
	assert_string_equal(v.kds_url, "");
	assert_int_equal(v.missing_n, 1);
}

static void missing_certificate_of_turin(void **state)
{
	_cleanup_sample_ struct sample s;
	struct verdict v;

	sample_init(*state, &s);
	s.r.version = 5;
	s.r.has_mit_vector = true;
	s.r.cpuid_fam = 0x1A;
	s.r.turin_layout = true;
	s.r.reported_tcb.fmc = 5;
	memset(s.r.chip_id + 8, 0, 56);
	sample_sign(*state, &s);
	judge_evidence(*state, (struct verify_input){ .evidence = &s.ev }, &v);
	assert_verdict("Turin", &v, "vek-missing");
	assert_string_equal(v.kds_url, "https://kdsintf.amd.com/vcek/v1/Turin/7e57c41f00010203"
				       "?fmcSPL=05&blSPL=04&teeSPL=00&snpSPL=24&ucodeSPL=219");
	assert_string_equal(v.tcb, "turin fmc:5 bootloader:4 tee:0 snp:24 microcode:219");
}

static void key_info(void **state)
{
	static const struct {
		uint32_t value;
		const char *id;
	} cases[] = { { 2, "snp-masked-key" }, { 6, "snp-masked-key" }, { 8, "snp-signing-key" }, { 28, "snp-signing-key" },
		      { 4, "vek-missing" } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_sample_ struct sample s;

		sample_use(*state, &s, false);
		s.r.key_info = cases[i].value;
		sample_sign(*state, &s);
		judged("KEY_INFO", *state, &s, cases[i].id);
	}
}

static void versions_and_generations(void **state)
{
	static const struct {
		uint32_t version;
		uint8_t fam, mod;
		const char *id;
	} cases[] = {
		{ 2, 0, 0, NULL }, { 3, 0x19, 1, NULL }, { 4, 0x19, 1, NULL }, { 5, 0x19, 1, NULL },
		{ 3, 0x19, 0x11, "vek-kind" }, { 3, 0x19, 0x77, "snp-generation" }, { 3, 0x17, 1, "snp-generation" },
		{ 5, 0x1A, 2, "vek-kind" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_sample_ struct sample s;
		struct verdict v;

		sample_use(*state, &s, false);
		s.r.version = cases[i].version;
		s.r.has_cpuid = cases[i].version >= 3;
		s.r.has_mit_vector = cases[i].version >= 5;
		s.r.cpuid_fam = cases[i].fam;
		s.r.cpuid_mod = cases[i].mod;
		s.r.turin_layout = cases[i].fam == 0x1A;
		sample_sign(*state, &s);
		judge_evidence(*state, (struct verify_input){ .evidence = &s.ev }, &v);
		assert_verdict("version", &v, cases[i].id);
		if (!cases[i].id)
			assert_int_equal(v.snp.generation, SNP_MILAN);
	}
}

static void report_data_is_compared(void **state)
{
	_cleanup_sample_ struct sample s;
	uint8_t want[TEE_REPORT_DATA] = { 0 };
	struct verdict v;

	sample_use(*state, &s, false);
	want[63] = 1;
	judge_evidence(*state, (struct verify_input){ .evidence = &s.ev, .report_data = want }, &v);
	assert_verdict("report data", &v, "report-data");
	assert_non_null(strstr(v.reason, "0001"));
}

static void signatures_refused(void **state)
{
	_cleanup_sample_ struct sample s;

	sample_use(*state, &s, false);
	s.raw[0x2A0 + 48] = 1;
	judged("r of 49 bytes", *state, &s, "snp-signature");
	s.raw[0x2A0 + 48] = 0;
	s.raw[0x2E8 + 71] = 1;
	judged("s of 72 bytes", *state, &s, "snp-signature");
	s.raw[0x2E8 + 71] = 0;
	judged("as signed", *state, &s, NULL);
	memset(s.raw + 0x2A0, 0, 144);
	judged("zero", *state, &s, "snp-signature");
	memset(s.raw + 0x2A0, 0xFF, 48);
	memset(s.raw + 0x2E8, 0xFF, 48);
	judged("over the order", *state, &s, "snp-signature");
	s.raw[0x400] = 1;
	judged("after the signature", *state, &s, "snp-reserved");
	s.ev.report_len--;
	judged("cut", *state, &s, "snp-size");
}

static void tables_refused(void **state)
{
	const struct judge *j = *state;
	_cleanup_buf_ struct buf vcek = BUF_INIT(8192);
	_cleanup_sample_ struct sample s;
	struct cert_entry e[2] = { { .kind = CERT_VCEK }, { .kind = CERT_VCEK } };

	assert_ok(testpki_der(j->pki, "vcek", &vcek, &_err));
	e[0].der = e[1].der = vcek.data;
	e[0].der_len = e[1].der_len = vcek.len;
	sample_init(j, &s);
	assert_ok(cert_table_encode(e, 2, &s.table, &_err));
	sample_sign(j, &s);
	judged("two leaves", j, &s, "snp-certificates");
	e[0].der = (const uint8_t *)"junk";
	e[0].der_len = 4;
	buf_reset(&s.table);
	assert_ok(cert_table_encode(e, 1, &s.table, &_err));
	sample_sign(j, &s);
	judged("no certificate", j, &s, "certificate");
	s.ev.aux_len = 30;
	judged("cut table", j, &s, "cert-table");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vcek_and_vlek_verify),
		cmocka_unit_test(a_root_must_be_pinned_or_named),
		cmocka_unit_test(test_roots_must_sign_themselves),
		cmocka_unit_test(certificates_by_option),
		cmocka_unit_test(useless_options_are_errors),
		cmocka_unit_test(missing_certificates_are_named),
		cmocka_unit_test(missing_certificate_of_turin),
		cmocka_unit_test(key_info),
		cmocka_unit_test(versions_and_generations),
		cmocka_unit_test(report_data_is_compared),
		cmocka_unit_test(signatures_refused),
		cmocka_unit_test(tables_refused),
	};

	return cmocka_run_group_tests(tests, judge_setup, judge_teardown);
}
