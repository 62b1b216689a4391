/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Forms A and B of an attestation report, alone and against each other. */
#include "tests/unit/trustee_sample.h"

/* Members that stand only in one of the two forms. */
static const char *const only_a[] = { "key_info",  "cpuid_fam_id", "cpuid_mod_id",	 "cpuid_step",
				      "current",   "committed",	   "launch_mit_vector", "current_mit_vector" };
static const char *const only_b[] = { "_author_key_en", "_reserved_0",	   "_reserved_1",     "current_build",
				      "current_minor",	"current_major",   "_reserved_2",     "committed_build",
				      "committed_minor", "committed_major", "_reserved_3", "_reserved_4" };
static const char *const tcbs[] = { "current_tcb", "reported_tcb", "committed_tcb", "launch_tcb" };

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_forms_read_alone),
		cmocka_unit_test(turin),
		cmocka_unit_test(contradictions_are_refused),
		cmocka_unit_test(missing_and_mistyped),
		cmocka_unit_test(bit_63_is_refused),
	};

	return cmocka_run_group_tests(tests, make, drop);
}
