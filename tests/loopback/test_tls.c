/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Who the server must be, and by which route it is reached (architecture.md 4 "TLS"): one real request each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "tests/loopback/lab.h"

#define DAY (24 * 3600)

static struct lab lab;
static struct transport_reply reply;
static struct fault_server server;

/* GETs with this configuration, whose urls are filled in; server and reply stay for the test to look at. */
static void ask(const struct testcert *cert, const char *script, struct transport_config conf)
{
	const struct fault_conf f = { .cert = cert, .script = script, .secret = LAB_SECRET, .ipv6 = conf.urls != NULL };
	const char *urls[] = { server.url, NULL };
	struct err *e = NULL;

	fault_start(&f, &server);
	conf.urls = urls;
	if (!conf.connect_timeout_ms)
		conf.connect_timeout_ms = 2000;
	if (transport_configure(lab.transport, &conf, &e) < 0)
		fail_msg("configure: %s", err_message(e));
	assert_int_equal(transport_request(lab.transport, 0, "GET", "/kbs/v0/resource/a/b/c", NULL, true, deadline_in_ms(3000),
					   &reply, &e),
			 0);
}

static void done(void)
{
	transport_reply_clear(&reply);
	fault_forget(&server);
}

static void expect_answer(void)
{
	if (reply.kind != TREPLY_ERROR)
		print_message("unexpected: %s: %s\n", transport_fail_name(reply.fail), reply.what);
	assert_int_equal(reply.kind, TREPLY_ERROR);
	assert_int_equal(reply.status, 401); /* no session: the server's own answer */
	assert_int_equal(server.counts->requests[WHERE_GET], 1);
	done();
}

/* Refused inside the handshake: not one byte of a request has left. */
static void expect_identity(const char *words)
{
	if (reply.kind == TREPLY_FAIL && (reply.fail != TFAIL_IDENTITY || !strstr(reply.what, words)))
		print_message("unexpected: %s: %s\n", transport_fail_name(reply.fail), reply.what);
	assert_int_equal(reply.kind, TREPLY_FAIL);
	assert_int_equal(reply.fail, TFAIL_IDENTITY);
	assert_false(reply.bytes_sent);
	assert_non_null(strstr(reply.what, words));
	assert_int_equal(server.counts->requests[WHERE_GET], 0);
	done();
}

static void expect_fail(enum transport_fail fail)
{
	if (reply.kind == TREPLY_FAIL && reply.fail != fail)
		print_message("unexpected: %s: %s\n", transport_fail_name(reply.fail), reply.what);
	assert_int_equal(reply.kind, TREPLY_FAIL);
	assert_int_equal(reply.fail, fail);
	done();
}

static void make(const char *const *names, const char *cn, int64_t from, int64_t to, struct testcert *ret)
{
	const struct testcert_params p = { .names = names, .cn = cn, .not_before = from, .not_after = to };

	testcert_make(lab.ca, &p, ret);
}

static const char wrong_pin[] = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

static void pins(void **state)
{
	const char *right[] = { lab.cert.pin, NULL }, *wrong[] = { wrong_pin, NULL }, *next[] = { wrong_pin, lab.cert.pin, NULL };

	ask(&lab.cert, "", (struct transport_config){ .pins = right });
	assert_string_equal(reply.peer_pin, lab.cert.pin);
	assert_non_null(strstr(reply.peer_validity, "Z..20"));
	expect_answer();
	ask(&lab.cert, "", (struct transport_config){ .pins = next });
	expect_answer();
	ask(&lab.cert, "", (struct transport_config){ .pins = wrong });
	assert_non_null(strstr(reply.what, lab.cert.pin)); /* the operator sees what to compare */
	expect_identity("not a configured pin");
}

/* With pins alone neither the chain nor the dates are looked at. */
static void pin_alone(void **state)
{
	const char *pin[2] = { NULL };
	struct testca *other = testca_new("nobody knows me");
	const struct testcert_params old = { .not_before = time(NULL) - 9 * DAY, .not_after = time(NULL) - DAY };
	struct testcert cert;

	testcert_make(other, &old, &cert);
	pin[0] = cert.pin;
	ask(&cert, "", (struct transport_config){ .pins = pin });
	expect_answer();
	testca_free(other);
}

static void ca(void **state)
{
	struct testca *other = testca_new("another authority");

	ask(&lab.cert, "", (struct transport_config){ .ca_pem = testca_pem(lab.ca) });
	expect_answer();
	ask(&lab.cert, "", (struct transport_config){ .ca_pem = testca_pem(other) });
	expect_identity("issuer");
	testca_free(other);
}

static void ca_bundle(void **state)
{
	struct testca *other = testca_new("another authority");
	char *bundle = text_printf("# two\n%s\n%s", testca_pem(other), testca_pem(lab.ca));

	ask(&lab.cert, "", (struct transport_config){ .ca_pem = bundle });
	expect_answer();
	free(bundle);
	testca_free(other);
}

static void pin_and_ca(void **state)
{
	struct testca *other = testca_new("another authority");
	const char *right[] = { lab.cert.pin, NULL }, *wrong[] = { wrong_pin, NULL };

	ask(&lab.cert, "", (struct transport_config){ .pins = right, .ca_pem = testca_pem(lab.ca) });
	expect_answer();
	ask(&lab.cert, "", (struct transport_config){ .pins = wrong, .ca_pem = testca_pem(lab.ca) });
	expect_identity("pin");
	ask(&lab.cert, "", (struct transport_config){ .pins = right, .ca_pem = testca_pem(other) });
	expect_identity("issuer");
	testca_free(other);
}

/* The URL holds an address; the certificate must carry one of the configured names all the same. */
static void server_names(void **state)
{
	const char *broker[] = { "broker.test", NULL }, *list[] = { "old.test", "broker.test", NULL };
	const char *other[] = { "other.test", NULL }, *wild[] = { "a.broker.test", NULL }, *deep[] = { "b.a.broker.test", NULL };
	const char *star[] = { "*.broker.test", NULL };
	const char *pem = testca_pem(lab.ca);
	struct testcert named, wildcard;

	make(broker, NULL, 0, 0, &named);
	make(star, NULL, 0, 0, &wildcard);
	ask(&named, "", (struct transport_config){ .ca_pem = pem, .server_names = broker });
	expect_answer();
	ask(&named, "", (struct transport_config){ .ca_pem = pem, .server_names = list });
	expect_answer();
	ask(&named, "", (struct transport_config){ .ca_pem = pem, .server_names = other });
	expect_identity("is for broker.test, not for other.test");
	/* Without server-name it is the URL's host that counts: 127.0.0.1. */
	ask(&named, "", (struct transport_config){ .ca_pem = pem });
	expect_identity("not for 127.0.0.1");
	/* And with it the URL's host counts no more. */
	ask(&lab.cert, "", (struct transport_config){ .ca_pem = pem, .server_names = broker });
	expect_identity("is for localhost");
	ask(&wildcard, "", (struct transport_config){ .ca_pem = pem, .server_names = wild });
	expect_answer();
	ask(&wildcard, "", (struct transport_config){ .ca_pem = pem, .server_names = deep });
	expect_identity("not for");
}

static void common_name_does_not_count(void **state)
{
	const char *none[] = { NULL }, *broker[] = { "broker.test", NULL };
	struct testcert cert;

	make(none, "broker.test", 0, 0, &cert);
	ask(&cert, "", (struct transport_config){ .ca_pem = testca_pem(lab.ca), .server_names = broker });
	expect_identity("no DNS name");
}

static void dates(void **state)
{
	int64_t now = time(NULL);
	struct testcert expired, early;

	make(NULL, NULL, now - 9 * DAY, now - DAY, &expired);
	make(NULL, NULL, now + DAY, now + 9 * DAY, &early);
	ask(&expired, "", (struct transport_config){ .ca_pem = testca_pem(lab.ca) });
	assert_non_null(strstr(reply.what, reply.peer_validity)); /* both dates of the certificate, and ours */
	assert_non_null(strstr(reply.what, "it is 20"));
	expect_identity("clock?");
	ask(&early, "", (struct transport_config){ .ca_pem = testca_pem(lab.ca) });
	expect_identity("clock?");
	/* A guest whose clock was turned back: the build epoch is the least it can be. */
	ask(&early, "", (struct transport_config){ .ca_pem = testca_pem(lab.ca), .verify_time_floor = now + 2 * DAY });
	expect_answer();
	ask(&lab.cert, "", (struct transport_config){ .ca_pem = testca_pem(lab.ca), .verify_time_floor = now + 2 * DAY });
	expect_identity("clock?");
}

static void ipv6(void **state)
{
	const char *on[] = { "", NULL };

	ask(&lab.cert, "", (struct transport_config){ .urls = on, .ca_pem = testca_pem(lab.ca) });
	assert_non_null(strstr(server.url, "[::1]"));
	expect_answer();
}

/* A name instead of an address: resolved (to ::1 first, where nobody listens), sent to the server, and compared. */
static void by_name(void **state)
{
	const struct fault_conf f = { .cert = &lab.cert, .script = "", .secret = "x" };
	const char *urls[] = { NULL, NULL };
	char url[64];

	fault_start(&f, &server);
	snprintf(url, sizeof(url), "https://localhost:%u/", server.port); /* a slash at the end changes nothing */
	urls[0] = url;
	assert_int_equal(transport_configure(lab.transport, &(struct transport_config){ .urls = urls, .ca_pem = testca_pem(lab.ca) }, NULL),
			 0);
	assert_int_equal(transport_request(lab.transport, 0, "GET", "/kbs/v0/resource/a/b/c", NULL, true, deadline_in_ms(3000), &reply, NULL),
			 0);
	assert_string_equal(server.counts->sni, "localhost");
	expect_answer();
}

static void broken_handshakes(void **state)
{
	const char *pin[] = { lab.cert.pin, NULL };

	ask(&lab.cert, "accept plain", (struct transport_config){ .pins = pin });
	assert_false(reply.bytes_sent);
	expect_fail(TFAIL_TLS);
	ask(&lab.cert, "accept silent", (struct transport_config){ .pins = pin, .connect_timeout_ms = 200 });
	assert_false(reply.bytes_sent);
	expect_fail(TFAIL_TIMEOUT);
}

/* No address of the URL's host: a label of 64 characters fails in the resolver without a packet. */
static void no_such_host(void **state)
{
	const char *urls[] = { "https://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test", NULL };
	const char *pin[] = { lab.cert.pin, NULL };
	const struct transport_config conf = { .urls = urls, .pins = pin };

	assert_int_equal(transport_configure(lab.transport, &conf, NULL), 0);
	assert_int_equal(transport_request(lab.transport, 0, "GET", "/x", NULL, true, deadline_in_ms(3000), &reply, NULL), 0);
	expect_fail(TFAIL_DNS);
}

static void redirects_are_not_followed(void **state)
{
	const struct fault_conf f = { .cert = &lab.cert, .script = "", .secret = "x" };
	const char *pin[] = { lab.cert.pin, NULL };
	struct fault_server target;
	char script[128];

	fault_start(&f, &target);
	snprintf(script, sizeof(script), "get redirect %s/kbs/v0/resource/a/b/c", target.url);
	ask(&lab.cert, script, (struct transport_config){ .pins = pin });
	assert_int_equal(reply.kind, TREPLY_ERROR);
	assert_int_equal(reply.status, 302);
	assert_int_equal(target.counts->connections, 0);
	fault_forget(&target);
	done();
}

/* lab_open() has set proxy variables that lead nowhere: every test above shows that they do not count. */
static void proxy_by_configuration(void **state)
{
	const struct fault_conf f = { .script = "", .secret = "x" };
	const char *pin[] = { lab.cert.pin, NULL };
	struct fault_server proxy;

	fault_start(&f, &proxy);
	ask(&lab.cert, "", (struct transport_config){ .pins = pin, .proxy = proxy.url });
	assert_int_equal(proxy.counts->requests[WHERE_CONNECT], 1);
	assert_non_null(strstr(server.url, proxy.counts->proxied));
	/* The proxy's Set-Cookie has not become our session. */
	transport_reply_clear(&reply);
	assert_int_equal(transport_request(lab.transport, 0, "POST", "/kbs/v0/attest", "{}", false, deadline_in_ms(3000), &reply, NULL),
			 0);
	assert_int_equal(server.counts->bad_cookie, 2);
	assert_string_equal(server.counts->cookie, "");
	fault_forget(&proxy);
	done();
}

/* What a proxy says by itself is no answer of the broker, whatever it says. */
static void proxy_refuses(void **state)
{
	static const char *const scripts[] = { "connect status 403", "connect status 407", "connect error PolicyDeny no",
					       "connect garbage", "connect close" };
	const char *pin[] = { lab.cert.pin, NULL };

	for (size_t i = 0; i < 5; i++) {
		const struct fault_conf f = { .script = scripts[i], .secret = "x" };
		struct fault_server proxy;

		fault_start(&f, &proxy);
		ask(&lab.cert, "", (struct transport_config){ .pins = pin, .proxy = proxy.url });
		assert_int_equal(server.counts->connections, 0);
		assert_int_equal(reply.kind, TREPLY_FAIL);
		fault_forget(&proxy);
		expect_fail(TFAIL_CONNECT);
	}
}

static void one_connection(void **state)
{
	const char *pin[] = { lab.cert.pin, NULL };

	ask(&lab.cert, "", (struct transport_config){ .pins = pin });
	for (int i = 0; i < 5; i++) {
		transport_reply_clear(&reply);
		assert_int_equal(transport_request(lab.transport, 0, "GET", "/kbs/v0/resource/a/b/c", NULL, i == 2,
						   deadline_in_ms(3000), &reply, NULL),
				 0);
		assert_string_equal(reply.peer_pin, lab.cert.pin); /* known on a kept connection too */
	}
	assert_int_equal(server.counts->requests[WHERE_GET], 6);
	assert_int_equal(server.counts->connections, 1);
	done();
}

/* A new configuration must not inherit a connection that an old one accepted. */
static void configuration_drops_the_connection(void **state)
{
	const char *pin[] = { lab.cert.pin, NULL }, *wrong[] = { wrong_pin, NULL }, *urls[] = { server.url, NULL };

	ask(&lab.cert, "", (struct transport_config){ .pins = pin });
	transport_reply_clear(&reply);
	assert_int_equal(transport_configure(lab.transport, &(struct transport_config){ .urls = urls, .pins = wrong }, NULL), 0);
	assert_int_equal(transport_request(lab.transport, 0, "GET", "/x", NULL, false, deadline_in_ms(3000), &reply, NULL), 0);
	expect_fail(TFAIL_IDENTITY);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pins),
		cmocka_unit_test(pin_alone),
		cmocka_unit_test(ca),
		cmocka_unit_test(ca_bundle),
		cmocka_unit_test(pin_and_ca),
		cmocka_unit_test(server_names),
		cmocka_unit_test(common_name_does_not_count),
		cmocka_unit_test(dates),
		cmocka_unit_test(ipv6),
		cmocka_unit_test(by_name),
		cmocka_unit_test(broken_handshakes),
		cmocka_unit_test(no_such_host),
		cmocka_unit_test(redirects_are_not_followed),
		cmocka_unit_test(proxy_by_configuration),
		cmocka_unit_test(proxy_refuses),
		cmocka_unit_test(one_connection),
		cmocka_unit_test(configuration_drops_the_connection),
	};
	int r;

	lab_open(&lab);
	r = cmocka_run_group_tests_name("tls", tests, NULL, NULL);
	lab_close(&lab);
	return r;
}
