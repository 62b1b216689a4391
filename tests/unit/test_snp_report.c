/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/lib/check.h"

#include <stdio.h>
#include <string.h>

#include "evidence/snp_report.h"
#include "tests/lib/mutate.h"

/* Every field a different pattern, so that two swapped ones are seen. */
static void fill(struct snp_report *r, uint32_t version, uint8_t family)
{
	*r = (struct snp_report){
		.version = version,
		.guest_svn = 0x01020304,
		.policy = UINT64_C(0x8000000000030000) | 0x1F,
		.vmpl = 2,
		.sig_algo = 1,
		.plat_info = 0x1122334455667788,
		.key_info = 4 | 1,
		.current = { 1, 2, 3 },
		.committed = { 4, 5, 6 },
		.has_cpuid = version >= 3,
		.has_mit_vector = version >= 5,
		.turin_layout = family >= 0x1A,
		.current_tcb = { .bootloader = 1, .tee = 2, .snp = 3, .microcode = 4 },
		.reported_tcb = { .bootloader = 5, .tee = 6, .snp = 7, .microcode = 8 },
		.committed_tcb = { .bootloader = 9, .tee = 10, .snp = 11, .microcode = 12 },
		.launch_tcb = { .bootloader = 13, .tee = 14, .snp = 15, .microcode = 16 },
	};
	if (r->has_cpuid) {
		r->cpuid_fam = family;
		r->cpuid_mod = 1;
		r->cpuid_step = 2;
	}
	if (r->has_mit_vector) {
		r->launch_mit_vector = 0xAABB;
		r->current_mit_vector = UINT64_C(0xCC00000000000000);
	}
	if (r->turin_layout)
		r->reported_tcb.fmc = 77;
	memset(r->family_id, 0x21, sizeof(r->family_id));
	memset(r->image_id, 0x22, sizeof(r->image_id));
	memset(r->report_data, 0x23, sizeof(r->report_data));
	memset(r->measurement, 0x24, sizeof(r->measurement));
	memset(r->host_data, 0x25, sizeof(r->host_data));
	memset(r->id_key_digest, 0x26, sizeof(r->id_key_digest));
	memset(r->author_key_digest, 0x27, sizeof(r->author_key_digest));
	memset(r->report_id, 0x28, sizeof(r->report_id));
	memset(r->report_id_ma, 0x29, sizeof(r->report_id_ma));
	memset(r->chip_id, 0x2A, sizeof(r->chip_id));
	memset(r->sig_r, 0x2B, sizeof(r->sig_r));
	memset(r->sig_s, 0x2C, sizeof(r->sig_s));
}

static void fields_stand_where_amd_put_them(void **state)
{
	static const struct {
		size_t off;
		uint8_t value;
	} at[] = {
		{ 0x000, 5 },	 { 0x004, 4 },	  { 0x008, 0x1F }, { 0x00F, 0x80 }, { 0x010, 0x21 }, { 0x02F, 0x22 },
		{ 0x030, 2 },	 { 0x034, 1 },	  { 0x038, 1 },	   { 0x039, 2 },    { 0x03E, 3 },    { 0x03F, 4 },
		{ 0x040, 0x88 }, { 0x048, 5 },	  { 0x050, 0x23 }, { 0x090, 0x24 }, { 0x0C0, 0x25 }, { 0x0E0, 0x26 },
		{ 0x110, 0x27 }, { 0x140, 0x28 }, { 0x160, 0x29 }, { 0x180, 5 },    { 0x186, 7 },    { 0x188, 0x19 },
		{ 0x189, 1 },	 { 0x18A, 2 },	  { 0x1A0, 0x2A }, { 0x1DF, 0x2A }, { 0x1E0, 9 },    { 0x1E8, 1 },
		{ 0x1E9, 2 },	 { 0x1EA, 3 },	  { 0x1EC, 4 },	   { 0x1EE, 6 },    { 0x1F0, 13 },   { 0x1F8, 0xBB },
		{ 0x207, 0xCC }, { 0x2A0, 0x2B }, { 0x2E7, 0x2B }, { 0x2E8, 0x2C }, { 0x32F, 0x2C }, { 0x330, 0 },
	};
	uint8_t raw[SNP_REPORT_SIZE];
	struct snp_report r;

	fill(&r, 5, 0x19);
	snp_report_encode(&r, raw);
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		assert_int_equal(raw[at[i].off], at[i].value);
	fill(&r, 5, 0x1A);
	snp_report_encode(&r, raw);
	assert_int_equal(raw[0x180], 77);
	assert_int_equal(raw[0x181], 5);
	assert_int_equal(raw[0x182], 6);
	assert_int_equal(raw[0x183], 7);
	assert_int_equal(raw[0x186], 0);
	assert_int_equal(raw[0x187], 8);
}

static void round_trip(void **state)
{
	static const struct {
		uint32_t version;
		uint8_t family;
	} cases[] = { { 2, 0x19 }, { 3, 0x19 }, { 4, 0x19 }, { 5, 0x19 }, { 3, 0x1A }, { 5, 0x1A } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t raw[SNP_REPORT_SIZE], again[SNP_REPORT_SIZE];
		struct snp_report r, d;

		fill(&r, cases[i].version, cases[i].family);
		snp_report_encode(&r, raw);
		assert_ok(snp_report_decode(raw, sizeof(raw), &d, &_err));
		snp_report_encode(&d, again);
		assert_memory_equal(raw, again, sizeof(raw));
		assert_int_equal(d.version, cases[i].version);
		assert_int_equal(d.reported_tcb.fmc, r.reported_tcb.fmc);
		assert_int_equal(d.reported_tcb.snp, 7);
		assert_int_equal(d.has_cpuid, cases[i].version >= 3);
		assert_int_equal(d.has_mit_vector, cases[i].version >= 5);
		assert_true(d.current_mit_vector == r.current_mit_vector);
		assert_int_equal(snp_signing_key(&d), 1);
		assert_true(snp_author_key_en(&d));
		assert_false(snp_masked_chip_key(&d));
	}
}

static void refused(void **state)
{
	uint8_t raw[SNP_REPORT_SIZE + 1] = { 0 };
	struct snp_report r, d;

	fill(&r, 3, 0x19);
	snp_report_encode(&r, raw);
	assert_fails(snp_report_decode(raw, SNP_REPORT_SIZE + 1, &d, &_err), ERR_INTEGRITY, "snp-size");
	assert_fails(snp_report_decode(raw, SNP_REPORT_SIZE - 1, &d, &_err), ERR_INTEGRITY, "snp-size");
	assert_fails(snp_report_decode(raw, 0, &d, &_err), ERR_INTEGRITY, "snp-size");
	for (uint32_t v = 0; v < 9; v++) {
		raw[0] = (uint8_t)v;
		if (v < 2 || v > 5)
			assert_fails(snp_report_decode(raw, SNP_REPORT_SIZE, &d, &_err), ERR_INTEGRITY, "snp-version");
	}
	raw[0] = 3;
	raw[3] = 1;
	assert_fails(snp_report_decode(raw, SNP_REPORT_SIZE, &d, &_err), ERR_INTEGRITY, "snp-version");
	raw[3] = 0;
	raw[0x34] = 2;
	assert_fails(snp_report_decode(raw, SNP_REPORT_SIZE, &d, &_err), ERR_INTEGRITY, "snp-sig-algo");
}

static void one_flip(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	uint8_t again[SNP_REPORT_SIZE];
	struct snp_report r;
	unsigned int *accepted = ctx;

	if (snp_report_decode(data, len, &r, NULL) < 0)
		return;
	snp_report_encode(&r, again);
	if (memcmp(again, data, len) != 0)
		fail_msg("%s: decoded, but does not encode to the same bytes", what);
	(*accepted)++;
}

/* What decodes is carried without loss; and every reserved bit is refused: 8 * (1184 - bytes that a field covers). */
static void no_bit_is_lost(void **state)
{
	const unsigned int reserved_v3 = 4 + 21 + 1 + 1 + 168 + 368 + 4 * 4;
	unsigned int accepted = 0;
	uint8_t raw[SNP_REPORT_SIZE];
	struct snp_report r;

	fill(&r, 3, 0x19);
	snp_report_encode(&r, raw);
	/* Not the version and the signature algorithm, nor the CPUID family, which moves the TCB bytes. */
	mutate_bit_flips(raw, 4, 0x34, sizeof(raw), one_flip, &accepted);
	mutate_bit_flips(raw, 0x38, 0x188, sizeof(raw), one_flip, &accepted);
	mutate_bit_flips(raw, 0x189, sizeof(raw), sizeof(raw), one_flip, &accepted);
	assert_int_equal(accepted, 8 * (SNP_REPORT_SIZE - 4 - 4 - 1 - reserved_v3));
	mutate_bit_flips(raw, 0, sizeof(raw), sizeof(raw), one_flip, &accepted);
}

static void reserved_names_the_offset(void **state)
{
	static const size_t at[] = { 0x4C, 0x18B, 0x19F, 0x1EB, 0x1EF, 0x1F8, 0x29F, 0x330, 0x49F, 0x3A, 0x185 };

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		_cleanup_err_ struct err *err = NULL;
		uint8_t raw[SNP_REPORT_SIZE];
		struct snp_report r;
		char offset[16];

		fill(&r, 4, 0x19);
		snp_report_encode(&r, raw);
		raw[at[i]] = 0x80;
		assert_true(snp_report_decode(raw, sizeof(raw), &r, &err) < 0);
		assert_string_equal(err_id(err), "snp-reserved");
		snprintf(offset, sizeof(offset), "0x%zx ", at[i]);
		assert_non_null(strstr(err_message(err), offset));
	}
}

static void generation(void **state)
{
	static const struct {
		uint8_t family, model;
		enum snp_generation want;
	} cases[] = {
		{ 0x19, 0x00, SNP_MILAN }, { 0x19, 0x0F, SNP_MILAN },  { 0x19, 0x10, SNP_GENOA },
		{ 0x19, 0x1F, SNP_GENOA }, { 0x19, 0xA0, SNP_GENOA },  { 0x19, 0xAF, SNP_GENOA },
		{ 0x19, 0x20, 0 },	   { 0x19, 0xB0, 0 },	       { 0x1A, 0x00, SNP_TURIN },
		{ 0x1A, 0x11, SNP_TURIN }, { 0x1A, 0x12, 0 },	       { 0x1A, 0x50, SNP_VENICE },
		{ 0x1A, 0x57, SNP_VENICE }, { 0x1A, 0x90, SNP_VENICE }, { 0x1A, 0xC7, SNP_VENICE },
		{ 0x1A, 0xC8, 0 },	   { 0x17, 0x01, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t raw[SNP_REPORT_SIZE];
		struct snp_report r;

		fill(&r, 3, cases[i].family);
		r.cpuid_mod = cases[i].model;
		snp_report_encode(&r, raw);
		assert_ok(snp_report_decode(raw, sizeof(raw), &r, &_err));
		assert_int_equal(r.generation, cases[i].want);
		assert_int_equal(r.turin_layout, cases[i].family >= 0x1A);
	}
	assert_string_equal(snp_generation_name(SNP_TURIN), "Turin");
	assert_string_equal(snp_generation_name(99), "unknown");
}

static void generation_of_version_2(void **state)
{
	uint8_t raw[SNP_REPORT_SIZE];
	struct snp_report r, d;

	fill(&r, 2, 0x19);
	snp_report_encode(&r, raw);
	assert_ok(snp_report_decode(raw, sizeof(raw), &d, &_err));
	assert_int_equal(d.generation, SNP_GEN_UNKNOWN);
	assert_false(d.turin_layout);
	memset(r.chip_id, 0, sizeof(r.chip_id));
	snp_report_encode(&r, raw);
	assert_ok(snp_report_decode(raw, sizeof(raw), &d, &_err));
	assert_int_equal(d.generation, SNP_GEN_UNKNOWN);
	memset(r.chip_id, 7, 8);
	r.turin_layout = true;
	snp_report_encode(&r, raw);
	assert_ok(snp_report_decode(raw, sizeof(raw), &d, &_err));
	assert_int_equal(d.generation, SNP_TURIN);
	assert_true(d.turin_layout);
	assert_int_equal(d.reported_tcb.snp, 7);
}

static void self_check(void **state)
{
	uint8_t raw[SNP_REPORT_SIZE], want[TEE_REPORT_DATA], got[TEE_REPORT_DATA];
	struct evidence ev = { .tee = TEE_SNP, .report = raw, .report_len = sizeof(raw) };
	struct snp_report r;

	fill(&r, 3, 0x19);
	snp_report_encode(&r, raw);
	memset(want, 0x23, sizeof(want));
	assert_ok(evidence_report_data(&ev, got, &_err));
	assert_memory_equal(got, want, sizeof(want));
	assert_ok(evidence_self_check(&ev, want, &_err));
	want[63] ^= 1;
	assert_fails(evidence_self_check(&ev, want, &_err), ERR_INTEGRITY, "evidence-report-data");
	raw[0x300 + 0x40] = 1;
	assert_fails(evidence_self_check(&ev, want, &_err), ERR_INTEGRITY, "snp-reserved");
	ev.tee = TEE_NONE;
	assert_fails(evidence_self_check(&ev, want, &_err), ERR_INTEGRITY, "evidence-format");
	assert_int_equal(tee_kind_by_name("snp"), TEE_SNP);
	assert_int_equal(tee_kind_by_name("tdx"), TEE_TDX);
	assert_int_equal(tee_kind_by_name("sgx"), TEE_NONE);
	assert_int_equal(tee_kind_by_name(NULL), TEE_NONE);
	assert_string_equal(tee_kind_name(TEE_NONE), "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_stand_where_amd_put_them),
		cmocka_unit_test(round_trip),
		cmocka_unit_test(refused),
		cmocka_unit_test(no_bit_is_lost),
		cmocka_unit_test(reserved_names_the_offset),
		cmocka_unit_test(generation),
		cmocka_unit_test(generation_of_version_2),
		cmocka_unit_test(self_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
