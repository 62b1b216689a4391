/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/lib/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "crypto/digest.h"
#include "evidence/hcl_stored.h"
#include "tests/lib/hcl_sample.h"
#include "tests/lib/mutate.h"
#include "wire/json.h"

#define CONFIGURATION "{\"console-enabled\":true,\"secure-boot\":true,\"tpm-enabled\":true,\"tpm-persisted\":false,\"vmUniqueId\":\"VM-1\"}"

static struct public_key ak, ek;
static uint8_t user_data[64];

static int setup(void **state)
{
	ak = (struct public_key){ .rsa = true, .n_len = 256, .e = { 1, 0, 1 }, .e_len = 3 };
	memset(ak.n, 0xc5, ak.n_len);
	ek = ak;
	memset(ek.n, 0xd3, ek.n_len);
	memset(user_data, 0x5a, 40);
	return 0;
}

/* An SNP or TDX report that is bound, but not signed. */
static void make(enum tee_kind tee, const char *claims, struct buf *out)
{
	uint8_t hw[SNP_REPORT_SIZE] = { 2 };

	if (tee == TEE_TDX)
		hcl_sample_tdreport(hw);
	else
		hw[0x34] = 1;
	hcl_sample_bind(tee, hw, claims, strlen(claims));
	hcl_sample_wrap(2, tee, hw, claims, strlen(claims), out);
}

static void make_usual(enum tee_kind tee, struct buf *out)
{
	const struct hcl_sample s = { .ak = &ak, .ek = &ek, .user_data = user_data, .configuration = CONFIGURATION };
	_cleanup_buf_ struct buf claims = BUF_INIT(HCL_CLAIMS_MAX);

	assert_ok(hcl_sample_claims(&s, &claims, &_err));
	make(tee, buf_cstr(&claims), out);
}

static void both_kinds(void **state)
{
	static const enum tee_kind kinds[] = { TEE_SNP, TEE_TDX };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(HCL_REPORT_MAX);
		_cleanup_json_ json_t *claims = NULL;
		struct hcl_report r;

		make_usual(kinds[i], &b);
		buf_put_zero(&b, 100); /* the rest of the index */
		assert_true(hcl_report_is(b.data, b.len));
		assert_ok(hcl_report_decode(b.data, b.len, &r, &_err));
		assert_int_equal(r.tee, kinds[i]);
		assert_int_equal(r.version, 2);
		assert_int_equal(r.hardware_len, kinds[i] == TEE_SNP ? 1184 : 1024);
		assert_memory_equal(r.ak.n, ak.n, 256);
		assert_true(r.has_ek);
		assert_memory_equal(r.ek.n, ek.n, 256);
		assert_int_equal(r.secure_boot, HCL_YES);
		assert_int_equal(r.tpm_persisted, HCL_NO);
		assert_string_equal(r.vm_id, "VM-1");
		assert_true(r.has_user_data);
		assert_memory_equal(r.user_data, user_data, sizeof(user_data));
		assert_ok(hcl_report_claims(&r, &claims, &_err));
		assert_string_equal(json_string_value(json_object_get(claims, "format")), "azure-hcl");
		assert_true(json_is_false(json_object_get(claims, "tpm_persisted")));
		assert_non_null(json_object_get(json_object_get(claims, "hardware"), "report_data"));
		if (kinds[i] == TEE_TDX) {
			assert_int_equal(r.mrtd[0], 0xa7);
			assert_ptr_equal(r.rtmr[3], r.hardware + 512 + 352);
		}
	}
}

#define KEY(kid) "{\"kid\":\"" kid "\",\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"%s\"}"

/* %s in the claims: a good modulus. */
static void claims_are(const char *fmt, const char *id)
{
	_cleanup_buf_ struct buf b = BUF_INIT(HCL_REPORT_MAX), text = BUF_INIT(HCL_CLAIMS_MAX);
	static char n[343];
	struct hcl_report r;

	memset(n, 'x', 342);
	n[341] = 'w'; /* no bits beyond the last byte */
	for (const char *p = fmt; *p; p++) {
		if (p[0] == '%' && p[1] == 's') {
			buf_puts(&text, n);
			p++;
		} else {
			buf_putc(&text, *p);
		}
	}
	make(TEE_SNP, buf_cstr(&text), &b);
	if (id)
		assert_fails(hcl_report_decode(b.data, b.len, &r, &_err), ERR_INTEGRITY, id);
	else
		assert_ok(hcl_report_decode(b.data, b.len, &r, &_err));
}

static void claims_are_strict(void **state)
{
	static const char bad[] = "hcl-claims";

	claims_are("{\"keys\":[" KEY("HCLAkPub") "]}", NULL);
	claims_are("{\"keys\":[{\"kid\":\"other\"}," KEY("HCLAkPub") "],\"new\":[1,null]}", NULL);
	claims_are("{\"keys\":[" KEY("HCLAkPub") "],\"user-data\":\"\"}", NULL);
	claims_are("{\"keys\":[" KEY("HCLAkPub") "],\"vm-configuration\":{}}", NULL);
	claims_are("{\"keys\":[" KEY("HCLAkPub") "," KEY("HCLAkPub") "]}", bad);
	claims_are("{\"keys\":[" KEY("HCLEkPub") "," KEY("HCLEkPub") "," KEY("HCLAkPub") "]}", bad);
	claims_are("{\"keys\":[" KEY("HCLEkPub") "]}", bad);
	claims_are("{\"keys\":[" KEY("HCLAkPub") "],\"keys\":[]}", bad);
	claims_are("{\"keys\":{}}", bad);
	claims_are("{\"keys\":[1]}", bad);
	claims_are("{\"keys\":[]}", bad);
	claims_are("{}", bad);
	claims_are("[]", bad);
	claims_are("{\"keys\":[{\"kid\":\"HCLAkPub\",\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"AQAB\"}]}", bad);
	claims_are("{\"keys\":[{\"kid\":\"HCLAkPub\",\"kty\":\"EC\",\"crv\":\"P-256\","
		   "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]}", bad);
	claims_are("{\"keys\":[" KEY("HCLAkPub") "],\"user-data\":\"0\"}", bad);
	claims_are("{\"keys\":[" KEY("HCLAkPub") "],\"user-data\":\"0g\"}", bad);
	claims_are("{\"keys\":[" KEY("HCLAkPub") "],\"user-data\":1}", bad);
	claims_are("{\"keys\":[" KEY("HCLAkPub") "],\"vm-configuration\":{\"secure-boot\":\"true\"}}", bad);
	claims_are("{\"keys\":[" KEY("HCLAkPub") "],\"vm-configuration\":{\"vmUniqueId\":7}}", bad);
	claims_are("{\"keys\":[" KEY("HCLAkPub") "]} x", bad);
	claims_are("{\"keys\":[" KEY("HCLAkPub") "],\"r\":1.5}", bad);
}

static void too_many_keys(void **state)
{
	_cleanup_buf_ struct buf text = BUF_INIT(HCL_CLAIMS_MAX);

	buf_puts(&text, "{\"keys\":[" KEY("HCLAkPub"));
	for (int i = 0; i < HCL_KEYS_MAX; i++)
		buf_puts(&text, ",{\"kid\":\"more\"}");
	buf_puts(&text, "]}");
	claims_are(buf_cstr(&text), "hcl-claims");
}

static void user_data_too_long(void **state)
{
	_cleanup_buf_ struct buf text = BUF_INIT(HCL_CLAIMS_MAX);

	buf_puts(&text, "{\"keys\":[" KEY("HCLAkPub") "],\"user-data\":\"");
	for (int i = 0; i < 65; i++)
		buf_puts(&text, "00");
	buf_puts(&text, "\"}");
	claims_are(buf_cstr(&text), "hcl-claims");
}

/* One little-endian word of the headers at a time. */
static void headers(void **state)
{
	static const struct {
		size_t off;
		uint32_t value;
		const char *id;
	} t[] = {
		{ 0, 0x414C4349, "hcl-structure" },  { 4, 0, "hcl-version" },	   { 4, 3, "hcl-version" },
		{ 8, 0, "hcl-structure" },	     { 0xC, 1, "hcl-structure" },  { 0x10, 1, "hcl-status" },
		{ 0x4C0, 19, "hcl-structure" },	     { 0x4C4, 2, "hcl-version" },  { 0x4C8, 3, "hcl-structure" },
		{ 0x4C8, 4, "hcl-structure" },	     { 0x4CC, 0, "hcl-structure" }, { 0x4CC, 4, "hcl-structure" },
		{ 0x4CC, 2, "hcl-binding" },	     { 0x4CC, 3, "hcl-binding" },  { 0x4D0, 0, "hcl-structure" },
		{ 0x4D0, 0xFFFFFFFF, "hcl-structure" }, { 0x4C0, 0xFFFFFFFF, "hcl-structure" },
	};
	_cleanup_buf_ struct buf b = BUF_INIT(HCL_REPORT_MAX);
	struct hcl_report r;

	make_usual(TEE_SNP, &b);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		_cleanup_free_ uint8_t *copy = malloc(b.len);

		assert_non_null(copy);
		memcpy(copy, b.data, b.len);
		for (int k = 0; k < 4; k++)
			copy[t[i].off + (size_t)k] = (uint8_t)(t[i].value >> (8 * k));
		assert_fails(hcl_report_decode(copy, b.len, &r, &_err), ERR_INTEGRITY, t[i].id);
	}
}

/* SHA-384 and SHA-512 fill more of the report data. */
static void longer_hashes(void **state)
{
	static const enum digest_alg algs[] = { DIGEST_SHA384, DIGEST_SHA512 };
	_cleanup_buf_ struct buf b = BUF_INIT(HCL_REPORT_MAX);
	struct hcl_report r;

	make_usual(TEE_SNP, &b);
	for (size_t i = 0; i < ARRAY_SIZE(algs); i++) {
		uint8_t d[DIGEST_MAX], *rd = b.data + 0x20 + SNP_OFF_REPORT_DATA;

		assert_ok(digest_bytes(algs[i], b.data + 0x4D4, b.len - 0x4D4, d, &_err));
		memset(rd, 0, 64);
		memcpy(rd, d, digest_size(algs[i]));
		b.data[0x4CC] = (uint8_t)(2 + i);
		assert_ok(hcl_report_decode(b.data, b.len, &r, &_err));
		b.data[0x4CC] = 1;
		assert_fails(hcl_report_decode(b.data, b.len, &r, &_err), ERR_INTEGRITY, "hcl-binding");
	}
	/* The right hash, and something behind it. */
	hcl_sample_bind(TEE_SNP, b.data + 0x20, b.data + 0x4D4, b.len - 0x4D4);
	b.data[0x20 + SNP_OFF_REPORT_DATA + 63] = 1;
	assert_fails(hcl_report_decode(b.data, b.len, &r, &_err), ERR_INTEGRITY, "hcl-binding");
}

static void must_fail(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	struct hcl_report r;

	if (hcl_report_decode(data, len, &r, NULL) == 0)
		fail_msg("decodes with %s", what);
}

static void flips_and_truncations(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(HCL_REPORT_MAX);

	make_usual(TEE_TDX, &b);
	mutate_truncations(b.data, b.len, 1, must_fail, NULL);
	mutate_bit_flips(b.data, 0, 4, b.len, must_fail, NULL);
	mutate_bit_flips(b.data, 8, 0x14, b.len, must_fail, NULL); /* 0x14: reserved */
	mutate_bit_flips(b.data, 0x20 + 128, 0x20 + 192, b.len, must_fail, NULL);
	mutate_bit_flips(b.data, 0x4C0, b.len, b.len, must_fail, NULL);
}

/* --- a report and a quote in one object --- */

static void stored(void **state)
{
	static const struct {
		const char *text, *id; /* %s: a good report */
	} bad[] = {
		{ "{\"hcl_report\":\"%s\"}", "hcl-stored" },
		{ "{\"hcl_report\":\"%s\",\"td_quote\":\"\"}", "hcl-stored" },
		{ "{\"hcl_report\":\"%s\",\"td_quote\":\"BAA\"}x", "hcl-stored" },
		{ "{\"hcl_report\":\"%s\",\"td_quote\":\"B!AA\"}", "hcl-stored" },
		{ "{\"hcl_report\":\"%s\",\"td_quote\":7}", "hcl-stored" },
		{ "{\"hcl_report\":\"%sAAAA\",\"hcl_report\":\"\",\"td_quote\":\"BAAC\"}", "hcl-stored" },
		{ "{\"hcl_report\":\"SENMQQ==\",\"td_quote\":\"BAAC\",\"x\":\"%s\"}", "hcl-structure" },
		{ "[\"%s\"]", "hcl-stored" },
	};
	_cleanup_buf_ struct buf b = BUF_INIT(HCL_REPORT_MAX);
	static const enum b64_form forms[] = { B64_URL, B64_URL_PAD };

	make_usual(TEE_TDX, &b);
	for (size_t i = 0; i < ARRAY_SIZE(forms) + ARRAY_SIZE(bad); i++) {
		const bool good = i < ARRAY_SIZE(forms);
		_cleanup_free_ char *text = b64_encode_dup(forms[good ? i : 0], b.data, b.len);
		const char *fmt = good ? "{\"hcl_report\":\"%s\",\"td_quote\":\"BAAC\",\"more\":null}" : bad[i - 2].text;
		_cleanup_buf_ struct buf object = BUF_INIT(65536);
		struct hcl_stored s = { 0 };
		const char *at = strstr(fmt, "%s");

		buf_append(&object, fmt, (size_t)(at - fmt));
		buf_puts(&object, text);
		buf_puts(&object, at + 2);
		assert_int_equal(hcl_stored_is(object.data, object.len), fmt[0] == '{');
		if (!good) {
			assert_fails(hcl_stored_load(object.data, object.len, &s, &_err), ERR_INTEGRITY, bad[i - 2].id);
			continue;
		}
		assert_ok(hcl_stored_load(object.data, object.len, &s, &_err));
		assert_int_equal(s.report.tee, TEE_TDX);
		assert_int_equal(s.quote_len, 3);
		assert_memory_equal(s.quote, "\4\0\2", 3);
		hcl_stored_clear(&s);
	}
	assert_false(hcl_stored_is((const uint8_t *)"-----BEGIN", 10));
	assert_true(hcl_stored_is((const uint8_t *)" \n{", 3));
	assert_false(hcl_stored_is((const uint8_t *)" ", 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_kinds),	   cmocka_unit_test(claims_are_strict), cmocka_unit_test(too_many_keys),
		cmocka_unit_test(user_data_too_long), cmocka_unit_test(headers),	cmocka_unit_test(longer_hashes),
		cmocka_unit_test(flips_and_truncations), cmocka_unit_test(stored),
	};

	return cmocka_run_group_tests_name("hcl_report", tests, setup, NULL);
}
