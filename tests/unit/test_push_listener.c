/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Operator push: the packets between the listener and the agent, and who may try again. */
#include "tests/lib/check.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "push/packet.h"
#include "push/rate.h"
#include "tests/lib/mutate.h"

/* --- the listener's packets --- */

static void fill(struct push_packet *p)
{
	memset(p->nonce, 1, sizeof(p->nonce));
	memset(p->exporter, 2, sizeof(p->exporter));
	memset(p->operator, 3, sizeof(p->operator));
	strcpy(p->from, "192.0.2.7");
	strcpy(p->id, "push-slow");
	strcpy(p->text, "too slow");
	p->port = 8444;
	p->last = true;
}

static void test_packets(void **state)
{
	static const enum push_packet_type types[] = { PACKET_LISTEN, PACKET_ANSWER, PACKET_LISTENING, PACKET_FAILED, PACKET_HELLO, PACKET_SECRET,
						       PACKET_ENDED };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct push_packet p = { .type = types[i], .conn = 0x1234, .data = BUF_INIT(100) }, back;
		_cleanup_buf_ struct buf b = BUF_INIT(PUSH_PACKET_MAX), again = BUF_INIT(PUSH_PACKET_MAX);
		bool from_listener = types[i] >= PACKET_LISTENING;

		fill(&p);
		buf_puts(&p.data, "data");
		push_packet_put(&p, &b);
		assert_true(buf_ok(&b));
		assert_int_equal(push_packet_get(b.data, b.len, !from_listener, &back, NULL), -1);
		assert_int_equal(push_packet_get(b.data, b.len, from_listener, &back, NULL), 0);
		assert_int_equal(back.conn, 0x1234);
		push_packet_put(&back, &again);
		assert_int_equal(again.len, b.len);
		assert_memory_equal(again.data, b.data, b.len);
		push_packet_clear(&back);
		push_packet_clear(&p);
	}
}

static void packet_is_sane(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	_cleanup_err_ struct err *e = NULL;
	struct push_packet p;

	if (push_packet_get(data, len, true, &p, &e) < 0) {
		assert_string_equal(err_id(e), "push-packet");
		return;
	}
	for (const char *c = p.text; *c; c++)
		assert_true(*c >= 0x20 && *c <= 0x7e);
	push_packet_clear(&p);
}

static void packet_fails(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	struct push_packet p;

	if (push_packet_get(data, len, true, &p, NULL) == 0)
		fail_msg("%s", what);
}

static void test_packet_mutations(void **state)
{
	struct push_packet p = { .type = PACKET_ENDED };
	_cleanup_buf_ struct buf b = BUF_INIT(PUSH_PACKET_MAX);

	fill(&p);
	push_packet_put(&p, &b);
	mutate_bit_flips(b.data, 0, b.len, b.len, packet_is_sane, NULL);
	mutate_truncations(b.data, b.len, 1, packet_fails, NULL);
	buf_putc(&b, 0);
	packet_fails(b.data, b.len, "a byte more", NULL);
}

/* A length that fits the message and not the purpose. */
static void test_packet_bounds(void **state)
{
	struct push_packet p = { .type = PACKET_SECRET, .data = BUF_INIT(PUSH_ANSWER_MAX) }, back;
	_cleanup_buf_ struct buf b = BUF_INIT(PUSH_PACKET_MAX);

	buf_put_zero(&p.data, PUSH_SECRET_MAX + 1);
	push_packet_put(&p, &b);
	assert_int_equal(push_packet_get(b.data, b.len, true, &back, NULL), -1);
	buf_reset(&b);
	p.type = PACKET_ANSWER;
	push_packet_put(&p, &b);
	assert_int_equal(push_packet_get(b.data, b.len, false, &back, NULL), 0);
	push_packet_clear(&back);
	/* On the border of a part there is one byte more. */
	buf_reset(&b);
	buf_reset(&p.data);
	buf_put_zero(&p.data, 64 * 1024 - 9);
	push_packet_put(&p, &b);
	assert_int_equal(b.len, 64 * 1024 + 1);
	assert_int_equal(push_packet_get(b.data, b.len, false, &back, NULL), 0);
	assert_int_equal(back.data.len, 64 * 1024 - 9);
	push_packet_clear(&back);
	push_packet_clear(&p);
}

/* --- rates --- */

static struct sockaddr_storage address(const char *text)
{
	struct sockaddr_storage a = { 0 };

	if (strchr(text, ':')) {
		a.ss_family = AF_INET6;
		inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&a)->sin6_addr);
	} else {
		a.ss_family = AF_INET;
		inet_pton(AF_INET, text, &((struct sockaddr_in *)&a)->sin_addr);
	}
	return a;
}

static void test_rate(void **state)
{
	struct sockaddr_storage a = address("192.0.2.1"), same = address("::ffff:192.0.2.1"), b = address("192.0.2.2");
	struct rate r = { 0 };
	uint64_t now = 1000;

	for (unsigned int i = 0; i < 5; i++) {
		assert_true(rate_allows(&r, &a, 5, now));
		rate_failed(&r, &a, now);
	}
	assert_false(rate_allows(&r, &a, 5, now));
	assert_false(rate_allows(&r, &same, 5, now));
	assert_true(rate_allows(&r, &b, 5, now));
	assert_false(rate_allows(&r, &a, 5, now + RATE_NS - 1));
	assert_true(rate_allows(&r, &a, 5, now + RATE_NS));
	rate_failed(&r, &a, now + RATE_NS);
	assert_true(rate_allows(&r, &a, 5, now + RATE_NS));
}

static void test_rate_networks(void **state)
{
	struct sockaddr_storage a = address("2001:db8:1:2::1"), near = address("2001:db8:1:2:ffff::9"), far = address("2001:db8:1:3::1");
	struct sockaddr_storage four = address("192.0.2.1"), mapped = address("::ffff:192.0.2.1"), next = address("192.0.2.2");
	struct rate r = { 0 };

	/* A neighbour's failures are his own, in the same /64 too. */
	rate_failed(&r, &a, 1);
	assert_false(rate_allows(&r, &a, 1, 1));
	assert_true(rate_allows(&r, &near, 1, 1));
	assert_true(rate_same_network(&a, &near) && !rate_same_address(&a, &near));
	assert_false(rate_same_network(&a, &far));
	assert_true(rate_same_network(&four, &mapped) && rate_same_address(&four, &mapped));
	assert_false(rate_same_network(&four, &next) || rate_same_network(&mapped, &next) || rate_same_network(&four, &a));
	/* A full table forgets its oldest entry and nothing else. */
	for (unsigned int i = 0; i < RATE_PEERS - 1; i++) {
		char text[32];

		snprintf(text, sizeof(text), "198.51.%u.%u", i / 256, i % 256);
		far = address(text);
		rate_failed(&r, &far, 2 + i);
	}
	assert_false(rate_allows(&r, &a, 1, 100 + RATE_PEERS));
	rate_failed(&r, &next, 100 + RATE_PEERS);
	assert_true(rate_allows(&r, &a, 1, 100 + RATE_PEERS));
	assert_false(rate_allows(&r, &far, 1, 100 + RATE_PEERS));
	assert_false(rate_allows(&r, &next, 1, 100 + RATE_PEERS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packets),
		cmocka_unit_test(test_packet_mutations),
		cmocka_unit_test(test_packet_bounds),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_rate_networks),
	};

	return cmocka_run_group_tests_name("push_listener", tests, NULL, NULL);
}
