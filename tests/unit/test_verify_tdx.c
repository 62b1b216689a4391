/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/lib/check.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "tests/lib/judge.h"

static void make(const struct judge *j, const struct testpki_tdx *t, struct buf *quote, struct evidence *ev)
{
	assert_ok(testpki_tdx_sign(j->pki, t, quote, &_err));
	*ev = (struct evidence){ .tee = TEE_TDX, .report = quote->data, .report_len = quote->len };
}

static void judged(const char *what, const struct judge *j, const struct evidence *ev, const char *id)
{
	struct verdict v;

	judge_evidence(j, (struct verify_input){ .evidence = ev }, &v);
	assert_verdict(what, &v, id);
}

static void all_forms_verify(void **state)
{
	static const struct {
		unsigned int version;
		bool td15;
	} cases[] = { { 4, false }, { 5, false }, { 5, true } };
	const struct judge *j = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_buf_ struct buf quote = BUF_INIT(TDX_QUOTE_MAX);
		struct testpki_tdx t;
		struct evidence ev;
		struct verdict v;

		testpki_tdx_template(j->pki, &t);
		t.version = cases[i].version;
		t.body.has_15 = cases[i].td15;
		memset(t.body.report_data, 0x77, sizeof(t.body.report_data));
		make(j, &t, &quote, &ev);
		judge_evidence(j, (struct verify_input){ .evidence = &ev, .report_data = t.body.report_data }, &v);
		assert_verdict("own chain", &v, NULL);
		assert_string_equal(v.root, "test:Intel SGX Root CA");
		assert_true(v.test_root);
		assert_int_equal(v.signer, SIGNER_PCK);
		assert_string_equal(v.tcb, "unverified");
		assert_int_equal(v.missing_n, 2);
		assert_true(v.tdx.body.td_attributes == TDX_ATTR_SEPT_VE_DISABLE);
		assert_int_equal(v.tdx.body_type, cases[i].td15 ? 3 : 2);
		judge_evidence(j, (struct verify_input){ .evidence = &ev, .anchors = j->strict }, &v);
		assert_verdict("unknown root", &v, "chain-root");
		judge_evidence(j, (struct verify_input){ .evidence = &ev, .report_data = (uint8_t[64]){ 1 } }, &v);
		assert_verdict("report data", &v, "report-data");
		judge_evidence(j, (struct verify_input){ .evidence = &ev, .at = INT64_C(1500000000) }, &v);
		assert_verdict("before its time", &v, "chain-not-yet-valid");
		judge_evidence(j, (struct verify_input){ .evidence = &ev, .at = INT64_C(2600000000) }, &v);
		assert_verdict("after its time", &v, "chain-expired");
	}
}

/* Every signature in these is valid: made by whoever holds the keys, but not by Intel's quoting enclave. */
static void well_signed_but_refused(void **state)
{
	const struct {
		const char *what, *id;
		struct testpki_tdx t;
	} cases[] = {
		{ "foreign quoting enclave", "tdx-qe-identity", { .foreign_qe = true } },
		{ "foreign product of Intel's signer", "tdx-qe-identity", { .foreign_product = true } },
		{ "outdated quoting enclave", "tdx-qe-identity", { .old_qe = true } },
		{ "debug quoting enclave", "tdx-qe-debug", { .debug_qe = true } },
		{ "foreign vendor", "tdx-vendor", { .foreign_vendor = true } },
		{ "unbound key", "tdx-qe-binding", { .unbound_key = true } },
		{ "more than the key bound", "tdx-qe-binding", { .unbound_tail = true } },
		{ "key off the curve", "tdx-att-key", { .bad_point = true } },
		{ "foreign TDX module", "tdx-module", { .body = { .mrsignerseam = { 1 } } } },
		{ "debug TDX module", "tdx-module", { .body = { .seam_attributes = 1 } } },
		{ "impossible XFAM", "tdx-xfam", { .body = { .xfam = 1 } } },
		{ "unknown XFAM", "tdx-xfam", { .body = { .xfam = 0x600E7 | UINT64_C(1) << 10 } } },
		{ "unknown attribute", "tdx-attributes", { .body = { .td_attributes = UINT64_C(1) << 8 } } },
		{ "unknown high attribute", "tdx-attributes", { .body = { .td_attributes = UINT64_C(1) << 32 } } },
	};
	const struct judge *j = *state;

	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		_cleanup_buf_ struct buf quote = BUF_INIT(TDX_QUOTE_MAX);
		const struct testpki_tdx *c = &cases[i / 2].t;
		struct testpki_tdx t;
		struct evidence ev;

		testpki_tdx_template(j->pki, &t);
		t.version = i % 2 ? 5 : 4;
		t.foreign_qe = c->foreign_qe;
		t.foreign_product = c->foreign_product;
		t.old_qe = c->old_qe;
		t.debug_qe = c->debug_qe;
		t.foreign_vendor = c->foreign_vendor;
		t.unbound_key = c->unbound_key;
		t.unbound_tail = c->unbound_tail;
		t.bad_point = c->bad_point;
		t.body.mrsignerseam[0] = c->body.mrsignerseam[0];
		t.body.seam_attributes = c->body.seam_attributes;
		t.body.td_attributes |= c->body.td_attributes;
		t.body.xfam = c->body.xfam ? c->body.xfam : t.body.xfam;
		make(j, &t, &quote, &ev);
		judged(cases[i / 2].what, j, &ev, cases[i / 2].id);
	}
}

/* What a policy judges is shown, not refused here. */
static void debug_td_is_a_fact(void **state)
{
	_cleanup_buf_ struct buf quote = BUF_INIT(TDX_QUOTE_MAX);
	struct testpki_tdx t;
	struct evidence ev;
	struct verdict v;

	testpki_tdx_template(((struct judge *)*state)->pki, &t);
	t.body.td_attributes |= TDX_ATTR_DEBUG | TDX_ATTR_MIGRATABLE;
	make(*state, &t, &quote, &ev);
	judge_evidence(*state, (struct verify_input){ .evidence = &ev }, &v);
	assert_verdict("debug TD", &v, NULL);
	assert_true(v.tdx.body.td_attributes & TDX_ATTR_DEBUG);
	assert_true(v.tdx.body.td_attributes & TDX_ATTR_MIGRATABLE);
}

static void root_may_come_from_elsewhere(void **state)
{
	const struct judge *j = *state;
	_cleanup_buf_ struct buf quote = BUF_INIT(TDX_QUOTE_MAX), root = BUF_INIT(8192);
	struct testpki_tdx t;
	struct evidence ev;
	struct verdict v;

	testpki_tdx_template(j->pki, &t);
	t.no_root = true;
	make(j, &t, &quote, &ev);
	judged("root among the anchors", j, &ev, NULL);
	judge_evidence(j, (struct verify_input){ .evidence = &ev, .anchors = j->strict }, &v);
	assert_verdict("no root", &v, "chain-missing");
	assert_int_equal(v.missing_n, 1);
	assert_non_null(strstr(v.missing[0], "Intel SGX Root CA"));
	assert_ok(testpki_der(j->pki, "intel-root", &root, &_err));
	judge_evidence(j, (struct verify_input){ .evidence = &ev, .anchors = j->strict, .ca = root.data, .ca_len = root.len }, &v);
	assert_verdict("root by option is not trusted for that", &v, "chain-root");
}

/* Offsets inside a version 4 quote: signature 636, key 700, QE report 770, its signature 1154, PEM 1258. */
static void tampered_parts(void **state)
{
	static const struct {
		const char *what;
		size_t off;
		const char *id;
	} cases[] = {
		{ "user data", 28, "tdx-signature" },	   { "MRTD", 48 + 136, "tdx-signature" },
		{ "report data", 48 + 520, "tdx-signature" }, { "signature r", 640, "tdx-signature" },
		{ "signature s", 690, "tdx-signature" },   { "attestation key", 720, "tdx-qe-binding" },
		{ "QE report", 770, "tdx-qe-signature" },  { "QE signer", 770 + 128, "tdx-qe-signature" },
		{ "QE report signature", 1200, "tdx-qe-signature" }, { "QE auth data", 1220, "tdx-qe-binding" },
	};
	const struct judge *j = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_buf_ struct buf quote = BUF_INIT(TDX_QUOTE_MAX);
		struct testpki_tdx t;
		struct evidence ev;

		testpki_tdx_template(j->pki, &t);
		make(j, &t, &quote, &ev);
		quote.data[cases[i].off] ^= 1;
		judged(cases[i].what, j, &ev, cases[i].id);
	}
}

/* The chain in the quote is host-made text. */
static void tampered_chain(void **state)
{
	const struct judge *j = *state;
	_cleanup_buf_ struct buf quote = BUF_INIT(TDX_QUOTE_MAX);
	struct testpki_tdx t;
	struct evidence ev;
	uint8_t *pem, *second, saved;

	testpki_tdx_template(j->pki, &t);
	make(j, &t, &quote, &ev);
	pem = quote.data + 1258;
	assert_memory_equal(pem, "-----BEGIN", 10);
	pem[5] = 'X';
	judged("leaf is not read", j, &ev, "pck-name");
	pem[5] = 'B';
	saved = pem[200];
	pem[200] = '!';
	judged("no base64", j, &ev, "certificate");
	pem[200] = saved;
	/* The last base64 characters of a certificate are those of its signature. */
	second = (uint8_t *)strstr((char *)pem, "-----END") - 12;
	*second = *second == 'A' ? 'B' : 'A';
	judged("leaf's signature", j, &ev, "chain-signature");
}

static void chain_of_another_kind(void **state)
{
	const struct judge *j = *state;
	_cleanup_buf_ struct buf quote = BUF_INIT(TDX_QUOTE_MAX);
	struct testpki_tdx t;
	struct evidence ev;
	uint8_t *pem;

	testpki_tdx_template(j->pki, &t);
	make(j, &t, &quote, &ev);
	pem = quote.data + 1258;
	memset(pem, ' ', quote.len - 1258);
	judged("empty", j, &ev, "certificate");
	ev.report_len = 1000;
	judged("cut", j, &ev, "tdx-truncated");
	ev.tee = TEE_NONE;
	assert_fails(verify_evidence(&(struct verify_input){ .evidence = &ev, .anchors = j->strict }, &(struct verdict){ 0 }, &_err),
		     ERR_CONFIG, "evidence-format");
}

static void event_log_must_replay(void **state)
{
	const struct judge *j = *state;
	_cleanup_buf_ struct buf quote = BUF_INIT(TDX_QUOTE_MAX), log = BUF_INIT(4096);
	struct testpki_tdx t;
	struct evidence ev;

	/* A log of nothing but its specification id: registers stay zero. */
	buf_put_u32le(&log, 0);
	buf_put_u32le(&log, 3);
	buf_put_zero(&log, 20);
	buf_put_u32le(&log, 33);
	buf_append(&log, "Spec ID Event03", 16);
	buf_put_zero(&log, 8);
	buf_put_u32le(&log, 1);
	buf_put_u16le(&log, 12);
	buf_put_u16le(&log, 48);
	buf_put_u8(&log, 0);
	testpki_tdx_template(j->pki, &t);
	memset(t.body.rtmr, 0, sizeof(t.body.rtmr));
	make(j, &t, &quote, &ev);
	ev.aux = log.data;
	ev.aux_len = log.len;
	judged("replays", j, &ev, NULL);
	t.body.rtmr[2][0] = 1;
	make(j, &t, &quote, &ev);
	ev.aux = log.data;
	ev.aux_len = log.len;
	judged("other story", j, &ev, "tdx-event-log");
	ev.aux_len = 20;
	judged("cut log", j, &ev, "event-log");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_forms_verify),
		cmocka_unit_test(well_signed_but_refused),
		cmocka_unit_test(debug_td_is_a_fact),
		cmocka_unit_test(root_may_come_from_elsewhere),
		cmocka_unit_test(tampered_parts),
		cmocka_unit_test(tampered_chain),
		cmocka_unit_test(chain_of_another_kind),
		cmocka_unit_test(event_log_must_replay),
	};

	return cmocka_run_group_tests(tests, judge_setup, judge_teardown);
}
