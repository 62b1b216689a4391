/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* HCL reports of real Azure machines. */
#include "tests/lib/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "evidence/hcl_report.h"
#include "tests/lib/fixture.h"
#include "tests/lib/mutate.h"
#include "wire/json.h"

static const struct {
	const char *file;
	uint32_t version;
	enum tee_kind tee;
	bool has_ek, has_user_data;
	enum hcl_fact secure_boot, persisted;
	const char *vm_id;
} reports[] = {
	{ "azure/snp-v2-a/hcl-report.bin", 1, TEE_SNP, true, true, HCL_YES, HCL_NOT_SAID, "911B0EF8-9DBA-48B0-B275-4E4DF2D39252" },
	{ "azure/snp-v2-b/hcl-report-snp.bin", 1, TEE_SNP, false, false, HCL_YES, HCL_NOT_SAID,
	  "BAEFD3E1-184B-4C4C-AB88-0BDAD260505F" },
	{ "azure/tdx-a/hcl-report.bin", 2, TEE_TDX, true, true, HCL_YES, HCL_NO, "6332533D-5649-4D02-8AA7-8F64B7C3EE21" },
	{ "azure/tdx-b/hcl-report-tdx.bin", 2, TEE_TDX, true, true, HCL_NO, HCL_NO, "D270E56B-F668-4990-A5BC-9B624576841D" },
};

/* The same inside an evidence object, as an attester sends it. */
static const struct {
	const char *file;
	enum tee_kind tee;
	uint8_t first_user_byte;
} objects[] = {
	{ "azure/snp-v3-a/evidence-v1.json", TEE_SNP, 0 },
	{ "azure/snp-v3-b/evidence-v2.json", TEE_SNP, 0x98 },
	{ "azure/tdx-a/evidence-v1.json", TEE_TDX, 0 },
};

static void must_fail(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	struct hcl_report r;

	if (hcl_report_decode(data, len, &r, NULL) == 0)
		fail_msg("%s decodes with %s", (const char *)ctx, what);
}

static void files(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(reports); i++) {
		_cleanup_json_ json_t *claims = NULL;
		_cleanup_free_ uint8_t *data = NULL;
		struct hcl_report r;
		size_t len;

		data = fixture_read(reports[i].file, &len);
		assert_ok(hcl_report_decode(data, len, &r, &_err));
		assert_int_equal(r.version, reports[i].version);
		assert_int_equal(r.tee, reports[i].tee);
		assert_int_equal(r.has_ek, reports[i].has_ek);
		assert_int_equal(r.has_user_data, reports[i].has_user_data);
		assert_int_equal(r.secure_boot, reports[i].secure_boot);
		assert_int_equal(r.tpm_persisted, reports[i].persisted);
		assert_string_equal(r.vm_id, reports[i].vm_id);
		assert_int_equal(r.ak.n_len, 256);
		assert_ok(hcl_report_claims(&r, &claims, &_err));
		/* Each byte of the headers and of the claims counts. */
		len = 0x4D4 + r.claims_len;
		mutate_bit_flips(data, 8, 0x14, len, must_fail, (void *)reports[i].file);
		mutate_bit_flips(data, 0x4C0, len, len, must_fail, (void *)reports[i].file);
		mutate_truncations(data, len, 1, must_fail, (void *)reports[i].file);
	}
}

static void evidence_objects(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		_cleanup_free_ uint8_t *raw = NULL;
		_cleanup_free_ char *text = NULL;
		_cleanup_json_ json_t *obj = NULL;
		const char *hcl;
		struct hcl_report r;
		size_t len, raw_len;

		text = (char *)fixture_read(objects[i].file, &len);
		assert_ok(json_parse(text, len, 1 << 16, false, &obj, &_err));
		assert_ok(json_get_str(obj, "evidence", "hcl_report", &hcl, &_err));
		assert_ok(b64_decode_dup(B64_URL_PAD, hcl, strlen(hcl), &raw, &raw_len, &_err));
		assert_ok(hcl_report_decode(raw, raw_len, &r, &_err));
		assert_int_equal(r.tee, objects[i].tee);
		assert_true(r.has_user_data);
		assert_int_equal(r.user_data[0], objects[i].first_user_byte);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(files), cmocka_unit_test(evidence_objects) };

	fixtures_or_skip();
	return cmocka_run_group_tests_name("hcl_fixtures", tests, NULL, NULL);
}
