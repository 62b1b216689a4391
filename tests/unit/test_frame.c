/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "http/conf.h"
#include "http/frame.h"
#include "http/reply.h"
#include "tests/lib/mutate.h"

static void expect_refused(struct buf *b, bool from_child)
{
	struct err *e = NULL;
	struct frame f;

	assert_true(buf_ok(b));
	assert_int_equal(frame_decode(b->data, b->len, from_child, &f, &e), -1);
	assert_int_equal(err_class(e), ERR_INTEGRITY);
	assert_string_equal(err_id(e), "frame");
	err_free(e);
	buf_reset(b);
}

/* The layout of contracts.md 3, byte by byte. */
static void layout(void **state)
{
	static const uint8_t want[] = { 0x82, 0, 0x12, 0x34, 0, TAG_TOKEN, 0, 0, 0, 3, 'a', 'b', 'c' };
	_cleanup_buf_ struct buf b = BUF_INIT(FRAME_MAX);
	struct frame f;

	frame_begin(&b, FRAME_TOKEN, 0x1234);
	frame_put_str(&b, TAG_TOKEN, "abc");
	frame_end(&b);
	assert_int_equal(b.len, sizeof(want));
	assert_memory_equal(b.data, want, sizeof(want));
	assert_int_equal(frame_decode(b.data, b.len, true, &f, NULL), 0);
	assert_int_equal(f.type, FRAME_TOKEN);
	assert_int_equal(f.seq, 0x1234);
	assert_int_equal(f.n, 1);
}

static void direction(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(FRAME_MAX);
	struct frame f;

	frame_begin(&b, FRAME_CANCEL, 1);
	assert_int_equal(frame_decode(b.data, b.len, false, &f, NULL), 0);
	expect_refused(&b, true);
	frame_begin(&b, FRAME_TOKEN, 1);
	frame_put_str(&b, TAG_TOKEN, "x");
	expect_refused(&b, false);
	frame_begin(&b, (enum frame_type)0x55, 1);
	expect_refused(&b, false);
	frame_begin(&b, (enum frame_type)0x8f, 1);
	expect_refused(&b, true);
}

static void put_error(struct buf *b, const char *type, const char *detail, const char *version, uint32_t status)
{
	frame_begin(b, FRAME_ERROR, 1);
	frame_put_u32(b, TAG_STATUS, status);
	frame_put_str(b, TAG_ERROR_TYPE, type);
	frame_put_str(b, TAG_DETAIL, detail);
	frame_put_str(b, TAG_SERVER_VERSION, version);
	frame_put_u32(b, TAG_RETRY_AFTER, 0);
}

static void bounds(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(FRAME_MAX + 1024);
	char text[600];
	struct frame f;

	memset(text, 'x', sizeof(text));
	text[64] = 0;
	put_error(&b, text, "", "", 401);
	assert_int_equal(frame_decode(b.data, b.len, true, &f, NULL), 0);
	buf_reset(&b);
	text[64] = 'x';
	text[65] = 0;
	put_error(&b, text, "", "", 401);
	expect_refused(&b, true);
	text[65] = 'x';
	text[512] = 0;
	put_error(&b, "", text, "", 401);
	assert_int_equal(frame_decode(b.data, b.len, true, &f, NULL), 0);
	buf_reset(&b);
	text[512] = 'x';
	text[513] = 0;
	put_error(&b, "", text, "", 401);
	expect_refused(&b, true);
	put_error(&b, "tab\there", "", "", 401);
	expect_refused(&b, true);
	put_error(&b, "", "caf\303\251", "", 401);
	expect_refused(&b, true);
}

static void counts(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(FRAME_MAX);

	frame_begin(&b, FRAME_TOKEN, 1); /* nothing in it */
	expect_refused(&b, true);
	frame_begin(&b, FRAME_TOKEN, 1);
	frame_put_str(&b, TAG_TOKEN, "a");
	frame_put_str(&b, TAG_TOKEN, "b");
	expect_refused(&b, true);
	frame_begin(&b, FRAME_TOKEN, 1);
	frame_put_str(&b, TAG_TOKEN, "a");
	frame_put_u32(&b, TAG_STATUS, 200); /* belongs to another type */
	expect_refused(&b, true);
	frame_begin(&b, FRAME_CONFIG, 1);
	for (int i = 0; i < FRAME_FIELDS_MAX + 1; i++)
		frame_put_str(&b, TAG_URL, "https://a");
	expect_refused(&b, false);
	frame_begin(&b, FRAME_TOKEN, 1);
	frame_put_str(&b, TAG_TOKEN, "a");
	b.data[1] = 1; /* the reserved byte */
	expect_refused(&b, true);
}

static void padding(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(FRAME_MAX);
	size_t fixed = 4 + 6;
	char *text = malloc(FRAME_PART);
	struct frame f;

	/* A message of exactly one packet gets a PAD, so that the receiver need not wait for another. */
	memset(text, 'x', FRAME_PART);
	frame_begin(&b, FRAME_TOKEN, 1);
	frame_put(&b, TAG_TOKEN, text, FRAME_PART - fixed);
	assert_int_equal(b.len, FRAME_PART);
	frame_end(&b);
	assert_int_equal(b.len, FRAME_PART + 6);
	assert_int_equal(frame_decode(b.data, b.len, true, &f, NULL), 0);
	assert_int_equal(f.n, 1);
	buf_reset(&b);
	/* PAD only at the very end. */
	frame_begin(&b, FRAME_TOKEN, 1);
	frame_put(&b, TAG_PAD, "", 0);
	frame_put_str(&b, TAG_TOKEN, "x");
	expect_refused(&b, true);
	free(text);
}

static void too_large(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(FRAME_MAX + 65536);

	frame_begin(&b, FRAME_REQUEST, 1);
	buf_put_zero(&b, FRAME_MAX);
	expect_refused(&b, false);
	/* Built too large: the buf says so, nothing is cut. */
	b.max = FRAME_MAX;
	frame_begin(&b, FRAME_REQUEST, 1);
	frame_put(&b, TAG_BODY, "x", FRAME_MAX + 1);
	assert_false(buf_ok(&b));
}

static void must_not_crash(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	struct transport_reply r = { 0 };
	struct conf_store s;
	struct frame f;

	if (frame_decode(data, len, true, &f, NULL) == 0) {
		reply_decode(&f, &r, NULL);
		transport_reply_clear(&r);
	}
	if (frame_decode(data, len, false, &f, NULL) == 0 && f.type == FRAME_CONFIG && conf_decode(&f, &s, NULL) == 0)
		conf_store_clear(&s);
}

static void must_be_refused(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	struct frame f;

	if (frame_decode(data, len, true, &f, NULL) == 0 || frame_decode(data, len, false, &f, NULL) == 0)
		fail_msg("accepted: %s", what);
}

static void mutations(void **state)
{
	static const char *const urls[] = { "https://a.test", "https://b.test", NULL };
	char members[5][8] = { "e30", "a", "b", "c", "d" };
	struct transport_reply jwe = { .kind = TREPLY_JWE, .jwe = { members[0], members[1], members[2], members[3], members[4] } };
	_cleanup_buf_ struct buf b = BUF_INIT(FRAME_MAX);

	reply_encode(&jwe, 9, &b);
	mutate_bit_flips(b.data, 0, b.len, b.len, must_not_crash, NULL);
	mutate_truncations(b.data, b.len, 1, must_be_refused, NULL);
	buf_reset(&b);
	conf_encode(&(struct transport_config){ .urls = urls, .ca_pem = "x", .user_agent = "y" }, 1, &b);
	mutate_bit_flips(b.data, 0, b.len, b.len, must_not_crash, NULL);
	mutate_truncations(b.data, b.len, 1, must_be_refused, NULL);
}

/* What a reducer must not let through becomes an error, with the status. */
static void encoder_is_strict(void **state)
{
	char token[] = "with\nnewline";
	struct transport_reply r = { .kind = TREPLY_TOKEN, .token = token, .status = 200 }, again = { 0 };
	_cleanup_buf_ struct buf b = BUF_INIT(FRAME_MAX);
	struct frame f;

	reply_encode(&r, 1, &b);
	assert_int_equal(frame_decode(b.data, b.len, true, &f, NULL), 0);
	assert_int_equal(reply_decode(&f, &again, NULL), 0);
	assert_int_equal(again.kind, TREPLY_ERROR);
	assert_int_equal(again.status, 200);
	transport_reply_clear(&again);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layout), cmocka_unit_test(direction), cmocka_unit_test(bounds),    cmocka_unit_test(counts),
		cmocka_unit_test(padding), cmocka_unit_test(too_large), cmocka_unit_test(mutations), cmocka_unit_test(encoder_is_strict),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
