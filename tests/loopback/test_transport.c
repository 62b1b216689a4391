/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Orders to the transport child: cancelled, too late, too large, wrongly configured. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "http/transport.h"
#include "tests/loopback/faultkbs.h"
#include "tests/loopback/transport_check.h"

static struct testca *ca;
static struct testcert cert;
static struct fault_server server;

static void reducer(const char *method, const char *path, unsigned int status, const char *body, size_t len,
		    struct transport_reply *ret)
{
	/* What the child has filled in says enough: an error with the status. */
}

static struct transport *start(void)
{
	return transport_to(&server, &cert, reducer);
}

static void *cancel_soon(void *arg)
{
	usleep(100000);
	clock_cancel();
	return NULL;
}

static void cancel(void **state)
{
	const struct fault_conf f = { .cert = &cert, .script = "get stall; get ok", .secret = "x" };
	const char *urls[] = { NULL, NULL }, *pin[] = { cert.pin, NULL };
	struct transport *t = start();
	struct transport_reply reply;
	struct fault_server slow;
	struct err *e = NULL;
	uint64_t before;
	pthread_t thread;

	fault_start(&f, &slow);
	urls[0] = slow.url;
	assert_int_equal(transport_configure(t, &(struct transport_config){ .urls = urls, .pins = pin }, NULL), 0);
	pthread_create(&thread, NULL, cancel_soon, NULL);
	before = clock_ns();
	assert_int_equal(transport_request(t, 0, "GET", "/x", NULL, true, deadline_in_ms(20000), &reply, &e), -1);
	pthread_join(thread, NULL);
	assert_true(clock_ns() - before < 10 * NSEC_PER_SEC);
	assert_int_equal(err_class(e), ERR_TIMEOUT);
	assert_string_equal(err_id(e), "cancelled");
	err_clear(&e);
	/* As long as it stands, no request leaves; afterwards the same child goes on. */
	assert_int_equal(transport_request(t, 0, "GET", "/x", NULL, true, deadline_in_ms(20000), &reply, &e), -1);
	err_clear(&e);
	assert_int_equal(slow.counts->requests[WHERE_GET], 1);
	clock_cancel_reset();
	ask(t, "/x", 3000, &reply);
	assert_int_equal(reply.kind, TREPLY_ERROR);
	transport_reply_clear(&reply);
	fault_forget(&slow);
	transport_stop(t);
}

static void no_time_left(void **state)
{
	struct deadline past = { .at_ns = 1 };
	struct transport *t = start();
	struct transport_reply reply;

	assert_int_equal(transport_request(t, 0, "GET", "/x", NULL, true, past, &reply, NULL), 0);
	assert_int_equal(reply.fail, TFAIL_TIMEOUT);
	assert_false(reply.bytes_sent);
	transport_stop(t);
}

static void large_bodies(void **state)
{
	static const size_t sizes[] = { 65536 - 100, 65536, 3 * 65536, 1536 * 1024 };
	struct transport *t = start();
	struct transport_reply reply;

	/* Around the packet size every alignment is a case of its own. */
	for (size_t i = 0; i < ARRAY_SIZE(sizes) + 120; i++) {
		size_t n = i < 120 ? 65536 - 120 + i : sizes[i - 120];
		char *body = malloc(n + 1);

		memset(body, 'x', n);
		body[n] = 0;
		assert_int_equal(transport_request(t, 0, "POST", "/kbs/v0/attest", body, true, deadline_in_ms(5000), &reply, NULL), 0);
		assert_int_equal(reply.kind, TREPLY_ERROR);
		assert_int_equal(reply.status, 401);
		transport_reply_clear(&reply);
		free(body);
	}
	transport_stop(t);
}

static void request_too_large(void **state)
{
	struct transport *t = start();
	struct transport_reply reply;
	char *body = malloc(1536 * 1024 + 2);
	struct err *e = NULL;

	memset(body, 'x', 1536 * 1024 + 1);
	body[1536 * 1024 + 1] = 0;
	assert_int_equal(transport_request(t, 0, "POST", "/x", body, true, deadline_in_ms(5000), &reply, &e), -1);
	assert_true(transport_pid(t) > 0); /* our own mistake does not cost the child */
	err_free(e);
	free(body);
	transport_stop(t);
}

static void configurations(void **state)
{
	static const char bad_pem[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
	static const struct {
		const char *url, *pin, *ca, *name, *proxy, *id;
		bool http;
	} cases[] = {
		{ .url = "https://a.test", .pin = "", .id = "kbs-pin" },
		{ .url = "https://a.test", .id = "kbs-pin" }, /* nothing says who the server must be */
		{ .url = "http://a.test", .pin = "ok", .id = "kbs-url" },
		{ .url = "ftp://a.test", .pin = "ok", .id = "kbs-url", .http = true },
		{ .url = "file:///etc/passwd", .pin = "ok", .id = "kbs-url", .http = true },
		{ .url = "a.test", .pin = "ok", .id = "kbs-url" },
		{ .url = "", .pin = "ok", .id = "kbs-url" },
		{ .url = "https://", .pin = "ok", .id = "kbs-url" },
		{ .url = "https:///x", .pin = "ok", .id = "kbs-url" },
		{ .url = "https://user:pw@a.test", .pin = "ok", .id = "kbs-url" },
		{ .url = "https://a.test/?x=1", .pin = "ok", .id = "kbs-url" },
		{ .url = "https://a.test/#x", .pin = "ok", .id = "kbs-url" },
		{ .url = "https://a.test/ x", .pin = "ok", .id = "kbs-url" },
		{ .url = "https://a.test", .pin = "sha256//AAAA", .id = "kbs-pin" },
		{ .url = "https://a.test", .pin = "sha1//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", .id = "kbs-pin" },
		{ .url = "https://a.test", .pin = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=", .id = "kbs-pin" },
		{ .url = "https://a.test", .ca = "", .id = "kbs-ca" },
		{ .url = "https://a.test", .ca = "no certificate here", .id = "kbs-ca" },
		{ .url = "https://a.test", .ca = bad_pem, .id = "kbs-ca" },
		{ .url = "https://a.test", .pin = "ok", .name = "", .id = "kbs-server-name" },
		{ .url = "https://a.test", .pin = "ok", .name = ".a.test", .id = "kbs-server-name" },
		{ .url = "https://a.test", .pin = "ok", .name = "a b", .id = "kbs-server-name" },
		{ .url = "https://a.test", .pin = "ok", .proxy = "https://p.test", .id = "kbs-proxy" },
		{ .url = "https://a.test", .pin = "ok", .proxy = "socks5h://p.test", .id = "kbs-proxy" },
		{ .url = "https://a.test", .pin = "ok", .proxy = "p.test", .id = "kbs-proxy" },
	};
	struct transport *t = start();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *urls[] = { cases[i].url, NULL }, *names[] = { cases[i].name, NULL };
		const char *pins[] = { cases[i].pin && strcmp(cases[i].pin, "ok") == 0 ? cert.pin : cases[i].pin, NULL };
		struct transport_config conf = {
			.urls = urls,
			.pins = cases[i].pin ? pins : NULL,
			.server_names = cases[i].name ? names : NULL,
			.ca_pem = cases[i].ca,
			.proxy = cases[i].proxy,
			.allow_http = cases[i].http,
		};
		struct err *e = NULL;

		if (transport_configure(t, &conf, &e) == 0)
			fail_msg("case %zu accepted", i);
		assert_int_equal(err_class(e), ERR_CONFIG);
		assert_string_equal(err_id(e), cases[i].id);
		err_free(e);
	}
	transport_stop(t);
}

static void too_many_urls(void **state)
{
	const char *urls[18] = { NULL }, *pin[] = { cert.pin, NULL };
	const struct transport_config conf = { .urls = urls, .pins = pin };
	struct transport *t = start();

	assert_int_equal(transport_configure(t, &conf, NULL), -1);
	for (int i = 0; i < 17; i++)
		urls[i] = server.url;
	assert_int_equal(transport_configure(t, &conf, NULL), -1);
	urls[16] = NULL;
	assert_int_equal(transport_configure(t, &conf, NULL), 0);
	assert_int_equal(transport_generation(t), 2);
	transport_stop(t);
}

static void plain_http_when_allowed(void **state)
{
	const struct fault_conf f = { .script = "", .secret = "x" };
	const char *urls[] = { NULL, NULL };
	struct transport *t = start();
	struct transport_reply reply;
	struct fault_server plain;

	fault_start(&f, &plain);
	urls[0] = plain.url;
	assert_int_equal(transport_configure(t, &(struct transport_config){ .urls = urls }, NULL), -1);
	assert_int_equal(transport_configure(t, &(struct transport_config){ .urls = urls, .allow_http = true }, NULL), 0);
	ask(t, "/x", 3000, &reply);
	assert_int_equal(reply.status, 401);
	assert_string_equal(reply.peer_pin, "");
	transport_reply_clear(&reply);
	fault_forget(&plain);
	transport_stop(t);
}

int main(int argc, char **argv)
{
	static const struct testcert_params params = { 0 };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cancel),
		cmocka_unit_test(no_time_left),
		cmocka_unit_test(large_bodies),
		cmocka_unit_test(request_too_large),
		cmocka_unit_test(configurations),
		cmocka_unit_test(too_many_urls),
		cmocka_unit_test(plain_http_when_allowed),
	};
	const struct fault_conf f = { .cert = &cert, .script = "", .secret = "x" };
	int r;

	ca = testca_new("transport authority");
	testcert_make(ca, &params, &cert);
	fault_start(&f, &server);
	r = cmocka_run_group_tests_name("transport", tests, NULL, NULL);
	fault_forget(&server);
	testca_free(ca);
	return r;
}
