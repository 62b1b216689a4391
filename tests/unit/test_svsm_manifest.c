/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/lib/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "evidence/svsm_manifest.h"
#include "tests/lib/mutate.h"
#include "tests/lib/svsm_sample.h"

static uint8_t modulus[256];

static int setup(void **state)
{
	for (size_t i = 0; i < sizeof(modulus); i++)
		modulus[i] = (uint8_t)(0xc1 + i);
	return 0;
}

static void one_service(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(4096);
	struct svsm_ek ek;
	char hex[69];

	svsm_sample_ek(modulus, &b);
	assert_int_equal(b.len, 314);
	assert_false(svsm_manifest_is_table(b.data, b.len));
	assert_ok(svsm_manifest_ek(b.data, b.len, &ek, &_err));
	assert_int_equal(ek.key.n_len, 256);
	assert_memory_equal(ek.key.n, modulus, 256);
	assert_int_equal(ek.key.e_len, 3);
	assert_memory_equal(ek.key.e, "\1\0\1", 3);
	assert_int_equal(ek.attributes, 0x300B2);
	hex_encode(ek.name, sizeof(ek.name), hex);
	/* openssl dgst -sha256 of the 314 bytes */
	assert_string_equal(hex, "000b4e93e1b1b236913e38f2929764989e796c53ff05b4b9f456adec4a56e4c611ac");
}

static void nonce_and_manifest(void **state)
{
	uint8_t nonce[64], out[64], other[64];
	char hex[129];

	memset(nonce, 0x11, sizeof(nonce));
	assert_ok(svsm_manifest_report_data(nonce, (const uint8_t *)"manifest", 8, out, &_err));
	hex_encode(out, sizeof(out), hex);
	assert_string_equal(hex, 
			    "ba33b149dcef92de5a918abc017b9041da62b10364520e5607a26943c98f215d"
			    "86b0f172ca26b73fe57aa742d7c183b1937db292766f23e01c1aebe51bdb398b");
	nonce[63] ^= 1;
	assert_ok(svsm_manifest_report_data(nonce, (const uint8_t *)"manifest", 8, other, &_err));
	assert_memory_not_equal(out, other, 64);
}

static void table(void **state)
{
	_cleanup_buf_ struct buf ek = BUF_INIT(4096), b = BUF_INIT(8192), none = BUF_INIT(8192), twice = BUF_INIT(8192);
	const uint8_t *p;
	struct svsm_ek got;
	size_t n;

	svsm_sample_ek(modulus, &ek);
	const struct svsm_sample_entry two[] = { { svsm_guid_uefi_mm, "mm", 2 }, { svsm_guid_vtpm, ek.data, ek.len } };
	const struct svsm_sample_entry same[] = { two[1], two[1] };

	svsm_sample_table(two, 2, &b);
	assert_true(svsm_manifest_is_table(b.data, b.len));
	assert_ok(svsm_manifest_find(b.data, b.len, "a4453a59-9e1b-4787-a033-1986d6adbe55", &p, &n, &_err));
	assert_int_equal(n, 2);
	assert_memory_equal(p, "mm", 2);
	assert_ok(svsm_manifest_ek(b.data, b.len, &got, &_err));
	assert_memory_equal(got.key.n, modulus, 256);

	svsm_sample_table(two, 1, &none);
	assert_fails(svsm_manifest_ek(none.data, none.len, &got, &_err), ERR_INTEGRITY, "svsm-service");
	svsm_sample_table(same, 2, &twice);
	assert_fails(svsm_manifest_ek(twice.data, twice.len, &got, &_err), ERR_INTEGRITY, "svsm-manifest");
}

/* A word of the table changed. */
static void table_bounds(void **state)
{
	static const struct {
		size_t off;
		uint32_t value;
	} t[] = {
		{ 16, 0 }, { 16, 0xFFFFFFFF }, { 20, 2 }, { 20, 0xFFFFFFFF }, { 40, 0 }, { 40, 47 }, { 40, 0xFFFFFFFF },
		{ 44, 0xFFFFFFFF }, { 44, 315 },
	};
	_cleanup_buf_ struct buf ek = BUF_INIT(4096), b = BUF_INIT(8192);
	struct svsm_sample_entry e = { .guid = svsm_guid_vtpm };
	struct svsm_ek got;

	svsm_sample_ek(modulus, &ek);
	e.data = ek.data;
	e.len = ek.len;
	svsm_sample_table(&e, 1, &b);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		_cleanup_free_ uint8_t *copy = malloc(b.len);

		assert_non_null(copy);
		memcpy(copy, b.data, b.len);
		for (size_t k = 0; k < 4; k++)
			copy[t[i].off + k] = (uint8_t)(t[i].value >> (8 * k));
		assert_fails(svsm_manifest_ek(copy, b.len, &got, &_err), ERR_INTEGRITY, "svsm-manifest");
	}
}

static void is_another_key(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	struct svsm_ek got;

	/* What still decodes has another name: nothing in it is without meaning. */
	if (svsm_manifest_ek(data, len, &got, NULL) == 0 && memcmp(got.name, ctx, sizeof(got.name)) == 0)
		fail_msg("same key with %s", what);
}

static void must_fail(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	struct svsm_ek got;

	if (svsm_manifest_ek(data, len, &got, NULL) == 0)
		fail_msg("decodes with %s", what);
}

static void flips_and_truncations(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(4096);
	struct svsm_ek ek;

	svsm_sample_ek(modulus, &b);
	assert_ok(svsm_manifest_ek(b.data, b.len, &ek, &_err));
	mutate_bit_flips(b.data, 0, b.len, b.len, is_another_key, ek.name);
	mutate_truncations(b.data, b.len, 1, must_fail, NULL);
	buf_put_u8(&b, 0); /* something follows */
	must_fail(b.data, b.len, "one more byte", NULL);
}

static void not_such_a_key(void **state)
{
	static const uint32_t attributes[] = { 0x000300B0, 0x000300A2, 0x00030092, 0x000200B2, 0x000100B2, 0x000700B2 };
	_cleanup_buf_ struct buf b = BUF_INIT(4096);
	struct svsm_ek got;

	svsm_sample_ek(modulus, &b);
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		for (size_t k = 0; k < 4; k++)
			b.data[4 + k] = (uint8_t)(attributes[i] >> (24 - 8 * k));
		assert_fails(svsm_manifest_ek(b.data, b.len, &got, &_err), ERR_INTEGRITY, "svsm-ek");
	}
	assert_fails(svsm_manifest_ek((const uint8_t *)"", 0, &got, &_err), ERR_INTEGRITY, "svsm-ek");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_service),	       cmocka_unit_test(nonce_and_manifest), cmocka_unit_test(table),
		cmocka_unit_test(table_bounds),	       cmocka_unit_test(flips_and_truncations),
		cmocka_unit_test(not_such_a_key),
	};

	return cmocka_run_group_tests_name("svsm_manifest", tests, setup, NULL);
}
