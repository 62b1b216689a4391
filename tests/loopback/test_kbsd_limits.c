/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What an outsider cannot do to a server by being slow, large or ambiguous (architecture.md C18); test_kbsd_many.c: by being many. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "tests/loopback/kbsd_case.h"

/* Sends one byte every 50 ms; ms until the server gave up, or limit. */
static uint64_t drip(struct http *h, const char *text, uint64_t limit)
{
	uint64_t start = clock_monotonic_ns(), ms = 0;

	while (ms < limit) {
		bool sent = h->ssl ? http_send(h, text, 1) : write(h->fd, text, 1) == 1;

		if (text[1])
			text++;
		if (!sent || http_closed_within(h, 50))
			break;
		ms = (clock_monotonic_ns() - start) / NSEC_PER_MSEC;
	}
	return (clock_monotonic_ns() - start) / NSEC_PER_MSEC;
}

/* Neither bytes in the TLS handshake, nor in the head, nor in the body, nor whole requests keep a connection for ever. */
static void test_absolute_time(void **state)
{
	struct http h;
	uint64_t ms, start;

	(void)state;
	KBSD_START(&k, "--connection-time", "800ms", "--idle-time", "10s");
	h = (struct http){ .fd = http_connect_tcp(k.port, NULL) };
	assert_true(h.fd >= 0);
	/* A TLS record header that announces much, then a byte at a time. */
	assert_int_equal(write(h.fd, "\x16\x03\x01\x3f\xff\x01\x00\x3f\xf0", 9), 9);
	ms = drip(&h, "a", 5000);
	assert_in_range(ms, 400, 2500);
	http_close(&h);
	assert_true(http_open(&h, k.port, NULL, 0));
	ms = drip(&h, "GET /healthz HTTP/1.1\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 5000);
	assert_in_range(ms, 400, 2500);
	http_close(&h);
	assert_true(http_open(&h, k.port, NULL, 0));
	assert_true(http_send_text(&h, "POST " PATH_AUTH " HTTP/1.1\r\nContent-Length: 1000\r\n\r\n"));
	ms = drip(&h, "a", 5000);
	assert_in_range(ms, 400, 2500);
	http_close(&h);
	/* A client that is busy all the time. */
	assert_true(http_open(&h, k.port, NULL, 0));
	start = clock_monotonic_ns();
	do {
		http_request(&h, "GET", "/healthz", "", NULL, &r);
		ms = (clock_monotonic_ns() - start) / NSEC_PER_MSEC;
	} while (r.status == 200 && ms < 5000);
	assert_in_range(ms, 400, 2500);
	http_close(&h);
	assert_true(server_answers());
}

static void test_idle_time(void **state)
{
	struct http h;

	(void)state;
	KBSD_START(&k, "--connection-time", "30s", "--idle-time", "500ms");
	h = (struct http){ .fd = http_connect_tcp(k.port, NULL) };
	assert_true(http_closed_within(&h, 3000));
	http_close(&h);
	assert_true(http_open(&h, k.port, NULL, 0));
	http_request(&h, "GET", "/healthz", "", NULL, &r);
	assert_int_equal(r.status, 200);
	assert_true(http_closed_within(&h, 3000));
	http_close(&h);
}

static void assert_refused_and_closed(const char *request)
{
	struct http h;

	assert_true(http_open(&h, k.port, NULL, 0));
	assert_true(http_send(&h, request, strlen(request)));
	http_read(&h, &r);
	if (r.status == 200 || !http_closed_within(&h, 2000))
		fail_msg("%d: %.300s", r.status, request);
	http_close(&h);
}

#define AUTH_LENGTH "49" /* of AUTH_BODY */
#define AUTH_CHUNKED "31\r\n" AUTH_BODY "\r\n0\r\n\r\n"

/* Complete requests, each of which would be answered if one of its lengths were believed. */
static void test_ambiguous_length(void **state)
{
	static const struct {
		const char *head, *body;
		int status; /* -1: closed without a word, by evhttp */
	} rows[] = {
		{ "Content-Length: " AUTH_LENGTH "\r\n", AUTH_BODY, 200 },
		{ "Transfer-Encoding: chunked\r\n", AUTH_CHUNKED, 200 },
		{ "Content-Length: " AUTH_LENGTH "\r\nContent-Length: " AUTH_LENGTH "\r\n", AUTH_BODY, 400 },
		{ "Content-Length: " AUTH_LENGTH "\r\ncontent-length: 5\r\n", AUTH_BODY, 400 },
		{ "Content-Length: " AUTH_LENGTH "\r\nTransfer-Encoding: chunked\r\n", AUTH_CHUNKED, 400 },
		{ "Transfer-Encoding: chunked\r\nContent-Length: " AUTH_LENGTH "\r\n", AUTH_CHUNKED, 400 },
		{ "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", AUTH_CHUNKED, 400 },
		{ "Content-Length: " AUTH_LENGTH "\r\nTransfer-Encoding: gzip\r\n", AUTH_BODY, 400 },
		{ "Content-Length: -1\r\n", AUTH_BODY, 400 },
		{ "Content-Length: 99999999999999999999999\r\n", AUTH_BODY, 413 },
	};

	(void)state;
	assert_int_equal(strlen(AUTH_BODY), atoi(AUTH_LENGTH));
	KBSD_START(&k, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *text = text_printf("POST " PATH_AUTH " HTTP/1.1\r\nHost: x\r\n%s\r\n%s", rows[i].head, rows[i].body);
		struct http h;

		assert_true(http_open(&h, k.port, NULL, 0));
		assert_true(http_send_text(&h, text));
		http_read(&h, &r);
		if (r.status != rows[i].status || (r.status != 200 && !http_closed_within(&h, 2000)))
			fail_msg("%d instead of %d: %s", r.status, rows[i].status, rows[i].head);
		http_close(&h);
	}
	assert_true(server_answers());
}

static void test_sizes(void **state)
{
	_cleanup_free_ char *big = malloc((3 << 20) + 1), *head = NULL;
	struct http h;

	(void)state;
	KBSD_START(&k, "--idle-time", "2s");
	memset(big, ' ', 3 << 20);
	big[3 << 20] = '\0';
	/* 2 MiB of body are read (and found to be no JSON), 3 MiB are not. */
	assert_true(http_open(&h, k.port, NULL, 0));
	big[2 << 20] = '\0';
	http_request(&h, "POST", PATH_AUTH, "", big, &r);
	assert_true(response_is(&r, 401, "AttestationError"));
	big[2 << 20] = ' ';
	http_request(&h, "POST", PATH_AUTH, "", big, &r);
	assert_int_not_equal(r.status, 401);
	assert_int_not_equal(r.status, 200);
	http_close(&h);
	/* Chunked bodies have the same limit. */
	assert_true(http_open(&h, k.port, NULL, 0));
	assert_true(http_send_text(&h, "POST " PATH_AUTH " HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"));
	bool open = true;
	for (int i = 0; open && i < 64; i++)
		open = http_send_text(&h, "10000\r\n") && http_send(&h, big, 65536) && http_send_text(&h, "\r\n");
	http_read(&h, &r);
	assert_int_not_equal(r.status, 200);
	assert_int_not_equal(r.status, 401);
	http_close(&h);
	memset(big, 'a', 40000);
	big[40000] = '\0';
	head = text_printf("GET /healthz HTTP/1.1\r\nX: %s\r\n\r\n", big);
	assert_refused_and_closed(head);
	assert_true(server_answers());
}

static void test_tls(void **state)
{
	struct http h;

	(void)state;
	KBSD_START(&k, NULL);
	assert_false(http_open(&h, k.port, NULL, TLS1_VERSION));
	assert_false(http_open(&h, k.port, NULL, TLS1_1_VERSION));
	assert_true(http_open(&h, k.port, NULL, TLS1_2_VERSION));
	assert_non_null(strstr(SSL_get_cipher(h.ssl), "ECDHE"));
	http_close(&h);
	assert_true(http_open(&h, k.port, NULL, TLS1_3_VERSION));
	http_request(&h, "GET", "/healthz", "", NULL, &r);
	assert_int_equal(r.status, 200);
	http_close(&h);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, stop)
	const struct CMUnitTest tests[] = {
		T(test_absolute_time), T(test_idle_time), T(test_ambiguous_length), T(test_sizes), T(test_tls),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
