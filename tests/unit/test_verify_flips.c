/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Every 1-bit flip in the signed bytes, and in the signature, of a report and a quote is refused. Of real ones when the
 * fixtures are there (with CRYPTATTEST_TEST_FULL set: of every one that verifies), else of the test PKI's.
 */
#include "tests/lib/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "evidence/trustee_json.h"
#include "tests/lib/fixture.h"
#include "tests/lib/judge.h"
#include "tests/lib/mutate.h"

struct subject {
	const struct judge *j;
	struct verify_input in;
	struct evidence ev;
	size_t tried;
};

static void flipped(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	struct subject *s = ctx;
	struct evidence ev = s->ev;
	struct verify_input in = s->in;
	struct verdict v;

	ev.report = (uint8_t *)data;
	ev.report_len = len;
	in.evidence = &ev;
	judge_evidence(s->j, in, &v);
	if (v.verified || !v.reason_id[0] || !v.reason[0])
		fail_msg("%s: verified", what);
	s->tried++;
}

static void flip_all(struct subject *s, size_t signed_len, size_t sig_from, size_t sig_to)
{
	struct verdict v;
	struct verify_input in = s->in;

	in.evidence = &s->ev;
	judge_evidence(s->j, in, &v);
	assert_verdict("untouched", &v, NULL);
	s->tried = 0;
	mutate_bit_flips(s->ev.report, 0, signed_len, s->ev.report_len, flipped, s);
	mutate_bit_flips(s->ev.report, sig_from, sig_to, s->ev.report_len, flipped, s);
	assert_int_equal(s->tried, 8 * (signed_len + sig_to - sig_from));
}

static bool full(void)
{
	const char *v = getenv("CRYPTATTEST_TEST_FULL");

	return v && *v;
}

static void flip_report(struct subject *s)
{
	flip_all(s, SNP_SIGNED_SIZE, SNP_OFF_SIG_R, SNP_OFF_SIG_END);
}

static void flip_quote(struct subject *s)
{
	struct tdx_quote q;

	assert_ok(tdx_quote_decode(s->ev.report, s->ev.report_len, &q, &_err));
	flip_all(s, q.signed_len, q.signed_len + 4, q.signed_len + 4 + 64 + 64);
}

static void one_report_of_the_pki(const struct judge *j)
{
	_cleanup_buf_ struct buf table = BUF_INIT(CERT_TABLE_MAX);
	uint8_t raw[SNP_REPORT_SIZE];
	struct subject s = { .j = j };
	struct snp_report r;

	testpki_snp_template(j->pki, &r);
	assert_ok(testpki_snp_sign(j->pki, &r, raw, &_err));
	assert_ok(testpki_snp_certs(j->pki, false, &table, &_err));
	s.ev = (struct evidence){ .tee = TEE_SNP, .report = raw, .report_len = sizeof(raw), .aux = table.data, .aux_len = table.len };
	flip_report(&s);
}

static void one_quote_of_the_pki(const struct judge *j)
{
	_cleanup_buf_ struct buf quote = BUF_INIT(TDX_QUOTE_MAX);
	struct subject s = { .j = j };
	struct testpki_tdx t;

	testpki_tdx_template(j->pki, &t);
	assert_ok(testpki_tdx_sign(j->pki, &t, &quote, &_err));
	s.ev = (struct evidence){ .tee = TEE_TDX, .report = quote.data, .report_len = quote.len };
	flip_quote(&s);
}

static void one_fixture_report(const struct judge *j, const char *dir, const char *leaf, const char *generation)
{
	_cleanup_free_ uint8_t *raw = NULL, *vek = NULL, *ca = NULL;
	struct subject s = { .j = j, .in = { .anchors = j->strict } };
	char path[128];
	size_t len;

	snprintf(path, sizeof(path), "snp/%s/report.bin", dir);
	raw = fixture_read(path, &len);
	s.ev = (struct evidence){ .tee = TEE_SNP, .report = raw, .report_len = len };
	snprintf(path, sizeof(path), "snp/%s/%s", dir, leaf);
	vek = fixture_read(path, &s.in.vek_len);
	snprintf(path, sizeof(path), "snp/ca/%s_ask_ark_asvk.pem", generation);
	ca = fixture_read(path, &s.in.ca_len);
	s.in.vek = vek;
	s.in.ca = ca;
	s.in.at = INT64_C(1756684800); /* 2025-09-01: the VLEK lives a year */
	flip_report(&s);
}

static void one_fixture_quote(const struct judge *j, const char *name)
{
	struct subject s = { .j = j, .in = { .anchors = j->strict, .at = INT64_C(1795000000) } };
	char path[128];

	snprintf(path, sizeof(path), "tdx/%s.bin", name);
	s.ev.tee = TEE_TDX;
	s.ev.report = fixture_read(path, &s.ev.report_len);
	flip_quote(&s);
	evidence_clear(&s.ev);
}

static void reports(void **state)
{
	static const struct {
		const char *dir, *leaf, *generation;
	} all[] = {
		{ "v3-milan-a", "vcek.der", "milan" },	  { "v2-milan-a", "vcek.der", "milan" },
		{ "v2-milan-azure", "vcek.der", "milan" }, { "v2-milan-b", "vcek.der", "milan" },
		{ "v3-genoa", "vcek.der", "genoa" },	  { "v3-milan-aci", "vcek.der", "milan" },
		{ "v3-milan-b", "vcek.der", "milan" },	  { "v3-milan-vlek-vmpl1", "vlek.der", "milan" },
		{ "v5-turin", "vcek.der", "turin" },
	};

	if (!fixtures_present() || full())
		one_report_of_the_pki(*state);
	for (size_t i = 0; fixtures_present() && i < (full() ? ARRAY_SIZE(all) : 1); i++)
		one_fixture_report(*state, all[i].dir, all[i].leaf, all[i].generation);
}

static void quotes(void **state)
{
	static const char *const all[] = { "quote-v5-a", "quote-v4-a", "quote-v4-b",	      "quote-v4-c",   "quote-v4-d",
					   "quote-v4-gcp", "quote-v4-mrconfigid", "quote-v4-oak", "quote-v5-b" };

	if (!fixtures_present() || full())
		one_quote_of_the_pki(*state);
	for (size_t i = 0; fixtures_present() && i < (full() ? ARRAY_SIZE(all) : 1); i++)
		one_fixture_quote(*state, all[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports),
		cmocka_unit_test(quotes),
	};

	return cmocka_run_group_tests(tests, judge_setup, judge_teardown);
}
