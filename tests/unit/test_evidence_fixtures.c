/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Evidence of real machines: every report and quote decodes, and the JSON holds what both forms of Trustee expect. */
#include "tests/lib/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "evidence/event_log.h"
#include "evidence/snp_report.h"
#include "evidence/tdx_quote.h"
#include "evidence/trustee_json.h"
#include "tests/lib/fixture.h"
#include "tests/lib/mutate.h"
#include "wire/json.h"

static const struct {
	const char *dir;
	uint32_t version, vmpl;
	enum snp_generation generation;
	unsigned int signer;
} reports[] = {
	{ "v2-genoa-nocert", 2, 0, SNP_GEN_UNKNOWN, 0 }, { "v2-milan-a", 2, 0, SNP_GEN_UNKNOWN, 0 },
	{ "v2-milan-azure", 2, 0, SNP_GEN_UNKNOWN, 0 },	 { "v2-milan-b", 2, 0, SNP_GEN_UNKNOWN, 0 },
	{ "v2-milan-vmpl2-nocert", 2, 2, 0, 0 },	 { "v3-genoa", 3, 0, SNP_GENOA, 0 },
	{ "v3-milan-a", 3, 0, SNP_MILAN, 0 },		 { "v3-milan-aci", 3, 0, SNP_MILAN, 0 },
	{ "v3-milan-b", 3, 0, SNP_MILAN, 0 },		 { "v3-milan-vlek-vmpl1", 3, 1, SNP_MILAN, 1 },
	{ "v5-turin", 5, 0, SNP_TURIN, 0 },
};

static void load(const char *rel, struct evidence *ev)
{
	size_t len;
	_cleanup_free_ uint8_t *data = fixture_read(rel, &len);

	assert_ok(evidence_load(data, len, ev, &_err));
}

static json_t *load_json(const char *rel)
{
	size_t len;
	_cleanup_free_ char *text = (char *)fixture_read(rel, &len);
	json_t *obj;

	assert_ok(json_parse(text, len, 1 << 20, false, &obj, &_err));
	return obj;
}

static void reports_decode(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(reports); i++) {
		uint8_t again[SNP_REPORT_SIZE], data[TEE_REPORT_DATA];
		struct evidence ev;
		struct snp_report r;
		char path[128];

		snprintf(path, sizeof(path), "snp/%s/report.bin", reports[i].dir);
		load(path, &ev);
		assert_int_equal(ev.tee, TEE_SNP);
		assert_ok(snp_report_decode(ev.report, ev.report_len, &r, &_err));
		assert_int_equal(r.version, reports[i].version);
		assert_int_equal(r.vmpl, reports[i].vmpl);
		assert_int_equal(r.generation, reports[i].generation);
		assert_int_equal(snp_signing_key(&r), reports[i].signer);
		snp_report_encode(&r, again);
		assert_memory_equal(again, ev.report, sizeof(again));
		assert_ok(evidence_report_data(&ev, data, &_err));
		assert_ok(evidence_self_check(&ev, data, &_err));
		evidence_clear(&ev);
	}
}

/* Every member of want stands in got with the same value; family 1Ah may differ in the TCB numbers of form B. */
static void assert_holds(const char *where, const json_t *want, const json_t *got, bool but_tcb)
{
	json_t *w = (json_t *)want, *value;
	const char *key;

	json_object_foreach(w, key, value) {
		const json_t *have = json_object_get(got, key);
		bool tcb = strstr(key, "_tcb") != NULL;

		if (but_tcb && tcb) {
			assert_true(json_equal(json_object_get(value, "_reserved"), json_object_get(have, "_reserved")));
			continue;
		}
		if (!have)
			fail_msg("%s: no member %s", where, key);
		if (json_is_object(value))
			assert_holds(where, value, have, but_tcb);
		else if (!json_equal(value, have))
			fail_msg("%s: member %s has another value", where, key);
	}
}

static void json_holds_both_forms(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(reports); i++) {
		char path[128];
		_cleanup_free_ char *text = NULL;
		_cleanup_json_ json_t *form_a = NULL, *form_b = NULL, *obj = NULL;
		struct evidence ev, back;

		snprintf(path, sizeof(path), "snp/%s/report.bin", reports[i].dir);
		load(path, &ev);
		assert_ok(evidence_to_trustee_json(&ev, &text, &_err));
		assert_ok(json_parse(text, strlen(text), 1 << 20, false, &obj, &_err));
		snprintf(path, sizeof(path), "snp/%s/expected-sev6.json", reports[i].dir);
		form_a = load_json(path);
		assert_holds(path, form_a, json_object_get(obj, "attestation_report"), false);
		snprintf(path, sizeof(path), "snp/%s/expected-sev4.json", reports[i].dir);
		form_b = load_json(path);
		assert_holds(path, form_b, json_object_get(obj, "attestation_report"), reports[i].generation == SNP_TURIN);
		assert_ok(evidence_load((const uint8_t *)text, strlen(text), &back, &_err));
		assert_memory_equal(back.report, ev.report, SNP_REPORT_SIZE);
		evidence_clear(&back);
		evidence_clear(&ev);
	}
}

/* Either expected object alone gives the report back. */
static void each_form_gives_the_report(void **state)
{
	static const char *const forms[] = { "expected-sev6.json", "expected-sev4.json" };

	for (size_t i = 0; i < 2 * ARRAY_SIZE(reports); i++) {
		struct evidence ev, back;
		char path[128];

		snprintf(path, sizeof(path), "snp/%s/report.bin", reports[i / 2].dir);
		load(path, &ev);
		snprintf(path, sizeof(path), "snp/%s/%s", reports[i / 2].dir, forms[i % 2]);
		load(path, &back);
		assert_memory_equal(back.report, ev.report, SNP_REPORT_SIZE);
		evidence_clear(&back);
		evidence_clear(&ev);
	}
}

static void trustee_evidence(void **state)
{
	struct evidence ev, raw;

	load("snp/v3-genoa/evidence.json", &ev);
	load("snp/v3-genoa/report.bin", &raw);
	assert_memory_equal(ev.report, raw.report, SNP_REPORT_SIZE);
	assert_non_null(ev.aux);
	evidence_clear(&ev);
	evidence_clear(&raw);
}

static const struct {
	const char *file;
	uint16_t version, body_type;
} quotes[] = {
	{ "tdx/quote-v4-a.bin", 4, 2 },	      { "tdx/quote-v4-b.bin", 4, 2 },  { "tdx/quote-v4-c.bin", 4, 2 },
	{ "tdx/quote-v4-d.bin", 4, 2 },	      { "tdx/quote-v4-gcp.bin", 4, 2 }, { "tdx/quote-v4-mrconfigid.bin", 4, 2 },
	{ "tdx/quote-v4-oak.bin", 4, 2 },     { "tdx/quote-v5-a.bin", 5, 3 },  { "tdx/quote-v5-b.bin", 5, 3 },
	{ "azure/tdx-a/td-quote.bin", 4, 2 },
};

static void quotes_decode(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(quotes); i++) {
		_cleanup_free_ char *text = NULL;
		_cleanup_json_ json_t *claims = NULL;
		struct evidence ev, back;
		struct tdx_quote q;

		load(quotes[i].file, &ev);
		assert_int_equal(ev.tee, TEE_TDX);
		assert_ok(tdx_quote_decode(ev.report, ev.report_len, &q, &_err));
		assert_int_equal(q.version, quotes[i].version);
		assert_int_equal(q.body_type, quotes[i].body_type);
		assert_int_equal(q.qe.isvprodid, 2);
		assert_ok(evidence_self_check(&ev, q.body.report_data, &_err));
		assert_ok(evidence_claims(&ev, &claims, &_err));
		assert_ok(evidence_to_trustee_json(&ev, &text, &_err));
		assert_ok(evidence_load((const uint8_t *)text, strlen(text), &back, &_err));
		assert_int_equal(back.report_len, ev.report_len);
		assert_memory_equal(back.report, ev.report, ev.report_len);
		evidence_clear(&back);
		evidence_clear(&ev);
	}
}

static void assert_member(const json_t *body, const char *member, const uint8_t *got, size_t len)
{
	char hex[129];

	hex_encode(got, len, hex);
	assert_string_equal(json_string_value(json_object_get(body, member)), hex);
}

/* The claims that Trustee derives from the same quote. */
static void quote_fields_are_trustees(void **state)
{
	_cleanup_json_ json_t *want = load_json("kbs/parse_tdx_claims_expected.json");
	const json_t *body = json_object_get(json_object_get(want, "quote"), "body");
	struct evidence ev;
	struct tdx_quote q;

	load("tdx/quote-v4-a.bin", &ev);
	assert_ok(tdx_quote_decode(ev.report, ev.report_len, &q, &_err));
	assert_member(body, "mr_seam", q.body.mrseam, 48);
	assert_member(body, "mr_td", q.body.mrtd, 48);
	assert_member(body, "mr_config_id", q.body.mrconfigid, 48);
	assert_member(body, "mr_owner", q.body.mrowner, 48);
	assert_member(body, "mr_owner_config", q.body.mrownerconfig, 48);
	assert_member(body, "rtmr_0", q.body.rtmr[0], 48);
	assert_member(body, "rtmr_1", q.body.rtmr[1], 48);
	assert_member(body, "rtmr_2", q.body.rtmr[2], 48);
	assert_member(body, "rtmr_3", q.body.rtmr[3], 48);
	assert_member(body, "report_data", q.body.report_data, 64);
	assert_member(body, "tcb_svn", q.body.tee_tcb_svn, 16);
	assert_true(q.body.td_attributes & TDX_ATTR_DEBUG);
	evidence_clear(&ev);
}

static void sgx_quote_is_no_td_quote(void **state)
{
	struct evidence ev;
	struct tdx_quote q;

	load("negative/sgx-quote-v3.bin", &ev);
	assert_fails(tdx_quote_decode(ev.report, ev.report_len, &q, &_err), ERR_INTEGRITY, "tdx-version");
	ev.report[0] = 4;
	assert_fails(tdx_quote_decode(ev.report, ev.report_len, &q, &_err), ERR_INTEGRITY, "tdx-structure");
	evidence_clear(&ev);
}

static void attach(struct evidence *ev, const char *log)
{
	ev->aux = fixture_read(log, &ev->aux_len);
}

static void log_is_attached_when_it_replays(void **state)
{
	static const struct {
		const char *quote, *log;
		bool replays;
	} cases[] = {
		{ "tdx/quote-v4-gcp.bin", "tdx/ccel-gcp-data.bin", true },
		{ "tdx/quote-v4-a.bin", "tdx/ccel-a.bin", false },
		{ "tdx/quote-v4-gcp.bin", "tdx/ccel-a.bin", false },
		{ "tdx/quote-v4-c.bin", "tdx/ccel-gcp-data.bin", false },
		{ "tdx/quote-v4-gcp.bin", "tdx/ccel-gcp-table.bin", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = NULL;
		_cleanup_json_ json_t *claims = NULL;
		struct evidence ev, back;

		load(cases[i].quote, &ev);
		attach(&ev, cases[i].log);
		assert_ok(evidence_to_trustee_json(&ev, &text, &_err));
		assert_ok(evidence_load((const uint8_t *)text, strlen(text), &back, &_err));
		assert_int_equal(back.aux != NULL, cases[i].replays);
		assert_ok(evidence_claims(&back, &claims, &_err));
		assert_string_equal(json_string_value(json_object_get(claims, "event_log")),
				    cases[i].replays ? "replays" : "none");
		if (back.aux)
			assert_memory_equal(back.aux, ev.aux, back.aux_len);
		evidence_clear(&back);
		evidence_clear(&ev);
	}
}

static void log_lengths(void **state)
{
	static const char *const logs[] = { "tdx/ccel-a.bin", "tdx/ccel-gcp-data.bin", "tdx/ccel-grub.bin" };

	for (size_t i = 0; i < ARRAY_SIZE(logs); i++) {
		uint8_t whole[4][48], cut[4][48];
		size_t len, used;
		_cleanup_free_ uint8_t *data = fixture_read(logs[i], &len);

		assert_ok(event_log_length(data, len, &used, &_err));
		assert_true(used > 1000 && used < len);
		assert_ok(event_log_replay(data, len, whole, &_err));
		assert_ok(event_log_replay(data, used, cut, &_err));
		assert_memory_equal(whole, cut, sizeof(whole));
	}
}

/* The report inside an HCL report stands at offset 0x20 (tee-evidence.md 2.5). */
static void report_inside_hcl_reports(void **state)
{
	static const char *const files[] = { "azure/snp-v2-a/hcl-report.bin", "azure/snp-v2-b/hcl-report-snp.bin" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		size_t len;
		_cleanup_free_ uint8_t *data = fixture_read(files[i], &len);
		struct snp_report r;
		struct evidence ev;

		assert_ok(snp_report_decode(data + 0x20, SNP_REPORT_SIZE, &r, &_err));
		assert_int_equal(r.version, 2);
		assert_fails(evidence_load(data, len, &ev, &_err), ERR_INTEGRITY, "evidence-format");
	}
}

static void any_quote(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	struct tdx_quote q;

	if (tdx_quote_decode(data, len, &q, NULL) == 0 && len < *(size_t *)ctx)
		fail_msg("%s: decoded", what);
}

static void cut_quotes_are_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(quotes); i++) {
		struct evidence ev;
		struct tdx_quote q;

		load(quotes[i].file, &ev);
		assert_ok(tdx_quote_decode(ev.report, ev.report_len, &q, &_err));
		mutate_truncations(ev.report, ev.report_len, 61, any_quote, &q.total_len);
		evidence_clear(&ev);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports_decode),
		cmocka_unit_test(json_holds_both_forms),
		cmocka_unit_test(each_form_gives_the_report),
		cmocka_unit_test(trustee_evidence),
		cmocka_unit_test(quotes_decode),
		cmocka_unit_test(quote_fields_are_trustees),
		cmocka_unit_test(sgx_quote_is_no_td_quote),
		cmocka_unit_test(log_is_attached_when_it_replays),
		cmocka_unit_test(log_lengths),
		cmocka_unit_test(report_inside_hcl_reports),
		cmocka_unit_test(cut_quotes_are_refused),
	};

	fixtures_or_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
