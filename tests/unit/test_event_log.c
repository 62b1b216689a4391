/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/lib/check.h"

#include <string.h>

#include "base/buf.h"
#include "crypto/digest.h"
#include "evidence/event_log.h"
#include "tests/lib/mutate.h"

#define SHA256_ALG 0x000B
#define SHA384_ALG 0x000C

static void put_spec(struct buf *b)
{
	buf_put_u32le(b, 0);
	buf_put_u32le(b, 3);
	buf_put_zero(b, 20);
	buf_put_u32le(b, 16 + 8 + 4 + 8 + 1);
	buf_append(b, "Spec ID Event03", 16);
	buf_put_u32le(b, 0);
	buf_append(b, "\0\2\0\2", 4);
	buf_put_u32le(b, 2);
	buf_put_u16le(b, SHA256_ALG);
	buf_put_u16le(b, 32);
	buf_put_u16le(b, SHA384_ALG);
	buf_put_u16le(b, 48);
	buf_put_u8(b, 0);
}

static void put_event(struct buf *b, uint32_t mr, uint32_t type, uint8_t digest)
{
	buf_put_u32le(b, mr);
	buf_put_u32le(b, type);
	buf_put_u32le(b, 2);
	buf_put_u16le(b, SHA256_ALG);
	for (int i = 0; i < 32; i++)
		buf_put_u8(b, 0xEE);
	buf_put_u16le(b, SHA384_ALG);
	for (int i = 0; i < 48; i++)
		buf_put_u8(b, digest);
	buf_put_u32le(b, 5);
	buf_append(b, "event", 5);
}

static void put_log(struct buf *b)
{
	put_spec(b);
	put_event(b, 1, 0x80000001, 0x11);
	put_event(b, 1, 4, 0x12);
	put_event(b, 0, 4, 0x99); /* MRTD: not extended */
	put_event(b, 2, 3, 0x99); /* EV_NO_ACTION: not extended */
	put_event(b, 4, 0x0D, 0x44);
}

static void extend(uint8_t rtmr[static 48], uint8_t digest)
{
	uint8_t d[48], out[DIGEST_MAX];
	const struct digest_piece pieces[] = { { rtmr, 48 }, { d, 48 } };

	memset(d, digest, sizeof(d));
	assert_ok(digest_pieces(DIGEST_SHA384, pieces, 2, out, &_err));
	memcpy(rtmr, out, 48);
}

static void replays(void **state)
{
	uint8_t want[4][48] = { { 0 } }, got[4][48];
	_cleanup_buf_ struct buf b = BUF_INIT(EVENT_LOG_MAX);

	put_log(&b);
	extend(want[0], 0x11);
	extend(want[0], 0x12);
	extend(want[3], 0x44);
	assert_ok(event_log_replay(b.data, b.len, got, &_err));
	assert_memory_equal(want, got, sizeof(want));
}

static void padding_is_cut(void **state)
{
	static const uint8_t fill[] = { 0x00, 0xFF };
	uint8_t with[4][48], without[4][48];

	for (size_t i = 0; i < sizeof(fill); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(EVENT_LOG_MAX);
		size_t len, used;

		put_log(&b);
		len = b.len;
		assert_ok(event_log_replay(b.data, b.len, without, &_err));
		for (int k = 0; k < 1000; k++)
			buf_put_u8(&b, fill[i]);
		assert_ok(event_log_length(b.data, b.len, &used, &_err));
		assert_int_equal(used, len);
		assert_ok(event_log_replay(b.data, b.len, with, &_err));
		assert_memory_equal(with, without, sizeof(with));
	}
}

static void refused(void **state)
{
	_cleanup_buf_ struct buf foreign_alg = BUF_INIT(65536), no_spec = BUF_INIT(65536), mr5 = BUF_INIT(65536),
				 no_sha384 = BUF_INIT(65536), large = BUF_INIT(2 * EVENT_LOG_MAX);
	uint8_t rtmr[4][48];
	size_t used;

	put_event(&no_spec, 1, 4, 1);
	assert_fails(event_log_length(no_spec.data, no_spec.len, &used, &_err), ERR_INTEGRITY, "event-log");
	put_spec(&mr5);
	put_event(&mr5, 5, 4, 1);
	assert_fails(event_log_replay(mr5.data, mr5.len, rtmr, &_err), ERR_INTEGRITY, "event-log");
	put_spec(&no_sha384);
	buf_put_u32le(&no_sha384, 1);
	buf_put_u32le(&no_sha384, 4);
	buf_put_zero(&no_sha384, 8);
	assert_fails(event_log_replay(no_sha384.data, no_sha384.len, rtmr, &_err), ERR_INTEGRITY, "event-log");
	put_spec(&foreign_alg);
	buf_put_u32le(&foreign_alg, 1);
	buf_put_u32le(&foreign_alg, 4);
	buf_put_u32le(&foreign_alg, 1);
	buf_put_u16le(&foreign_alg, 4);
	buf_put_zero(&foreign_alg, 64);
	assert_fails(event_log_length(foreign_alg.data, foreign_alg.len, &used, &_err), ERR_INTEGRITY, "event-log");
	put_spec(&large);
	buf_put_zero(&large, EVENT_LOG_MAX);
	assert_fails(event_log_length(large.data, large.len, &used, &_err), ERR_INTEGRITY, "event-log");
}

static void any(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	uint8_t rtmr[4][48];
	size_t used;

	if (event_log_length(data, len, &used, NULL) == 0 && used > len)
		fail_msg("%s: length outside", what);
	event_log_replay(data, len, rtmr, NULL);
}

/* A cut between two records is a shorter log; any other cut is refused. */
static void cut(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	unsigned int *accepted = ctx;
	size_t used;

	if (event_log_length(data, len, &used, NULL) == 0)
		(*accepted)++;
}

static void flips_and_cuts(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(EVENT_LOG_MAX);
	unsigned int accepted = 0;

	put_log(&b);
	mutate_bit_flips(b.data, 0, b.len, b.len, any, NULL);
	mutate_truncations(b.data, b.len, 1, cut, &accepted);
	assert_int_equal(accepted, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replays),
		cmocka_unit_test(padding_is_cut),
		cmocka_unit_test(refused),
		cmocka_unit_test(flips_and_cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
