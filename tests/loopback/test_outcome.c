/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Every row of contracts.md 4, with the real session, the real child and real TLS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "tests/loopback/lab_check.h"

static struct lab lab;

static void final_refusals(void **state)
{
	static const struct {
		const char *script, *id;
		unsigned int attests, gets;
	} cases[] = {
		{ "get error PolicyDeny Access denied by policy", "kbs-policy-deny", 1, 1 },
		{ "get error JweError JWE failed", "kbs-jwe-error", 1, 1 },
		{ "get error PluginNotFound Plugin x not found", "kbs-plugin-not-found", 1, 1 },
		{ "attest error PolicyDeny no", "kbs-policy-deny", 1, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		RUN(&lab, .script = { cases[i].script, "" }); /* the second server is never asked */
		expect_error(&r, ERR_REFUSED, cases[i].id);
		expect_requests(&r, 0, 1, cases[i].attests, cases[i].gets);
		assert_int_equal(r.server[1].counts->connections, 0);
		lab_run_clear(&r);
	}
}

static uint64_t pause_ms(const struct fault_counts *c, size_t i)
{
	return (c->attest_ns[i + 1] - c->attest_ns[i]) / 1000000;
}

static void attestation_error_is_paced(void **state)
{
	RUN(&lab, .script = { "attest error AttestationError Attestation error: RCAR handshake Attest failed", "" });
	expect_error(&r, ERR_REFUSED, "kbs-attestation");
	expect_requests(&r, 0, 4, 4, 0);
	assert_int_equal(r.server[0].counts->distinct_keys, 4);
	assert_int_equal(r.server[1].counts->connections, 0); /* the same URL */
	assert_true(pause_ms(r.server[0].counts, 0) >= 60);
	assert_true(pause_ms(r.server[0].counts, 1) >= 120);
	assert_true(pause_ms(r.server[0].counts, 2) >= 180);
	assert_int_equal(r.collected, 4);
	lab_run_clear(&r);
}

static void attestation_error_passes(void **state)
{
	RUN(&lab, .script = { "attest*3 error AttestationError x; attest ok" });
	expect_secret(&r);
	expect_requests(&r, 0, 4, 4, 1);
	assert_int_equal(r.server[0].counts->distinct_keys, 4);
	assert_non_null(strstr(r.phases, "attest+ attest!kbs-attestation net+ net- "));
	lab_run_clear(&r);
}

/* The host may not turn a refusal into "unreachable" by cutting the network afterwards. */
static void refusal_outlives_the_network(void **state)
{
	RUN(&lab, .script = { "attest error AttestationError x; accept ok; accept reset; attest error AttestationError x; auth ok; auth close" },
	    .stop_after = 4);
	expect_error(&r, ERR_REFUSED, "kbs-attestation");
	lab_run_clear(&r);
}

static void attestation_error_at_auth_is_no_refusal(void **state)
{
	RUN(&lab, .script = { "auth error AttestationError Attestation error: RCAR handshake Auth failed: AS down; auth ok" });
	expect_secret(&r);
	expect_requests(&r, 0, 2, 1, 1);
	lab_run_clear(&r);
}

static void plugin_error_is_repeated(void **state)
{
	RUN(&lab, .script = { "get*3 error PluginInternalError Plugin internal error; get ok" });
	expect_secret(&r);
	expect_requests(&r, 0, 1, 1, 4); /* no new handshake: that would burn certificate fetches */
	lab_run_clear(&r);
}

static void plugin_error_lasts(void **state)
{
	RUN(&lab, .script = { "get error PluginInternalError Plugin internal error", "" });
	expect_error(&r, ERR_INDETERMINATE, "kbs-plugin-internal");
	assert_int_equal(r.server[0].counts->requests[WHERE_AUTH], 1);
	assert_true(r.server[0].counts->requests[WHERE_GET] > 3);
	assert_true(r.took_ms >= 400);
	assert_int_equal(r.server[1].counts->connections, 0);
	lab_run_clear(&r);
}

static void lost_token(void **state)
{
	static const char *const names[] = { "TokenNotFound", "TokenVerifierError" };

	for (size_t i = 0; i < 2; i++) {
		char once[64], always[64];

		snprintf(once, sizeof(once), "get error %s x; get ok", names[i]);
		snprintf(always, sizeof(always), "get error %s x", names[i]);
		{
			RUN(&lab, .script = { once });
			expect_secret(&r);
			expect_requests(&r, 0, 2, 2, 2);
			assert_int_equal(r.server[0].counts->distinct_keys, 2);
			lab_run_clear(&r);
		}
		{
			RUN(&lab, .script = { always });
			expect_error(&r, ERR_INDETERMINATE, "kbs-token");
			expect_requests(&r, 0, 2, 2, 2);
			lab_run_clear(&r);
		}
	}
}

static void bad_jwe(void **state)
{
	static const char *const how[] = { "jwe-alg", "jwe-enc", "jwe-tag", "jwe-epk", "jwe-key", "jwe-short" };

	for (size_t i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
		char once[64], always[64];

		snprintf(once, sizeof(once), "get %s; get ok", how[i]);
		snprintf(always, sizeof(always), "get %s", how[i]);
		{
			RUN(&lab, .script = { once });
			expect_secret(&r);
			expect_requests(&r, 0, 2, 2, 2);
			assert_int_equal(r.server[0].counts->distinct_keys, 2);
			lab_run_clear(&r);
		}
		{
			RUN(&lab, .script = { always });
			expect_error(&r, ERR_INDETERMINATE, "jwe");
			expect_requests(&r, 0, 2, 2, 2);
			lab_run_clear(&r);
		}
	}
}

static void bad_jwe_rsa(void **state)
{
	RUN(&lab, .script = { "get jwe-key" }, .key = "rsa-2048");
	expect_error(&r, ERR_INDETERMINATE, "jwe");
	assert_int_equal(r.server[0].counts->distinct_keys, 2);
	lab_run_clear(&r);
}

/* A plugin that does not encrypt: the secret is not taken, and not quoted either. */
static void unencrypted_secret(void **state)
{
	RUN(&lab, .script = { "get plain" }, .stop_after = 1);
	expect_error(&r, ERR_INDETERMINATE, "kbs-answer");
	lab_run_clear(&r);
}

static void other_answers_are_retried(void **state)
{
	static const char *const scripts[] = {
		"auth status 404; auth ok",
		"auth body 200 {}; auth ok",
		"auth body 200 []; auth ok",
		"auth body 200 {\"nonce\":\"a\",\"nonce\":\"b\"}; auth ok",
		"auth status 200; auth ok",
		"auth nonce \u00e9; auth ok",
		"auth error SomethingNew what; auth ok",
		"auth cut; auth ok",
		"auth garbage; auth ok",
		"auth huge; auth ok",
		"auth declared; auth ok",
		"auth headers; auth ok",
		"attest no-token; attest ok",
		"attest long-token; attest ok",
		"attest status 403; attest ok",
		"attest cut; attest ok",
		"get status 404; get ok",
		"get body 200 {\"protected\":1}; get ok",
		"get cut; get ok",
		"get garbage; get ok",
	};

	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		RUN(&lab, .script = { scripts[i] });
		expect_secret(&r);
		assert_int_equal(r.retries, 1);
		assert_int_equal(r.server[0].counts->requests[WHERE_AUTH], 2);
		lab_run_clear(&r);
	}
}

static void other_answers_are_indeterminate(void **state)
{
	static const struct {
		const char *script, *id;
	} cases[] = {
		{ "auth status 404", "kbs-answer" },	 { "auth garbage", "http-protocol" },
		{ "attest status 403", "kbs-answer" },	 { "auth huge", "http-oversize" },
		{ "auth declared", "http-oversize" },	 { "auth headers", "http-oversize" },
		{ "get cut", "http-protocol" },		 { "auth redirect https://127.0.0.1:1/x", "kbs-answer" },
		{ "auth error SomethingNew x", "kbs-answer" }, { "auth status 429", "kbs-busy" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		RUN(&lab, .script = { cases[i].script }, .stop_after = 2);
		expect_error(&r, ERR_INDETERMINATE, cases[i].id);
		lab_run_clear(&r);
	}
}

/* "Indeterminate" seen once bars "unreachable" for the rest of the fetch. */
static void indeterminate_outlives_the_network(void **state)
{
	static const char *const scripts[] = {
		"auth status 404; auth close",
		"get error PluginInternalError x; get close; auth ok; auth close",
		"get error TokenNotFound x; auth ok; auth close",
	};

	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		RUN(&lab, .script = { scripts[i] }, .stop_after = 4);
		assert_int_equal(r.result, -1);
		assert_int_equal(err_class(r.err), ERR_INDETERMINATE);
		lab_run_clear(&r);
	}
}

/* Room for a TLS handshake and the first bytes of an answer in a sanitizer's build on a busy machine. */
#define SLOW_MS 1200

static void slow_answers(void **state)
{
	static const struct {
		const char *script, *id;
		enum err_class cls;
	} cases[] = {
		{ "auth stall", "net-timeout", ERR_UNREACHABLE },
		{ "attest stall", "net-timeout", ERR_UNREACHABLE },
		{ "auth half", "http-protocol", ERR_INDETERMINATE },
		{ "auth drip", "http-protocol", ERR_INDETERMINATE },
		{ "auth trickle", "net-timeout", ERR_UNREACHABLE },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		RUN(&lab, .script = { cases[i].script }, .stop_after = 1, .request_ms = SLOW_MS);
		expect_error(&r, cases[i].cls, cases[i].id);
		assert_true(r.took_ms >= SLOW_MS);
		lab_run_clear(&r);
	}
}

static void unreachable(void **state)
{
	static const struct {
		const char *script, *id;
		unsigned int connect_ms; /* short only where nobody answers: elsewhere a busy machine would meet it */
	} cases[] = {
		{ "accept reset", NULL }, { "accept plain", "net-tls" },  { "accept silent", "net-timeout", 200 },
		{ "auth close", "net-connect" }, { "auth status 500", "kbs-busy" }, { "auth status 503", "kbs-busy" },
		{ "get status 502", "kbs-busy" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		RUN(&lab, .script = { cases[i].script }, .stop_after = 2, .connect_ms = cases[i].connect_ms);
		assert_int_equal(r.result, -1);
		assert_int_equal(err_class(r.err), ERR_UNREACHABLE);
		if (cases[i].id)
			assert_string_equal(err_id(r.err), cases[i].id);
		assert_int_equal(r.retries, 2);
		lab_run_clear(&r);
	}
}

static void next_url(void **state)
{
	static const char *const first[] = { "accept reset", "auth status 503 60", "accept plain", "auth close", "auth status 404",
					     "attest close", "get close", "get status 500" };

	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
		RUN(&lab, .script = { first[i], "" });
		expect_secret(&r);
		assert_string_equal(r.url, r.server[1].url);
		assert_int_equal(r.server[1].counts->requests[WHERE_AUTH], 1);
		assert_int_equal(r.server[1].counts->bad_cookie, 0); /* the other server's session is not shown to this one */
		assert_true(r.took_ms < 20000); /* not the 60 s of Retry-After */
		lab_run_clear(&r);
	}
}

static void retry_after(void **state)
{
	RUN(&lab, .script = { "auth status 503 1; auth ok" });
	expect_secret(&r);
	assert_true(r.took_ms >= 1000);
	lab_run_clear(&r);
}

static void make_stranger(struct testcert *ret)
{
	static const struct testcert_params params = { 0 };
	struct testca *other = testca_new("another authority");

	testcert_make(other, &params, ret);
	testca_free(other);
}

static void identity(void **state)
{
	struct testcert stranger;

	make_stranger(&stranger);
	{
		RUN(&lab, .script = { "" }, .cert = { &stranger });
		expect_error(&r, ERR_IDENTITY, "tls-identity");
		expect_requests(&r, 0, 0, 0, 0);
		assert_int_equal(r.server[0].counts->connections, 1);
		lab_run_clear(&r);
	}
	{
		RUN(&lab, .script = { "", "" }, .cert = { &stranger, NULL });
		expect_secret(&r);
		assert_string_equal(r.url, r.server[1].url);
		lab_run_clear(&r);
	}
	{
		/* Every other URL gets one chance, no more, and the verdict stays identity. */
		RUN(&lab, .script = { "accept reset", "", "accept reset" }, .cert = { NULL, &stranger, NULL });
		expect_error(&r, ERR_IDENTITY, "tls-identity");
		assert_int_equal(r.server[0].counts->connections, 2);
		assert_int_equal(r.server[1].counts->connections, 1);
		assert_int_equal(r.server[2].counts->connections, 1);
		lab_run_clear(&r);
	}
	{
		/* The right server's refusal is an answer. */
		RUN(&lab, .script = { "", "get error PolicyDeny x" }, .cert = { &stranger, NULL });
		expect_error(&r, ERR_REFUSED, "kbs-policy-deny");
		lab_run_clear(&r);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(final_refusals),
		cmocka_unit_test(attestation_error_is_paced),
		cmocka_unit_test(attestation_error_passes),
		cmocka_unit_test(refusal_outlives_the_network),
		cmocka_unit_test(attestation_error_at_auth_is_no_refusal),
		cmocka_unit_test(plugin_error_is_repeated),
		cmocka_unit_test(plugin_error_lasts),
		cmocka_unit_test(lost_token),
		cmocka_unit_test(bad_jwe),
		cmocka_unit_test(bad_jwe_rsa),
		cmocka_unit_test(unencrypted_secret),
		cmocka_unit_test(other_answers_are_retried),
		cmocka_unit_test(other_answers_are_indeterminate),
		cmocka_unit_test(indeterminate_outlives_the_network),
		cmocka_unit_test(slow_answers),
		cmocka_unit_test(unreachable),
		cmocka_unit_test(next_url),
		cmocka_unit_test(retry_after),
		cmocka_unit_test(identity),
	};
	int r;

	lab_open(&lab);
	r = cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
	lab_close(&lab);
	return r;
}
