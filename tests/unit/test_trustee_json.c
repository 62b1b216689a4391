/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/lib/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "evidence/cert_table.h"
#include "evidence/trustee_json.h"
#include "tests/lib/testpki.h"
#include "wire/json.h"

/* Members that stand only in one of the two forms. */
static const char *const only_a[] = { "key_info",  "cpuid_fam_id", "cpuid_mod_id",	 "cpuid_step",
				      "current",   "committed",	   "launch_mit_vector", "current_mit_vector" };
static const char *const only_b[] = { "_author_key_en", "_reserved_0",	   "_reserved_1",     "current_build",
				      "current_minor",	"current_major",   "_reserved_2",     "committed_build",
				      "committed_minor", "committed_major", "_reserved_3", "_reserved_4" };
static const char *const tcbs[] = { "current_tcb", "reported_tcb", "committed_tcb", "launch_tcb" };

struct sample {
	uint8_t raw[SNP_REPORT_SIZE];
	struct evidence ev;
	json_t *obj, *report;
};

static int make(void **state)
{
	struct testpki *pki;

	if (testpki_open(NULL, &pki, NULL) < 0)
		return -1;
	*state = pki;
	return 0;
}

static int drop(void **state)
{
	testpki_free(*state);
	return 0;
}

static void sample_of(const struct snp_report *r, struct sample *s)
{
	char *text;

	snp_report_encode(r, s->raw);
	s->ev = (struct evidence){ .tee = TEE_SNP, .report = s->raw, .report_len = SNP_REPORT_SIZE };
	assert_ok(evidence_to_trustee_json(&s->ev, &text, &_err));
	assert_ok(json_parse(text, strlen(text), 1 << 20, false, &s->obj, &_err));
	s->report = json_object_get(s->obj, "attestation_report");
	free(text);
}

static void sample_make(const struct testpki *pki, uint32_t version, uint8_t family, struct sample *s)
{
	struct snp_report r;

	testpki_snp_template(pki, &r);
	r.version = version;
	r.has_cpuid = version >= 3;
	r.has_mit_vector = version >= 5;
	r.cpuid_fam = family;
	r.turin_layout = family == 0x1A;
	r.reported_tcb.fmc = 3;
	r.launch_mit_vector = 0x0F;
	r.current_mit_vector = UINT64_C(0x7000000000000000);
	r.key_info = 4;
	sample_of(&r, s);
}

static int read_back(const json_t *obj, struct evidence *ret, struct err **err)
{
	_cleanup_free_ char *text = json_dumps(obj, JSON_COMPACT);

	return evidence_from_trustee_json(TEE_SNP, text, strlen(text), ret, err);
}

static void sample_reads_back(const struct sample *s)
{
	struct evidence ev;

	assert_ok(read_back(s->obj, &ev, &_err));
	assert_int_equal(ev.report_len, SNP_REPORT_SIZE);
	assert_memory_equal(ev.report, s->raw, SNP_REPORT_SIZE);
	assert_null(ev.aux);
	evidence_clear(&ev);
}

static void sample_is_refused(const struct sample *s)
{
	struct evidence ev;

	assert_fails(read_back(s->obj, &ev, &_err), ERR_INTEGRITY, "snp-json");
}

static void remove_members(json_t *report, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(json_object_del(report, names[i]), 0);
}

static void both_forms_read_alone(void **state)
{
	static const struct {
		uint32_t version;
		uint8_t family;
	} cases[] = { { 2, 0x19 }, { 3, 0x19 }, { 4, 0x19 }, { 5, 0x19 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sample s;

		sample_make(*state, cases[i].version, cases[i].family, &s);
		assert_true(json_is_null(json_object_get(s.obj, "cert_chain")));
		sample_reads_back(&s);
		remove_members(s.report, only_a, ARRAY_SIZE(only_a));
		for (size_t t = 0; t < ARRAY_SIZE(tcbs); t++)
			json_object_del(json_object_get(s.report, tcbs[t]), "fmc");
		sample_reads_back(&s);
		json_decref(s.obj);

		sample_make(*state, cases[i].version, cases[i].family, &s);
		remove_members(s.report, only_b, ARRAY_SIZE(only_b));
		for (size_t t = 0; t < ARRAY_SIZE(tcbs); t++)
			json_object_del(json_object_get(s.report, tcbs[t]), "_reserved");
		json_object_del(json_object_get(s.report, "signature"), "_reserved");
		sample_reads_back(&s);
		json_decref(s.obj);
	}
}

/* Family 1Ah: form A's numbers in the union, form B's flat ones only in an object without form A. */
static void turin(void **state)
{
	struct sample s;
	json_t *tcb;

	for (uint32_t version = 3; version <= 5; version++) {
		sample_make(*state, version, 0x1A, &s);
		tcb = json_object_get(s.report, "reported_tcb");
		assert_int_equal(json_integer_value(json_object_get(tcb, "fmc")), 3);
		assert_int_equal(json_integer_value(json_object_get(tcb, "bootloader")), 4);
		assert_int_equal(json_integer_value(json_object_get(tcb, "snp")), 24);
		assert_int_equal(json_integer_value(json_array_get(json_object_get(tcb, "_reserved"), 1)), 24);
		sample_reads_back(&s);
		json_object_set_new(tcb, "fmc", json_null());
		sample_is_refused(&s);
		json_decref(s.obj);
	}
	sample_make(*state, 3, 0x1A, &s);
	remove_members(s.report, only_a, ARRAY_SIZE(only_a));
	for (size_t t = 0; t < ARRAY_SIZE(tcbs); t++) {
		tcb = json_object_get(s.report, tcbs[t]);
		json_object_set_new(tcb, "tee", json_integer(4));
		json_object_set_new(tcb, "bootloader", json_integer(t == 1 ? 3 : 0));
		json_object_set_new(tcb, "snp", json_integer(0));
		sample_is_refused(&s); /* while an fmc of form A is there */
	}
	for (size_t t = 0; t < ARRAY_SIZE(tcbs); t++)
		json_object_del(json_object_get(s.report, tcbs[t]), "fmc");
	/* The template's fmc is set in reported_tcb alone. */
	sample_reads_back(&s);
	json_decref(s.obj);
}

/* A value that is not the one there. */
static json_t *other(const json_t *v)
{
	json_t *copy;

	if (json_is_integer(v))
		return json_integer(json_integer_value(v) ^ 1);
	if (json_is_null(v))
		return json_integer(1);
	copy = json_deep_copy(v);
	if (json_is_array(v)) {
		json_array_set_new(copy, 0, other(json_array_get(v, 0)));
	} else {
		const char *key = json_object_iter_key(json_object_iter(copy));

		json_object_set_new(copy, key, other(json_object_get(v, key)));
	}
	return copy;
}

/* Every member of either form, changed alone where the other form also speaks of it, or against its type. */
static void contradictions_are_refused(void **state)
{
	for (uint32_t version = 2; version <= 5; version++) {
		struct sample s;

		sample_make(*state, version, 0x19, &s);
		for (size_t i = 0; i < ARRAY_SIZE(only_a) + ARRAY_SIZE(only_b); i++) {
			const char *name = i < ARRAY_SIZE(only_a) ? only_a[i] : only_b[i - ARRAY_SIZE(only_a)];
			json_t *was = json_incref(json_object_get(s.report, name));

			json_object_set_new(s.report, name, other(was));
			sample_is_refused(&s);
			json_object_set_new(s.report, name, json_string("1"));
			sample_is_refused(&s);
			json_object_set(s.report, name, was);
			json_decref(was);
		}
		for (size_t t = 0; t < ARRAY_SIZE(tcbs); t++) {
			json_t *tcb = json_object_get(s.report, tcbs[t]);
			json_t *was = json_incref(json_object_get(tcb, "_reserved"));

			json_object_set_new(tcb, "_reserved", other(was));
			sample_is_refused(&s);
			json_object_set(tcb, "_reserved", was);
			json_object_set_new(tcb, "fmc", json_integer(1));
			sample_is_refused(&s);
			json_object_set_new(tcb, "fmc", json_null());
			json_decref(was);
		}
		sample_reads_back(&s);
		json_decref(s.obj);
	}
}

static void missing_and_mistyped(void **state)
{
	static const char *const common[] = { "version",     "guest_svn",  "policy",	  "family_id",	    "image_id",
					      "vmpl",	     "sig_algo",   "plat_info",	  "key_info",	    "report_data",
					      "measurement", "host_data",  "id_key_digest", "author_key_digest", "report_id",
					      "report_id_ma", "chip_id",   "current",	  "committed",	    "current_tcb",
					      "reported_tcb", "committed_tcb", "launch_tcb", "signature",   "cpuid_fam_id" };
	struct sample s;

	sample_make(*state, 3, 0x19, &s);
	remove_members(s.report, only_b, ARRAY_SIZE(only_b));
	for (size_t i = 0; i < ARRAY_SIZE(common); i++) {
		json_t *was = json_incref(json_object_get(s.report, common[i]));

		json_object_del(s.report, common[i]);
		sample_is_refused(&s);
		json_object_set_new(s.report, common[i], json_integer(-1));
		sample_is_refused(&s);
		json_object_set_new(s.report, common[i], json_array());
		sample_is_refused(&s);
		json_object_set_new(s.report, common[i], json_object());
		sample_is_refused(&s);
		json_object_set(s.report, common[i], was);
		json_decref(was);
	}
	json_array_append_new(json_object_get(s.report, "measurement"), json_integer(0));
	sample_is_refused(&s);
	json_array_remove(json_object_get(s.report, "measurement"), 48);
	json_array_set_new(json_object_get(s.report, "measurement"), 0, json_integer(256));
	sample_is_refused(&s);
	json_decref(s.obj);
}

static void bit_63_is_refused(void **state)
{
	static const char text[] = "{\"attestation_report\":{\"policy\":9223372036854775808}}";
	struct snp_report r;
	uint8_t raw[SNP_REPORT_SIZE];
	struct evidence ev = { .tee = TEE_SNP, .report = raw, .report_len = sizeof(raw) };
	char *json;

	testpki_snp_template(*state, &r);
	r.policy |= UINT64_C(1) << 63;
	snp_report_encode(&r, raw);
	assert_fails(evidence_to_trustee_json(&ev, &json, &_err), ERR_INTEGRITY, "snp-json");
	assert_fails(evidence_load((const uint8_t *)text, sizeof(text) - 1, &ev, &_err), ERR_INTEGRITY, "json");
}

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
		cmocka_unit_test(both_forms_read_alone),
		cmocka_unit_test(turin),
		cmocka_unit_test(contradictions_are_refused),
		cmocka_unit_test(missing_and_mistyped),
		cmocka_unit_test(bit_63_is_refused),
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
