/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/lib/check.h"

#include <string.h>

#include "evidence/tdx_quote.h"
#include "tests/lib/mutate.h"
#include "tests/lib/testpki.h"

static int make(void **state)
{
	struct testpki *pki;
	struct err *err = NULL;

	if (testpki_open(NULL, &pki, &err) < 0) {
		print_message("%s\n", err_message(err));
		return -1;
	}
	*state = pki;
	return 0;
}

static int drop(void **state)
{
	testpki_free(*state);
	return 0;
}

static void quote(const struct testpki *pki, unsigned int version, bool td15, struct buf *out)
{
	struct testpki_tdx t;

	testpki_tdx_template(pki, &t);
	t.version = version;
	t.body.has_15 = td15;
	t.body.seam_attributes = 1;
	t.body.mrsignerseam[47] = 2;
	t.body.mrconfigid[0] = 3;
	t.body.mrowner[0] = 4;
	t.body.mrownerconfig[0] = 5;
	t.body.report_data[63] = 6;
	t.body.tee_tcb_svn2[0] = 7;
	t.body.mrservicetd[47] = 8;
	assert_ok(testpki_tdx_sign(pki, &t, out, &_err));
}

static void fields(void **state)
{
	static const struct {
		unsigned int version;
		bool td15;
		size_t signed_len;
	} cases[] = { { 4, false, 632 }, { 5, false, 638 }, { 5, true, 702 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(TDX_QUOTE_MAX);
		struct tdx_quote q;

		quote(*state, cases[i].version, cases[i].td15, &b);
		assert_ok(tdx_quote_decode(b.data, b.len, &q, &_err));
		assert_int_equal(q.version, cases[i].version);
		assert_int_equal(q.body_type, cases[i].td15 ? 3 : 2);
		assert_int_equal(q.signed_len, cases[i].signed_len);
		assert_ptr_equal(q.signed_bytes, b.data);
		assert_int_equal(q.total_len, b.len);
		assert_int_equal(q.body.tee_tcb_svn[0], 5);
		assert_int_equal(q.body.mrseam[47], 0x5E);
		assert_int_equal(q.body.mrsignerseam[47], 2);
		assert_true(q.body.seam_attributes == 1);
		assert_true(q.body.td_attributes == TDX_ATTR_SEPT_VE_DISABLE);
		assert_true(q.body.xfam == 0x600E7);
		assert_int_equal(q.body.mrtd[0], 0x4D);
		assert_int_equal(q.body.mrconfigid[0], 3);
		assert_int_equal(q.body.mrowner[0], 4);
		assert_int_equal(q.body.mrownerconfig[0], 5);
		for (size_t k = 0; k < 4; k++)
			assert_int_equal(q.body.rtmr[k][47], 0xA0 + k);
		assert_int_equal(q.body.report_data[63], 6);
		assert_int_equal(q.body.tee_tcb_svn2[0], cases[i].td15 ? 7 : 0);
		assert_int_equal(q.body.mrservicetd[47], cases[i].td15 ? 8 : 0);
		assert_int_equal(q.qe.mrsigner[0], 0xDC);
		assert_int_equal(q.qe.isvprodid, 2);
		assert_int_equal(q.qe.isvsvn, 7);
		assert_int_equal(q.qe.attributes[0], 0x15);
		assert_int_equal(q.qe_auth_len, 32);
		assert_int_equal(q.qe_auth[31], 31);
		assert_memory_equal(q.pck_pem, "-----BEGIN CERTIFICATE-----", 27);
		assert_ptr_equal(q.pck_pem + q.pck_pem_len, b.data + b.len);
	}
}

/* Hosts hand back a buffer larger than the quote (tee-evidence.md 3.3). */
static void padding_may_follow(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(TDX_QUOTE_MAX + 10);
	struct tdx_quote q;
	size_t len;

	quote(*state, 4, false, &b);
	len = b.len;
	buf_puts(&b, "anything");
	assert_ok(tdx_quote_decode(b.data, b.len, &q, &_err));
	assert_int_equal(q.total_len, len);
	buf_put_zero(&b, TDX_QUOTE_MAX + 1 - b.len);
	assert_fails(tdx_quote_decode(b.data, b.len, &q, &_err), ERR_INTEGRITY, "tdx-structure");
}

static void refused(void **state)
{
	static const struct {
		size_t off;
		uint8_t value;
		const char *id;
	} v5[] = {
		{ 0, 3, "tdx-version" },      { 0, 6, "tdx-version" },	    { 1, 1, "tdx-version" },
		{ 2, 3, "tdx-structure" },    { 4, 0, "tdx-structure" },    { 48, 1, "tdx-structure" },
		{ 48, 2, "tdx-structure" },   { 48, 4, "tdx-structure" },   { 50, 0x48, "tdx-structure" },
		{ 705, 0x01, "tdx-truncated" }, { 834, 5, "tdx-structure" }, { 839, 1, "tdx-structure" },
		{ 840 + 448, 31, "tdx-structure" }, { 840 + 449, 0xFF, "tdx-truncated" },
		{ 840 + 450 + 32, 4, "tdx-structure" },
	};

	for (size_t i = 0; i < sizeof(v5) / sizeof(v5[0]); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(TDX_QUOTE_MAX);
		struct tdx_quote q;

		quote(*state, 5, true, &b);
		b.data[v5[i].off] = v5[i].value;
		assert_fails(tdx_quote_decode(b.data, b.len, &q, &_err), ERR_INTEGRITY, v5[i].id);
	}
}

/* Signature data one byte shorter than what it holds. */
static void hidden_bytes(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(TDX_QUOTE_MAX);
	struct tdx_quote q;
	uint16_t len;

	quote(*state, 5, true, &b);
	memcpy(&len, b.data + 702, 2);
	len--;
	memcpy(b.data + 702, &len, 2);
	assert_fails(tdx_quote_decode(b.data, b.len, &q, &_err), ERR_INTEGRITY, "tdx-structure");
}

static void must_fail(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	struct tdx_quote q;

	if (tdx_quote_decode(data, len, &q, NULL) == 0)
		fail_msg("%s: decoded", what);
}

static void any(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	struct tdx_quote q;

	if (tdx_quote_decode(data, len, &q, NULL) < 0)
		return;
	if ((const uint8_t *)q.pck_pem + q.pck_pem_len > data + len || q.qe_auth + q.qe_auth_len > data + len ||
	    q.qe_report_raw + 384 > data + len || q.total_len > len)
		fail_msg("%s: pointers outside", what);
}

static void cuts_and_flips(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(TDX_QUOTE_MAX);

	quote(*state, 5, true, &b);
	mutate_truncations(b.data, b.len, 1, must_fail, NULL);
	mutate_bit_flips(b.data, 0, b.len, b.len, any, NULL);
	b.len = 0;
	quote(*state, 4, false, &b);
	mutate_truncations(b.data, b.len, 7, must_fail, NULL);
	mutate_bit_flips(b.data, 0, 1400, b.len, any, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(padding_may_follow),
		cmocka_unit_test(refused),
		cmocka_unit_test(hidden_bytes),
		cmocka_unit_test(cuts_and_flips),
	};

	return cmocka_run_group_tests(tests, make, drop);
}
