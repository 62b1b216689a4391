/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Evidence of real machines: verified or refused as the fixtures' README states. */
#include "tests/lib/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "evidence/trustee_json.h"
#include "tests/lib/fixture.h"
#include "tests/lib/judge.h"
#include "wire/json.h"

#define MID_2025 INT64_C(1750000000)
#define END_2026 INT64_C(1795000000)

static const struct {
	const char *dir, *leaf, *ca, *root, *tcb;
	enum snp_generation generation;
} good[] = {
	{ "v2-milan-a", "vcek.der", "milan", "ARK-Milan", "milan bootloader:3 tee:0 snp:8 microcode:115", SNP_MILAN },
	{ "v2-milan-azure", "vcek.der", "milan", "ARK-Milan", "milan bootloader:3 tee:0 snp:8 microcode:115", SNP_MILAN },
	{ "v2-milan-b", "vcek.der", "milan", "ARK-Milan", "milan bootloader:2 tee:0 snp:5 microcode:68", SNP_MILAN },
	{ "v3-genoa", "vcek.der", "genoa", "ARK-Genoa", "genoa bootloader:10 tee:0 snp:23 microcode:25", SNP_GENOA },
	{ "v3-milan-a", "vcek.der", "milan", "ARK-Milan", "milan bootloader:4 tee:0 snp:24 microcode:219", SNP_MILAN },
	{ "v3-milan-aci", "vcek.der", "milan", "ARK-Milan", "milan bootloader:4 tee:0 snp:24 microcode:219", SNP_MILAN },
	{ "v3-milan-b", "vcek.der", "milan", "ARK-Milan", "milan bootloader:4 tee:0 snp:24 microcode:219", SNP_MILAN },
	{ "v3-milan-vlek-vmpl1", "vlek.der", "milan", "ARK-Milan", "milan bootloader:4 tee:0 snp:24 microcode:217", SNP_MILAN },
	{ "v5-turin", "vcek.der", "turin", "ARK-Turin", "turin fmc:0 bootloader:1 tee:0 snp:2 microcode:71", SNP_TURIN },
};

struct files {
	struct evidence ev;
	uint8_t *vek, *ca;
	size_t vek_len, ca_len;
};

static void files_load(struct files *f, const char *report, const char *vek, const char *ca)
{
	size_t len;
	_cleanup_free_ uint8_t *data = fixture_read(report, &len);

	*f = (struct files){ 0 };
	assert_ok(evidence_load(data, len, &f->ev, &_err));
	if (vek)
		f->vek = fixture_read(vek, &f->vek_len);
	if (ca)
		f->ca = fixture_read(ca, &f->ca_len);
}

static void files_clear(struct files *f)
{
	evidence_clear(&f->ev);
	free(f->vek);
	free(f->ca);
}

static void judge_files(const struct judge *j, const struct files *f, int64_t at, struct verdict *v)
{
	judge_evidence(j, (struct verify_input){ .evidence = &f->ev, .anchors = j->strict, .vek = f->vek, .vek_len = f->vek_len,
						 .ca = f->ca, .ca_len = f->ca_len, .at = at }, v);
}

static void load_report(struct files *f, const char *dir, const char *leaf, const char *ca)
{
	char report[128], vek[128], chain[128];

	snprintf(report, sizeof(report), "snp/%s/report.bin", dir);
	snprintf(vek, sizeof(vek), "snp/%s/%s", dir, leaf);
	snprintf(chain, sizeof(chain), "snp/ca/%s_ask_ark_asvk.pem", ca);
	files_load(f, report, leaf ? vek : NULL, ca ? chain : NULL);
}

static void reports_verify(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		__attribute__((cleanup(files_clear))) struct files f;
		struct verdict v;

		load_report(&f, good[i].dir, good[i].leaf, good[i].ca);
		judge_files(*state, &f, MID_2025 + 60 * 86400, &v);
		assert_verdict(good[i].dir, &v, NULL);
		assert_string_equal(v.root, good[i].root);
		assert_string_equal(v.tcb, good[i].tcb);
		assert_int_equal(v.snp.generation, good[i].generation);
		assert_false(v.test_root);
	}
}

/* With the chain of another generation, another chip's certificate, none at all. */
static void certificates_must_belong(void **state)
{
	static const struct {
		const char *dir, *leaf_dir, *ca, *id;
	} cases[] = {
		{ "v3-milan-a", "v3-milan-a", "genoa", "chain-missing" }, { "v3-milan-a", "v3-milan-b", "milan", "vek-chip-id" },
		{ "v2-milan-a", "v3-milan-a", "milan", "vek-tcb" },	  { "v3-genoa", "v3-milan-a", "milan", "vek-kind" },
		{ "v5-turin", "v3-genoa", "genoa", "vek-kind" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		__attribute__((cleanup(files_clear))) struct files f;
		char report[128], vek[128], ca[128];
		struct verdict v;

		snprintf(report, sizeof(report), "snp/%s/report.bin", cases[i].dir);
		snprintf(vek, sizeof(vek), "snp/%s/vcek.der", cases[i].leaf_dir);
		snprintf(ca, sizeof(ca), "snp/ca/%s_ask_ark_asvk.pem", cases[i].ca);
		files_load(&f, report, vek, ca);
		judge_files(*state, &f, MID_2025 + 60 * 86400, &v);
		assert_verdict(cases[i].dir, &v, cases[i].id);
	}
}

/* Its chain holds (it goes before the TCB), it is only of another machine. */
static void vcek_of_another_turin(void **state)
{
	__attribute__((cleanup(files_clear))) struct files f;
	struct verdict v;

	files_load(&f, "snp/v5-turin/report.bin", "snp/vcek-turin-only.der", "snp/ca/turin_ask_ark_asvk.pem");
	judge_files(*state, &f, END_2026, &v);
	assert_verdict("another Turin", &v, "vek-tcb");
	assert_string_equal(v.root, "ARK-Turin");
}

static void without_certificates(void **state)
{
	static const struct {
		const char *dir, *url;
	} cases[] = {
		{ "v2-genoa-nocert", "/vcek/v1/Milan/d2421d97" },
		{ "v2-milan-vmpl2-nocert", "/vcek/v1/Milan/1ab16ab5" },
		{ "v5-turin", "https://kdsintf.amd.com/vcek/v1/Turin/3b42092f69c656d3?fmcSPL=00&blSPL=01&teeSPL=00&snpSPL=02&ucodeSPL=71" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		__attribute__((cleanup(files_clear))) struct files f;
		struct verdict v;

		load_report(&f, cases[i].dir, NULL, NULL);
		judge_files(*state, &f, END_2026, &v);
		assert_verdict(cases[i].dir, &v, "vek-missing");
		assert_non_null(strstr(v.kds_url, cases[i].url));
	}
}

/* With Genoa's chain at hand the URL for a version 2 report names Genoa. */
static void version_2_url_follows_the_chain(void **state)
{
	__attribute__((cleanup(files_clear))) struct files f;
	struct verdict v;

	load_report(&f, "v2-genoa-nocert", NULL, "genoa");
	judge_files(*state, &f, END_2026, &v);
	assert_verdict("Genoa", &v, "vek-missing");
	assert_string_equal(v.kds_url,
			    "https://kdsintf.amd.com/vcek/v1/Genoa/d2421d976f95ce0ba849b7cc5c789122f1e59c77a037272c137ae4d188bb102adbc"
			    "7c53d0302bff82a432c94a305dec7a7a270ceb19a10f04a83316c6486968d?blSPL=07&teeSPL=00&snpSPL=15&ucodeSPL=62");
}

static void vlek_expires(void **state)
{
	__attribute__((cleanup(files_clear))) struct files f;
	struct verdict v;

	load_report(&f, "v3-milan-vlek-vmpl1", "vlek.der", "milan");
	judge_files(*state, &f, MID_2025, &v);
	assert_verdict("in its year", &v, NULL);
	assert_int_equal(v.signer, SIGNER_VLEK);
	assert_string_equal(v.csp_id, "CN=cc-us-east-2.amazonaws.com");
	assert_int_equal(v.snp.vmpl, 1);
	judge_files(*state, &f, END_2026, &v);
	assert_verdict("a year later", &v, "chain-expired");
	judge_files(*state, &f, INT64_C(1700000000), &v);
	assert_verdict("a year before", &v, "chain-not-yet-valid");
}

/* Nobody's chip, but the issuer's signature is judged before anything that the certificate says. */
static void broken_issuer_signatures(void **state)
{
	static const char *const leaves[] = { "snp/negative/vcek-broken-signature-a.der", "snp/negative/vcek-broken-signature-b.der" };

	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
		__attribute__((cleanup(files_clear))) struct files f;
		struct verdict v;

		files_load(&f, "snp/v3-milan-a/report.bin", leaves[i], "snp/ca/milan_ask_ark_asvk.pem");
		judge_files(*state, &f, MID_2025, &v);
		assert_verdict(leaves[i], &v, "chain-signature");
	}
}

static void trustee_evidence(void **state)
{
	__attribute__((cleanup(files_clear))) struct files f, bare;
	struct verdict v;

	files_load(&f, "snp/v3-genoa/evidence.json", NULL, "snp/ca/genoa_ask_ark_asvk.pem");
	judge_files(*state, &f, END_2026, &v);
	assert_verdict("evidence.json", &v, NULL);
	files_load(&bare, "snp/v3-genoa/evidence.json", NULL, NULL);
	judge_files(*state, &bare, END_2026, &v);
	assert_verdict("evidence.json alone", &v, "chain-missing");
	assert_string_equal(v.kds_url, "https://kdsintf.amd.com/vcek/v1/Genoa/cert_chain");
}

/* A genuine root named as test root is still the genuine one. */
static void genuine_root_as_test_root(void **state)
{
	__attribute__((cleanup(files_clear))) struct files f;
	struct trust_anchors *ta;
	struct verify_input in;
	struct verdict v;
	const char *ark;

	load_report(&f, "v3-milan-a", "vcek.der", "milan");
	/* Order of the bundle: ASK, ARK, ASVK. */
	ark = strstr(strstr((char *)f.ca, "-----END"), "-----BEGIN");
	assert_ok(trust_anchors_new(&ta, &_err));
	assert_ok(trust_anchors_add_test_root(ta, ark, (size_t)(strstr(ark, "-----END") - ark) + 26, &_err));
	in = (struct verify_input){ .evidence = &f.ev, .anchors = ta, .vek = f.vek, .vek_len = f.vek_len, .ca = f.ca,
				    .ca_len = f.ca_len, .at = END_2026 };
	judge_evidence(*state, in, &v);
	assert_verdict("genuine", &v, NULL);
	assert_false(v.test_root);
	assert_string_equal(v.root, "ARK-Milan");
	trust_anchors_free(ta);
}

static void quotes_verify(void **state)
{
	static const char *const quotes[] = {
		"tdx/quote-v4-a.bin", "tdx/quote-v4-b.bin",	    "tdx/quote-v4-c.bin",   "tdx/quote-v4-d.bin", "tdx/quote-v4-gcp.bin",
		"tdx/quote-v4-mrconfigid.bin", "tdx/quote-v4-oak.bin", "tdx/quote-v5-a.bin", "tdx/quote-v5-b.bin",
		"azure/tdx-a/td-quote.bin",
	};

	for (size_t i = 0; i < ARRAY_SIZE(quotes); i++) {
		__attribute__((cleanup(files_clear))) struct files f;
		struct verdict v;

		files_load(&f, quotes[i], NULL, NULL);
		judge_files(*state, &f, END_2026, &v);
		assert_verdict(quotes[i], &v, NULL);
		assert_string_equal(v.root, "Intel SGX Root CA");
		assert_string_equal(v.tcb, "unverified");
		assert_false(v.test_root);
	}
}

static void sgx_quote_is_refused(void **state)
{
	__attribute__((cleanup(files_clear))) struct files f;
	struct verdict v;

	files_load(&f, "negative/sgx-quote-v3.bin", NULL, NULL);
	judge_files(*state, &f, END_2026, &v);
	assert_verdict("SGX", &v, "tdx-version");
}

static void event_log_of_the_quote(void **state)
{
	__attribute__((cleanup(files_clear))) struct files f;
	struct verdict v;

	files_load(&f, "tdx/quote-v4-gcp.bin", NULL, NULL);
	f.ev.aux = fixture_read("tdx/ccel-gcp-data.bin", &f.ev.aux_len);
	judge_files(*state, &f, END_2026, &v);
	assert_verdict("its own log", &v, NULL);
	free(f.ev.aux);
	f.ev.aux = fixture_read("tdx/ccel-a.bin", &f.ev.aux_len);
	judge_files(*state, &f, END_2026, &v);
	assert_verdict("another's log", &v, "tdx-event-log");
}

/* --- reports inside Azure's HCL reports, at offset 0x20 --- */

static void judge_hcl(const struct judge *j, const uint8_t *hcl, const void *vek, size_t vek_len, const void *ca, size_t ca_len,
		      struct verdict *v)
{
	const struct evidence ev = { .tee = TEE_SNP, .report = (uint8_t *)hcl + 0x20, .report_len = SNP_REPORT_SIZE };

	judge_evidence(j, (struct verify_input){ .evidence = &ev, .anchors = j->strict, .vek = vek, .vek_len = vek_len, .ca = ca,
						 .ca_len = ca_len, .at = END_2026 }, v);
}

static void hcl_report_files(void **state)
{
	size_t len, pem_len;
	_cleanup_free_ uint8_t *a = fixture_read("azure/snp-v2-a/hcl-report.bin", &len);
	_cleanup_free_ uint8_t *pem = fixture_read("azure/snp-v2-a/vcek.pem", &pem_len);
	_cleanup_free_ uint8_t *b = fixture_read("azure/snp-v2-b/hcl-report-snp.bin", &len);
	struct verdict v;

	judge_hcl(*state, a, pem, pem_len, NULL, 0, &v);
	assert_verdict("v2-a with the service's PEM", &v, NULL);
	judge_hcl(*state, b, pem, pem_len, NULL, 0, &v);
	assert_verdict("v2-b with another chip's VCEK", &v, "vek-chip-id");
}

static void hcl_evidence_files(void **state)
{
	static const char *const files[] = { "azure/snp-v3-a/evidence-v1.json", "azure/snp-v3-b/evidence-v2.json" };
	size_t ca_len;
	_cleanup_free_ uint8_t *ca = fixture_read("snp/ca/milan_ask_ark_asvk.pem", &ca_len);

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		size_t len, hcl_len, vek_len;
		_cleanup_free_ uint8_t *text = fixture_read(files[i], &len), *hcl = NULL, *vek = NULL;
		_cleanup_json_ json_t *obj = NULL;
		const json_t *h, *k;
		struct verdict v;

		assert_ok(json_parse((char *)text, len, 1 << 20, false, &obj, &_err));
		h = json_object_get(obj, "hcl_report");
		k = json_object_get(obj, "vcek");
		assert_ok(b64_decode_dup(B64_URL_PAD, json_string_value(h), json_string_length(h), &hcl, &hcl_len, &_err));
		assert_ok(b64_decode_dup(B64_URL_PAD, json_string_value(k), json_string_length(k), &vek, &vek_len, &_err));
		judge_hcl(*state, hcl, vek, vek_len, ca, ca_len, &v);
		assert_verdict(files[i], &v, NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports_verify),
		cmocka_unit_test(certificates_must_belong),
		cmocka_unit_test(vcek_of_another_turin),
		cmocka_unit_test(without_certificates),
		cmocka_unit_test(version_2_url_follows_the_chain),
		cmocka_unit_test(vlek_expires),
		cmocka_unit_test(broken_issuer_signatures),
		cmocka_unit_test(trustee_evidence),
		cmocka_unit_test(genuine_root_as_test_root),
		cmocka_unit_test(quotes_verify),
		cmocka_unit_test(sgx_quote_is_refused),
		cmocka_unit_test(event_log_of_the_quote),
		cmocka_unit_test(hcl_report_files),
		cmocka_unit_test(hcl_evidence_files),
	};

	fixtures_or_skip();
	return cmocka_run_group_tests(tests, judge_setup, judge_teardown);
}
