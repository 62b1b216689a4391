/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What an outsider cannot do to a server with many connections, sessions or requests (architecture.md C18). */
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

/* What a flood may add to the server's memory. AddressSanitizer keeps freed memory back, up to 256 MiB. */
#ifdef __SANITIZE_ADDRESS__
#define GROWTH_KIB (300 * 1024)
#else
#define GROWTH_KIB 512
#endif

/* A connection that is shut right after accept may still finish its handshake out of buffered packets; an answer counts. */
static bool open_and_served(struct http *h, const char *from)
{
	r.status = -1;
	if (http_open(h, k.port, from, 0))
		http_request(h, "GET", "/healthz", "", NULL, &r);
	return r.status == 200;
}

/* The head and all but one byte of a request with the largest body. False: the server hung up before. */
static bool send_most(struct http *h, const char *body)
{
	_cleanup_free_ char *head = text_printf("POST " PATH_ATTEST " HTTP/1.1\r\nContent-Length: %d\r\n\r\n", 2 << 20);

	return http_send(h, head, strlen(head)) && http_send(h, body, (2 << 20) - 1) && !http_closed_within(h, 100);
}

/* Bodies that never end fill the memory of one address's share, not the server's. */
static void test_bytes_per_address(void **state)
{
	_cleanup_free_ char *body = malloc(2 << 20);
	struct http h[8];
	int kept = 0;

	(void)state;
	KBSD_START(&k, "--max-connections", "64", "--idle-time", "20s");
	memset(body, ' ', 2 << 20);
	for (int i = 0; i < 8; i++) {
		assert_true(http_open(&h[i], k.port, "127.0.0.5", 0));
		kept += send_most(&h[i], body);
	}
	/* A ninth of 64 MiB. */
	assert_int_equal(kept, 3);
	assert_true(kbsd_log_has(&k, "refused request: 127.0.0.5: "));
	assert_true(server_answers());
	for (int i = 0; i < 8; i++)
		http_close(&h[i]);
	/* What was held is given back; answered requests of one connection do not add up. */
	bool again = false;
	for (int i = 0; i < 400 && !again; i++) {
		again = http_open(&h[0], k.port, "127.0.0.5", 0) && send_most(&h[0], body) && http_send(&h[0], " ", 1);
		if (!again) {
			http_close(&h[0]);
			nap_ms(10);
		}
	}
	assert_true(again);
	http_read(&h[0], &r);
	assert_int_equal(r.status, 401);
	for (int i = 0; i < 6; i++) {
		assert_true(send_most(&h[0], body) && http_send(&h[0], " ", 1));
		http_read(&h[0], &r);
		assert_int_equal(r.status, 401);
	}
	http_close(&h[0]);
}

static void test_per_address(void **state)
{
	struct http h[6];

	(void)state;
	KBSD_START(&k, "--max-per-address", "4", "--idle-time", "20s");
	for (int i = 0; i < 4; i++)
		assert_true(open_and_served(&h[i], "127.0.0.9"));
	assert_false(open_and_served(&h[4], "127.0.0.9"));
	assert_true(kbsd_log_has(&k, "refused connect: 127.0.0.9"));
	/* Another address is not concerned; a place that becomes free can be used. */
	assert_true(server_answers());
	http_close(&h[0]);
	bool again = false;
	for (int i = 0; i < 400 && !again; i++) {
		again = open_and_served(&h[5], "127.0.0.9");
		if (!again) {
			http_close(&h[5]);
			nap_ms(10);
		}
	}
	assert_true(again);
	for (int i = 1; i < 6; i++)
		http_close(&h[i]);
}

/* When all connections are taken newcomers wait, and are served when the absolute timer has made room. */
static void test_connection_cap(void **state)
{
	struct http h[8];
	int fds[8];

	(void)state;
	KBSD_START(&k, "--max-connections", "8", "--connection-time", "1s");
	for (int i = 0; i < 8; i++) {
		fds[i] = http_connect_tcp(k.port, NULL);
		assert_true(fds[i] >= 0);
	}
	assert_true(kbsd_log_has(&k, "newcomers wait"));
	assert_true(server_answers());
	for (int i = 0; i < 8; i++) {
		h[i] = (struct http){ .fd = fds[i] };
		assert_true(http_closed_within(&h[i], 2000));
		http_close(&h[i]);
	}
}

static long resident_kib(pid_t pid)
{
	char path[64], line[256];
	long kib = -1;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "VmRSS: %ld", &kib);
	if (f)
		fclose(f);
	return kib;
}

/* Ten thousand sessions nobody means to use: memory stays, and another address attests meanwhile. */
static void test_session_flood(void **state)
{
	struct http h;
	struct agent a;
	long before, after;

	(void)state;
	KBSD_START(&k, "--test-root", "ROOTS", "--max-per-address", "64", "--max-sessions", "1000");
	assert_true(http_open(&h, k.port, "127.0.0.66", 0));
	agent_open(&a, &k, KBS_0_4_0, TEE_SNP, KEY_EC_P256);
	agent_auth(&a, &r);
	for (int i = 0; i < 2000; i++) {
		http_request(&h, "POST", PATH_AUTH, "", AUTH_BODY, &r);
		assert_int_equal(r.status, 200);
	}
	before = resident_kib(k.pid);
	for (int i = 0; i < 8000; i++) {
		http_request(&h, "POST", PATH_AUTH, "", AUTH_BODY, &r);
		assert_int_equal(r.status, 200);
	}
	after = resident_kib(k.pid);
	assert_true(before > 0 && after > 0);
	if (after > before + GROWTH_KIB)
		fail_msg("%ld KiB became %ld KiB", before, after);
	/* The session from before the flood is still there. */
	_cleanup_free_ char *body = agent_attest_body(&a);
	agent_post_attest(&a, body, &r);
	assert_int_equal(r.status, 200);
	agent_close(&a);
	http_close(&h);
}

static unsigned int count(const char *text, const char *word)
{
	unsigned int n = 0;

	for (const char *p = strstr(text, word); p; p = strstr(p + 1, word))
		n++;
	return n;
}

#define FLOOD 4000

/* Of who is refused all the time every refusal has its line, a short one; and it hides nobody else's. */
static void test_log_flood(void **state)
{
	struct http h, other;

	(void)state;
	KBSD_START(&k, NULL);
	assert_true(http_open(&h, k.port, "127.0.0.66", 0));
	assert_true(http_open(&other, k.port, "127.0.0.67", 0));
	for (int i = 0; i < FLOOD; i++) {
		http_request(&h, "GET", "/kbs/v0/resource/a/b/c", "", NULL, &r);
		assert_int_equal(r.status, 401);
	}
	http_request(&other, "GET", "/kbs/v0/resource/a/b/c", "", NULL, &r);
	assert_true(kbsd_log_has(&k, "refused get: 127.0.0.67: session: no session, or it is over"));
	_cleanup_free_ char *log = kbsd_log_read(&k);
	assert_int_equal(count(log, "refused get: 127.0.0.66: session: "), FLOOD);
	/* Said once for a flood; a machine that is slow for a second makes two floods of it. */
	assert_in_range(count(log, "127.0.0.66 is refused more than 10 times a second"), 1, 10);
	nap_ms(300);
	http_request(&h, "GET", "/kbs/v0/resource/a/b/c", "", NULL, &r);
	assert_true(kbsd_log_has(&k, " refusals were logged in short, most of 127.0.0.66"));
	http_close(&h);
	http_close(&other);
}

/* By policy: at length with the rule to paste, then in short with the values that differ; never less than one line each. */
static void test_log_flood_policy(void **state)
{
	_cleanup_free_ char *policy = agent_policy(k.pki, true), *log = NULL;
	struct agent a;

	(void)state;
	memcpy(strstr(policy, "measurement = ") + strlen("measurement = "), "0000", 4);
	kbsd_write(&k, "policy.conf", policy, 0600);
	KBSD_START(&k, "--test-root", "ROOTS");
	agent_open(&a, &k, KBS_0_4_0, TEE_SNP, KEY_EC_P256);
	agent_attest(&a, &r);
	for (int i = 0; i < FLOOD / 10; i++) {
		agent_get(&a, PATH_ROOT, &r);
		assert_int_equal(r.status, 401);
	}
	agent_close(&a);
	assert_true(kbsd_log_has(&k, "is refused more than 10 times a second"));
	log = kbsd_log_read(&k);
	assert_in_range(count(log, "FILL-IN"), 20, FLOOD / 10 - 20);
	assert_int_equal(count(log, ": policy: default/vm/root: "), FLOOD / 10);
	assert_true(count(log, "wanted 0000") >= FLOOD / 10);
}

/* A connection leaves nothing behind, however it ends. */
static void test_no_leak_of_descriptors(void **state)
{
	char path[64];
	int before = 0, after = -1;

	(void)state;
	KBSD_START(&k, NULL);
	assert_true(server_answers());
	snprintf(path, sizeof(path), "ls /proc/%d/fd | wc -l", (int)k.pid);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 60; i++) {
			struct http h = { .fd = http_connect_tcp(k.port, NULL) };

			if (i % 3 == 1)
				assert_int_equal(write(h.fd, "GET / HTTP/1.1\r\n\r\n", 18), 18); /* not TLS */
			http_close(&h);
			if (i % 3 == 2 && http_open(&h, k.port, NULL, 0)) {
				http_send_text(&h, "POST /kbs/v0/auth HTTP/1.1\r\nContent-Length: 50\r\n\r\nabc");
				http_close(&h);
			}
		}
		nap_ms(300);
		assert_true(server_answers());
		FILE *f = popen(path, "re");
		assert_non_null(f);
		assert_int_equal(fscanf(f, "%d", round ? &after : &before), 1);
		pclose(f);
	}
	assert_in_range(after, 5, before + 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, stop)
	const struct CMUnitTest tests[] = {
		T(test_bytes_per_address), T(test_per_address), T(test_connection_cap),
		T(test_session_flood), T(test_log_flood), T(test_log_flood_policy), T(test_no_leak_of_descriptors),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
