/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Certificates, quotes, and files of any kind. */
#include "tests/unit/trustee_sample.h"

#include "evidence/cert_table.h"

static void certificates(void **state)
{
	static const char *const names[] = { "VCEK", "ASK", "ARK" };
	_cleanup_buf_ struct buf table = BUF_INIT(CERT_TABLE_MAX);
	struct cert_entry certs[CERT_TABLE_ENTRIES_MAX];
	struct evidence back;
	struct snp_report r;
	struct sample s;
	char *text;
	size_t n;

	testpki_snp_template(*state, &r);
	sample_of(&r, &s);
	assert_ok(testpki_snp_certs(*state, false, &table, &_err));
	s.ev.aux = table.data;
	s.ev.aux_len = table.len;
	assert_ok(evidence_to_trustee_json(&s.ev, &text, &_err));
	assert_ok(evidence_load((const uint8_t *)text, strlen(text), &back, &_err));
	assert_int_equal(back.tee, TEE_SNP);
	assert_memory_equal(back.report, s.raw, SNP_REPORT_SIZE);
	assert_int_equal(back.aux_len, table.len);
	assert_memory_equal(back.aux, table.data, table.len);
	assert_ok(cert_table_decode(back.aux, back.aux_len, certs, &n, &_err));
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(cert_kind_name(certs[i].kind), names[i]);
	evidence_clear(&back);
	free(text);
	json_decref(s.obj);
}

/* Without a VEK the chain is null: Trustee refuses any other list. */
static void chain_without_vek_is_null(void **state)
{
	const struct cert_entry ark = { .kind = CERT_ARK, .der = (const uint8_t *)"x", .der_len = 1 };
	const struct cert_entry more[] = { { .kind = CERT_OTHER, .guid = { 0xAB, 1 }, .der = (const uint8_t *)"x", .der_len = 1 },
					   { .kind = CERT_VLEK, .der = (const uint8_t *)"yz", .der_len = 2 } };
	_cleanup_buf_ struct buf table = BUF_INIT(CERT_TABLE_MAX);
	struct evidence back;
	struct snp_report r;
	struct sample s;
	char *text;

	testpki_snp_template(*state, &r);
	sample_of(&r, &s);
	assert_ok(cert_table_encode(&ark, 1, &table, &_err));
	s.ev.aux = table.data;
	s.ev.aux_len = table.len;
	assert_ok(evidence_to_trustee_json(&s.ev, &text, &_err));
	assert_non_null(strstr(text, ",\"cert_chain\":null}"));
	free(text);
	buf_reset(&table);
	assert_ok(cert_table_encode(more, 2, &table, &_err));
	s.ev.aux = table.data;
	s.ev.aux_len = table.len;
	assert_ok(evidence_to_trustee_json(&s.ev, &text, &_err));
	assert_non_null(strstr(text, "{\"cert_type\":{\"OTHER\":\"ab010000-0000-0000-0000-000000000000\"},\"data\":[120]}"));
	assert_non_null(strstr(text, "{\"cert_type\":\"VLEK\",\"data\":[121,122]}"));
	assert_ok(evidence_load((const uint8_t *)text, strlen(text), &back, &_err));
	assert_memory_equal(back.aux, table.data, table.len);
	evidence_clear(&back);
	free(text);
	s.ev.aux_len = 30;
	assert_fails(evidence_to_trustee_json(&s.ev, &text, &_err), ERR_INTEGRITY, "cert-table");
	json_decref(s.obj);
}

static void chains_refused(void **state)
{
	static const char *const chains[] = {
		"{}",
		"\"x\"",
		"[1]",
		"[{}]",
		"[{\"cert_type\":\"VCEK\"}]",
		"[{\"cert_type\":\"VCEK\",\"data\":[]}]",
		"[{\"cert_type\":\"VCEK\",\"data\":[256]}]",
		"[{\"cert_type\":\"vcek\",\"data\":[1]}]",
		"[{\"cert_type\":{\"OTHER\":\"ab01\"},\"data\":[1]}]",
		"[{\"cert_type\":{\"OTHER\":\"ab010000-0000-0000-0000-0000-00000000\"},\"data\":[1]}]",
		"[{\"cert_type\":{\"OTHER\":\"ab010000000000000000000000000000\"},\"data\":[1]}]",
		"[{\"cert_type\":{\"OTHER\":\"xx010000-0000-0000-0000-000000000000\"},\"data\":[1]}]",
	};
	static const char *const empty[] = { "[]", "null", "[{\"cert_type\":\"Empty\",\"data\":[]}]" };
	struct evidence ev;
	struct snp_report r;
	struct sample s;

	testpki_snp_template(*state, &r);
	sample_of(&r, &s);
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++) {
		struct err *err = NULL;

		json_object_set_new(s.obj, "cert_chain", json_loads(chains[i], JSON_DECODE_ANY, NULL));
		if (read_back(s.obj, &ev, &err) == 0 || err_class(err) != ERR_INTEGRITY)
			fail_msg("%s: not refused", chains[i]);
		err_free(err);
	}
	for (size_t i = 0; i < ARRAY_SIZE(empty); i++) {
		json_object_set_new(s.obj, "cert_chain", json_loads(empty[i], JSON_DECODE_ANY, NULL));
		sample_reads_back(&s);
	}
	json_object_del(s.obj, "cert_chain");
	sample_reads_back(&s);
	json_decref(s.obj);
}

static void too_many_certificate_bytes(void **state)
{
	json_t *chain = json_array(), *data = json_array(), *entry = json_object();
	struct evidence ev;
	struct snp_report r;
	struct sample s;

	testpki_snp_template(*state, &r);
	sample_of(&r, &s);
	for (size_t i = 0; i < CERT_TABLE_MAX / 2; i++)
		json_array_append_new(data, json_integer(1));
	json_object_set_new(entry, "cert_type", json_string("VCEK"));
	json_object_set_new(entry, "data", data);
	for (size_t i = 0; i < 3; i++)
		json_array_append(chain, entry);
	json_decref(entry);
	json_object_set_new(s.obj, "cert_chain", chain);
	assert_fails(read_back(s.obj, &ev, &_err), ERR_INTEGRITY, "snp-json");
	json_decref(s.obj);
}

static void quote_as_json(void **state)
{
	_cleanup_buf_ struct buf quote = BUF_INIT(TDX_QUOTE_MAX);
	struct testpki_tdx t;
	struct evidence ev = { .tee = TEE_TDX }, back;
	char *text;

	testpki_tdx_template(*state, &t);
	assert_ok(testpki_tdx_sign(*state, &t, &quote, &_err));
	ev.report = quote.data;
	ev.report_len = quote.len;
	ev.aux = (uint8_t *)"not a log";
	ev.aux_len = 9;
	assert_ok(evidence_to_trustee_json(&ev, &text, &_err));
	assert_int_equal(strncmp(text, "{\"cc_eventlog\":null,\"quote\":\"BAAC", 33), 0);
	assert_ok(evidence_load((const uint8_t *)text, strlen(text), &back, &_err));
	assert_int_equal(back.tee, TEE_TDX);
	assert_int_equal(back.report_len, quote.len);
	assert_memory_equal(back.report, quote.data, quote.len);
	assert_null(back.aux);
	evidence_clear(&back);
	free(text);
	quote.data[0] = 3;
	assert_fails(evidence_to_trustee_json(&ev, &text, &_err), ERR_INTEGRITY, "tdx-version");
}

static void quotes_refused(void **state)
{
	static const struct {
		const char *text, *id;
	} cases[] = {
		{ "{}", "tdx-json" },
		{ "{\"quote\":1}", "tdx-json" },
		{ "{\"quote\":\"B\"}", "base64" },
		{ "{\"quote\":\"BAAC\\n\"}", "base64" },
		{ "{\"quote\":\"BAAC\",\"cc_eventlog\":1}", "tdx-json" },
		{ "{\"quote\":\"BAAC\",\"cc_eventlog\":\"AAAA\"}", "event-log" },
		{ "[]", "tdx-json" },
		{ "{\"quote\":\"BAAC\"", "json" },
		{ "{\"quote\":\"BAAC\",\"quote\":\"BAAC\"}", "json" },
	};
	struct evidence ev;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_fails(evidence_from_trustee_json(TEE_TDX, cases[i].text, strlen(cases[i].text), &ev, &_err),
			     ERR_INTEGRITY, cases[i].id);
	assert_fails(evidence_from_trustee_json(TEE_NONE, "{}", 2, &ev, &_err), ERR_INTEGRITY, "evidence-format");
}

static void load_tells_kinds_apart(void **state)
{
	uint8_t raw[SNP_REPORT_SIZE];
	_cleanup_buf_ struct buf quote = BUF_INIT(TDX_QUOTE_MAX);
	_cleanup_free_ char *alone = NULL;
	struct testpki_tdx t;
	struct evidence ev;
	struct snp_report r;
	struct sample s;

	testpki_snp_template(*state, &r);
	snp_report_encode(&r, raw);
	assert_ok(evidence_load(raw, sizeof(raw), &ev, &_err));
	assert_int_equal(ev.tee, TEE_SNP);
	assert_memory_equal(ev.report, raw, sizeof(raw));
	evidence_clear(&ev);
	testpki_tdx_template(*state, &t);
	assert_ok(testpki_tdx_sign(*state, &t, &quote, &_err));
	assert_ok(evidence_load(quote.data, quote.len, &ev, &_err));
	assert_int_equal(ev.tee, TEE_TDX);
	assert_int_equal(ev.report_len, quote.len);
	evidence_clear(&ev);
	sample_of(&r, &s);
	alone = json_dumps(s.report, JSON_INDENT(1));
	assert_ok(evidence_load((const uint8_t *)alone, strlen(alone), &ev, &_err));
	assert_memory_equal(ev.report, raw, sizeof(raw));
	evidence_clear(&ev);
	json_decref(s.obj);
	assert_fails(evidence_load(raw, sizeof(raw) - 1, &ev, &_err), ERR_INTEGRITY, "evidence-format");
	assert_fails(evidence_load((const uint8_t *)"", 0, &ev, &_err), ERR_INTEGRITY, "evidence-format");
	assert_fails(evidence_load((const uint8_t *)" {\"hcl_report\":\"\"}", 18, &ev, &_err), ERR_INTEGRITY, "evidence-format");
	assert_fails(evidence_load((const uint8_t *)"{", 1, &ev, &_err), ERR_INTEGRITY, "json");
}

static void claims(void **state)
{
	struct evidence ev = { .tee = TEE_SNP, .report = (uint8_t *)"", .report_len = 0 };
	_cleanup_json_ json_t *snp = NULL, *tdx = NULL, *none = NULL;
	_cleanup_buf_ struct buf quote = BUF_INIT(TDX_QUOTE_MAX);
	uint8_t raw[SNP_REPORT_SIZE];
	struct testpki_tdx t;
	struct snp_report r;

	assert_fails(evidence_claims(&ev, &none, &_err), ERR_INTEGRITY, "snp-size");
	testpki_snp_template(*state, &r);
	r.policy |= SNP_POLICY_DEBUG;
	snp_report_encode(&r, raw);
	ev.report = raw;
	ev.report_len = sizeof(raw);
	assert_ok(evidence_claims(&ev, &snp, &_err));
	assert_string_equal(json_string_value(json_object_get(snp, "generation")), "Milan");
	assert_string_equal(json_string_value(json_object_get(snp, "signing_key")), "vcek");
	assert_true(json_is_true(json_object_get(json_object_get(snp, "policy"), "debug")));
	assert_int_equal(json_string_length(json_object_get(snp, "measurement")), 96);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(snp, "reported_tcb"), "microcode")), 219);
	assert_string_equal(json_string_value(json_object_get(snp, "current_version")), "1.55.29");
	testpki_tdx_template(*state, &t);
	t.body.td_attributes |= TDX_ATTR_DEBUG;
	assert_ok(testpki_tdx_sign(*state, &t, &quote, &_err));
	ev = (struct evidence){ .tee = TEE_TDX, .report = quote.data, .report_len = quote.len };
	assert_ok(evidence_claims(&ev, &tdx, &_err));
	assert_true(json_is_true(json_object_get(tdx, "debug")));
	assert_true(json_is_false(json_object_get(tdx, "migratable")));
	assert_string_equal(json_string_value(json_object_get(tdx, "event_log")), "none");
	assert_int_equal(json_string_length(json_object_get(tdx, "rtmr3")), 96);
	ev.tee = TEE_NONE;
	assert_fails(evidence_claims(&ev, &none, &_err), ERR_INTEGRITY, "evidence-format");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates),
		cmocka_unit_test(chain_without_vek_is_null),
		cmocka_unit_test(chains_refused),
		cmocka_unit_test(too_many_certificate_bytes),
		cmocka_unit_test(quote_as_json),
		cmocka_unit_test(quotes_refused),
		cmocka_unit_test(load_tells_kinds_apart),
		cmocka_unit_test(claims),
	};

	return cmocka_run_group_tests(tests, make, drop);
}
