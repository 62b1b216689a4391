/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static void growth(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(100000);

	assert_string_equal(buf_cstr(&b), "");
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%d,", i % 10);
	assert_true(buf_ok(&b));
	assert_int_equal(b.len, 2000);
	assert_int_equal(strlen(buf_cstr(&b)), 2000);
	assert_memory_equal(b.data, "0,1,2,3,4,5,6,7,8,9,0,", 22);
	buf_reset(&b);
	assert_int_equal(b.len, 0);
	buf_puts(&b, "x");
	buf_putc(&b, 'y');
	assert_string_equal(buf_cstr(&b), "xy");
}

static void limit(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(4);
	_cleanup_err_ struct err *e = NULL;

	buf_append(&b, "abcd", 4);
	assert_true(buf_ok(&b));
	assert_int_equal(buf_check(&b, &e), 0);
	assert_string_equal(buf_cstr(&b), "abcd");
	buf_putc(&b, 'e');
	assert_false(buf_ok(&b));
	buf_append(&b, "", 0);
	assert_false(buf_ok(&b));
	assert_null(buf_cstr(&b));
	assert_null(buf_take_str(&b));
	assert_true(buf_check(&b, &e) < 0);
	assert_int_equal(err_class(e), ERR_INTERNAL);
	buf_reset(&b);
	buf_printf(&b, "%s", "12345");
	assert_false(buf_ok(&b));
	buf_reset(&b);
	buf_put_zero(&b, 5);
	assert_false(buf_ok(&b));
}

static void zero_limit(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(0);

	assert_string_equal(buf_cstr(&b), "");
	buf_putc(&b, 'x');
	assert_false(buf_ok(&b));
}

static void take(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(10);
	char *s;

	buf_puts(&b, "abc");
	s = buf_take_str(&b);
	assert_string_equal(s, "abc");
	free(s);
	assert_int_equal(b.len, 0);
	assert_null(b.data);
	assert_int_equal(b.max, 10);
	buf_puts(&b, "again");
	assert_true(buf_ok(&b));
}

static void integers(void **state)
{
	static const uint8_t want[] = { 1, 2, 1, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1, 1, 2, 1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0 };
	_cleanup_buf_ struct buf b = BUF_INIT(64);
	struct rd r;
	uint8_t two[2];

	buf_put_u8(&b, 1);
	buf_put_u16le(&b, 0x0102);
	buf_put_u32le(&b, 0x01020304);
	buf_put_u64le(&b, UINT64_C(0x0102030405060708));
	buf_put_u16be(&b, 0x0102);
	buf_put_u32be(&b, 0x01020304);
	buf_put_u64be(&b, UINT64_C(0x0102030405060708));
	buf_put_zero(&b, 2);
	assert_int_equal(b.len, sizeof(want));
	assert_memory_equal(b.data, want, sizeof(want));

	r = (struct rd)RD_INIT(b.data, b.len);
	assert_int_equal(rd_u8(&r), 1);
	assert_int_equal(rd_u16le(&r), 0x0102);
	assert_int_equal(rd_u32le(&r), 0x01020304);
	assert_true(rd_u64le(&r) == UINT64_C(0x0102030405060708));
	assert_int_equal(rd_u16be(&r), 0x0102);
	assert_int_equal(rd_u32be(&r), 0x01020304);
	assert_true(rd_u64be(&r) == UINT64_C(0x0102030405060708));
	assert_int_equal(rd_left(&r), 2);
	rd_copy(&r, two, 2);
	assert_memory_equal(two, "\0\0", 2);
	assert_false(r.bad);
	rd_seek(&r, 0);
	rd_skip(&r, 1);
	assert_ptr_equal(rd_ref(&r, 2), b.data + 1);
	assert_false(r.bad);
}

/* Every kind of read at every length too short for it: zero, bad, and bad for good. */
static void short_reads(void **state)
{
	static const uint8_t ff[8] = { 255, 255, 255, 255, 255, 255, 255, 255 };

	for (size_t len = 0; len < 8; len++) {
		uint8_t *p = malloc(len ? len : 1);
		uint8_t out[8];
		struct rd r;

		memcpy(p, ff, len);
#define SHORT(need, call)                                       \
	do {                                                    \
		r = (struct rd)RD_INIT(p, len);                 \
		if (len < (need)) {                             \
			assert_true((call) == 0);               \
			assert_true(r.bad);                     \
			rd_seek(&r, 0);                         \
			assert_int_equal(rd_u8(&r), 0);         \
			assert_int_equal(rd_left(&r), 0);       \
		} else {                                        \
			assert_true((call) != 0);               \
			assert_false(r.bad);                    \
		}                                               \
	} while (0)
		SHORT(1, rd_u8(&r));
		SHORT(2, rd_u16le(&r));
		SHORT(2, rd_u16be(&r));
		SHORT(4, rd_u32le(&r));
		SHORT(4, rd_u32be(&r));
		SHORT(8, rd_u64le(&r));
		SHORT(8, rd_u64be(&r));
		r = (struct rd)RD_INIT(p, len);
		memset(out, 1, sizeof(out));
		rd_copy(&r, out, len + 1);
		assert_true(all_zero(out, len + 1));
		assert_true(r.bad);
		r = (struct rd)RD_INIT(p, len);
		rd_skip(&r, SIZE_MAX);
		assert_true(r.bad);
		r = (struct rd)RD_INIT(p, len);
		rd_seek(&r, len);
		assert_false(r.bad);
		rd_seek(&r, len + 1);
		assert_true(r.bad);
		free(p);
	}
}

static void zeros(void **state)
{
	assert_true(all_zero("", 0));
	assert_true(all_zero("\0\0\0", 3));
	assert_false(all_zero("\0\0\1", 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(growth),   cmocka_unit_test(limit),	   cmocka_unit_test(zero_limit), cmocka_unit_test(take),
		cmocka_unit_test(integers), cmocka_unit_test(short_reads), cmocka_unit_test(zeros),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
