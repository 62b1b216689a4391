/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/lib/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "evidence/cert_table.h"
#include "evidence/evidence.h"
#include "tests/lib/mutate.h"

static const uint8_t vcek_guid[16] = { 0x63, 0xDA, 0x75, 0x8D, 0xE6, 0x64, 0x45, 0x64,
				       0xAD, 0xC5, 0xF4, 0xB9, 0x3B, 0xE8, 0xAC, 0xCD };

static void entry(struct buf *b, const uint8_t guid[static 16], uint32_t off, uint32_t len)
{
	buf_append(b, guid, 16);
	buf_put_u32le(b, off);
	buf_put_u32le(b, len);
}

static int decode(const struct buf *b, struct cert_entry *out, size_t *n, struct err **err)
{
	return cert_table_decode(b->data, b->len, out, n, err);
}

static void round_trip(void **state)
{
	const struct cert_entry in[] = {
		{ .kind = CERT_VLEK, .der = (const uint8_t *)"leaf", .der_len = 4 },
		{ .kind = CERT_ASK, .der = (const uint8_t *)"intermediate", .der_len = 12 },
		{ .kind = CERT_ARK, .der = (const uint8_t *)"r", .der_len = 1 },
		{ .kind = CERT_CRL, .der = (const uint8_t *)"crl", .der_len = 3 },
		{ .kind = CERT_OTHER, .guid = { 1, 2, 3 }, .der = (const uint8_t *)"other", .der_len = 5 },
	};
	struct cert_entry out[CERT_TABLE_ENTRIES_MAX];
	_cleanup_buf_ struct buf b = BUF_INIT(CERT_TABLE_MAX);
	size_t n;

	assert_ok(cert_table_encode(in, 5, &b, &_err));
	buf_put_zero(&b, 4096 - b.len);
	assert_ok(decode(&b, out, &n, &_err));
	assert_int_equal(n, 5);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(out[i].kind, in[i].kind);
		assert_int_equal(out[i].der_len, in[i].der_len);
		assert_memory_equal(out[i].der, in[i].der, in[i].der_len);
	}
	assert_memory_equal(out[4].guid, in[4].guid, 16);
	assert_string_equal(cert_kind_name(out[0].kind), "VLEK");
	assert_string_equal(cert_kind_name(out[4].kind), "OTHER");
}

static void guid_in_printed_order(void **state)
{
	const struct cert_entry in = { .kind = CERT_VCEK, .der = (const uint8_t *)"x", .der_len = 1 };
	_cleanup_buf_ struct buf b = BUF_INIT(CERT_TABLE_MAX);

	assert_ok(cert_table_encode(&in, 1, &b, &_err));
	assert_memory_equal(b.data, vcek_guid, 16);
}

static void nothing(void **state)
{
	static const uint8_t zero[4096];
	struct cert_entry out[CERT_TABLE_ENTRIES_MAX];
	size_t n = 9;

	assert_ok(cert_table_decode(NULL, 0, out, &n, &_err));
	assert_int_equal(n, 0);
	n = 9;
	assert_ok(cert_table_decode(zero, sizeof(zero), out, &n, &_err));
	assert_int_equal(n, 0);
}

static void empty_entries_are_left_out(void **state)
{
	struct cert_entry out[CERT_TABLE_ENTRIES_MAX];
	_cleanup_buf_ struct buf b = BUF_INIT(CERT_TABLE_MAX);
	size_t n;

	entry(&b, vcek_guid, 0, 0);
	entry(&b, vcek_guid, 72, 1);
	buf_put_zero(&b, 25);
	assert_ok(decode(&b, out, &n, &_err));
	assert_int_equal(n, 1);
}

static void refused(void **state)
{
	static const struct {
		uint32_t off, len;
	} bad[] = { { 0, 4 }, { 47, 4 }, { 48, 0xFFFFFFFF }, { 0xFFFFFFFF, 2 }, { 49, 8 }, { 57, 1 } };
	struct cert_entry out[CERT_TABLE_ENTRIES_MAX];
	size_t n;

	/* 48 bytes of header, eight of data. */
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(CERT_TABLE_MAX);

		entry(&b, vcek_guid, bad[i].off, bad[i].len);
		buf_put_zero(&b, 24 + 8);
		assert_fails(decode(&b, out, &n, &_err), ERR_INTEGRITY, "cert-table");
	}
}

static void overlap_end_and_number(void **state)
{
	_cleanup_buf_ struct buf two = BUF_INIT(CERT_TABLE_MAX), open_end = BUF_INIT(CERT_TABLE_MAX),
				 many = BUF_INIT(CERT_TABLE_MAX), large = BUF_INIT(2 * CERT_TABLE_MAX);
	struct cert_entry out[CERT_TABLE_ENTRIES_MAX], in[CERT_TABLE_ENTRIES_MAX + 1] = { 0 };
	size_t n;

	entry(&two, vcek_guid, 72, 4);
	entry(&two, vcek_guid, 75, 4);
	buf_put_zero(&two, 24 + 8);
	assert_fails(decode(&two, out, &n, &_err), ERR_INTEGRITY, "cert-table");
	entry(&open_end, vcek_guid, 24, 0);
	assert_fails(decode(&open_end, out, &n, &_err), ERR_INTEGRITY, "cert-table");
	for (uint32_t i = 0; i < CERT_TABLE_ENTRIES_MAX + 1; i++)
		entry(&many, vcek_guid, 34 * 24 + i, 1);
	buf_put_zero(&many, 24 + 64);
	assert_fails(decode(&many, out, &n, &_err), ERR_INTEGRITY, "cert-table");
	buf_put_u8(&large, 1);
	buf_put_zero(&large, CERT_TABLE_MAX);
	assert_fails(decode(&large, out, &n, &_err), ERR_INTEGRITY, "cert-table");
	assert_fails(cert_table_encode(in, CERT_TABLE_ENTRIES_MAX + 1, &large, &_err), ERR_INTEGRITY, "cert-table");
	in[0] = (struct cert_entry){ .der = large.data, .der_len = CERT_TABLE_MAX - 47 };
	assert_fails(cert_table_encode(in, 1, &large, &_err), ERR_INTEGRITY, "cert-table");
}

static void any(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	struct cert_entry out[CERT_TABLE_ENTRIES_MAX];
	size_t n;

	if (cert_table_decode(data, len, out, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (out[i].der < data || out[i].der_len > len || out[i].der + out[i].der_len > data + len)
			fail_msg("%s: entry %zu outside", what, i);
}

static void flips_and_cuts_stay_inside(void **state)
{
	const struct cert_entry in[] = {
		{ .kind = CERT_VCEK, .der = (const uint8_t *)"leaf", .der_len = 4 },
		{ .kind = CERT_ASK, .der = (const uint8_t *)"intermediate", .der_len = 12 },
	};
	_cleanup_buf_ struct buf b = BUF_INIT(CERT_TABLE_MAX);

	assert_ok(cert_table_encode(in, 2, &b, &_err));
	mutate_bit_flips(b.data, 0, b.len, b.len, any, NULL);
	mutate_truncations(b.data, b.len, 1, any, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(guid_in_printed_order),
		cmocka_unit_test(nothing),
		cmocka_unit_test(empty_entries_are_left_out),
		cmocka_unit_test(refused),
		cmocka_unit_test(overlap_end_and_number),
		cmocka_unit_test(flips_and_cuts_stay_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
