/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Every row of contracts.md 4, with the real session, the real child and real TLS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/loopback/lab.h"

/* untouched: its child sees good answers only, and none of the plain text that a test sends on purpose. */
static struct lab lab, untouched;

#define RUN(...) struct lab_run r = { __VA_ARGS__ }; lab_run(&lab, &r)

static void expect_secret(const struct lab_run *r)
{
	if (r->result != 0)
		print_message("unexpected: %s: %s\n", err_class_name(err_class(r->err)), err_message(r->err));
	assert_int_equal(r->result, 0);
	assert_int_equal(r->server[0].counts->bad_binding, 0);
	assert_false(r->server[0].counts->foreign_header);
}

static void expect_error(const struct lab_run *r, enum err_class cls, const char *id)
{
	assert_int_equal(r->result, -1);
	if (err_class(r->err) != cls || strcmp(err_id(r->err), id) != 0)
		print_message("unexpected: %s %s: %s\n", err_class_name(err_class(r->err)), err_id(r->err), err_message(r->err));
	assert_int_equal(err_class(r->err), cls);
	assert_string_equal(err_id(r->err), id);
	assert_null(strstr(err_message(r->err), LAB_SECRET));
	assert_null(strstr(err_hint_text(r->err), LAB_SECRET));
}

static void expect_requests(const struct lab_run *r, size_t i, unsigned int auth, unsigned int attest, unsigned int get)
{
	const struct fault_counts *c = r->server[i].counts;

	assert_int_equal(c->requests[WHERE_AUTH], auth);
	assert_int_equal(c->requests[WHERE_ATTEST], attest);
	assert_int_equal(c->requests[WHERE_GET], get);
}

static void plain_success(void **state)
{
	RUN(.script = { "" });
	expect_secret(&r);
	expect_requests(&r, 0, 1, 1, 1);
	assert_int_equal(r.server[0].counts->connections, 1);
	assert_int_equal(r.collected, 1);
	assert_int_equal(r.retries, 0);
	assert_int_equal(r.spoke, KBS_0_4_0);
	assert_string_equal(r.server[0].counts->key_type, "P-256");
	assert_string_equal(r.phases, "net+ net- auth+ auth- attest+ attest- get+ get- ");
	assert_string_equal(r.peer, lab.cert.pin);
	lab_run_clear(&r);
}

static void keys(void **state)
{
	static const struct {
		const char *key, *seen;
	} cases[] = {
		{ "rsa-2048", "RSA 2048" }, { "rsa-3072", "RSA 3072" }, { "ec-p256", "P-256" }, { "ec-p521", "P-521" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		RUN(.script = { "" }, .key = cases[i].key);
		expect_secret(&r);
		assert_string_equal(r.server[0].counts->key_type, cases[i].seen);
		lab_run_clear(&r);
	}
}

/* The RSA key cannot be ready before a loopback server has answered /auth. */
static void key_auto_takes_ec_first(void **state)
{
	RUN(.script = { "" }, .key = "auto");
	expect_secret(&r);
	assert_string_equal(r.server[0].counts->key_type, "P-256");
	lab_run_clear(&r);
}

static void several_secrets_one_handshake(void **state)
{
	RUN(.script = { "" }, .fetches = 8);
	expect_secret(&r);
	expect_requests(&r, 0, 1, 1, 8);
	assert_int_equal(r.server[0].counts->connections, 1);
	lab_run_clear(&r);
}

static void attest_alone(void **state)
{
	RUN(.script = { "" }, .attest_only = true);
	expect_secret(&r);
	expect_requests(&r, 0, 1, 1, 0);
	lab_run_clear(&r);
}

static void hash_by_selected_algorithm(void **state)
{
	static const char *const scripts[] = { "auth hash sha256", "auth hash sha384", "auth hash sha512", "auth hash SHA512" };

	for (size_t i = 0; i < 4; i++) {
		RUN(.script = { scripts[i] });
		expect_secret(&r);
		lab_run_clear(&r);
	}
}

static void unknown_hash(void **state)
{
	RUN(.script = { "auth hash sm3" }, .stop_after = 1);
	expect_error(&r, ERR_INDETERMINATE, "kbs-answer");
	assert_int_equal(r.collected, 0);
	lab_run_clear(&r);
}

static void versions(void **state)
{
	static const struct {
		const char *server, *min, *key, *seen;
		bool rsa1_5;
	} good[] = {
		{ "0.2.0", "0.2.0", "ec-p256", "P-256", false },
		{ "0.2.0", "0.2.0", "rsa-2048", "RSA 2048", false },
		{ "0.1.1", "0.1.0", "rsa-2048", "RSA1_5 2048", true },
		{ "0.1.0", "0.1.0", "rsa-2048", "RSA1_5 2048", true },
		{ "0.1.0", "0.1.0", "auto", "RSA1_5 3072", true },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		RUN(.script = { "" }, .protocol = good[i].server, .min_protocol = good[i].min, .allow_rsa1_5 = good[i].rsa1_5,
		    .key = good[i].key);
		expect_secret(&r);
		assert_string_equal(kbs_protocol_name(r.spoke), good[i].server);
		expect_requests(&r, 0, 2, 1, 1);
		assert_string_equal(r.server[0].counts->key_type, good[i].seen);
		lab_run_clear(&r);
	}
}

static void version_not_allowed(void **state)
{
	static const struct {
		const char *server, *min;
	} bad[] = { { "0.2.0", "0.4.0" }, { "0.1.1", "0.2.0" }, { "0.1.1", "0.1.0" } /* allowed, but no RSA1_5 */ };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		RUN(.script = { "" }, .protocol = bad[i].server, .min_protocol = bad[i].min);
		expect_error(&r, ERR_CONFIG, "kbs-version");
		assert_non_null(strstr(err_message(r.err), bad[i].server));
		expect_requests(&r, 0, 1, 0, 0);
		lab_run_clear(&r);
	}
}

static void version_of_the_future(void **state)
{
	RUN(.script = { "auth version 1.0.0" });
	expect_error(&r, ERR_CONFIG, "kbs-version");
	assert_non_null(strstr(err_message(r.err), "1.0.0"));
	lab_run_clear(&r);
}

static void version_that_is_never_right(void **state)
{
	RUN(.script = { "auth version 0.4.0" }, .stop_after = 1);
	expect_error(&r, ERR_INDETERMINATE, "kbs-answer");
	lab_run_clear(&r);
}

static void rsa1_5_needs_rsa(void **state)
{
	RUN(.script = { "" }, .protocol = "0.1.1", .min_protocol = "0.1.0", .allow_rsa1_5 = true);
	expect_error(&r, ERR_CONFIG, "kbs-key");
	lab_run_clear(&r);
}

static void init_data_is_sent(void **state)
{
	RUN(.script = { "" }, .init_data = "version = \"0.1.0\"\nalgorithm = \"sha256\"\n[data]\n");
	expect_secret(&r);
	lab_run_clear(&r);
}

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
		RUN(.script = { cases[i].script, "" }); /* the second server is never asked */
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
	RUN(.script = { "attest error AttestationError Attestation error: RCAR handshake Attest failed", "" });
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
	RUN(.script = { "attest*3 error AttestationError x; attest ok" });
	expect_secret(&r);
	expect_requests(&r, 0, 4, 4, 1);
	assert_int_equal(r.server[0].counts->distinct_keys, 4);
	assert_non_null(strstr(r.phases, "attest+ attest!kbs-attestation net+ net- "));
	lab_run_clear(&r);
}

/* The host may not turn a refusal into "unreachable" by cutting the network afterwards. */
static void refusal_outlives_the_network(void **state)
{
	RUN(.script = { "attest error AttestationError x; accept ok; accept reset; attest error AttestationError x; auth ok; auth close" },
	    .stop_after = 4);
	expect_error(&r, ERR_REFUSED, "kbs-attestation");
	lab_run_clear(&r);
}

static void attestation_error_at_auth_is_no_refusal(void **state)
{
	RUN(.script = { "auth error AttestationError Attestation error: RCAR handshake Auth failed: AS down; auth ok" });
	expect_secret(&r);
	expect_requests(&r, 0, 2, 1, 1);
	lab_run_clear(&r);
}

static void plugin_error_is_repeated(void **state)
{
	RUN(.script = { "get*3 error PluginInternalError Plugin internal error; get ok" });
	expect_secret(&r);
	expect_requests(&r, 0, 1, 1, 4); /* no new handshake: that would burn certificate fetches */
	lab_run_clear(&r);
}

static void plugin_error_lasts(void **state)
{
	RUN(.script = { "get error PluginInternalError Plugin internal error", "" });
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
			RUN(.script = { once });
			expect_secret(&r);
			expect_requests(&r, 0, 2, 2, 2);
			assert_int_equal(r.server[0].counts->distinct_keys, 2);
			lab_run_clear(&r);
		}
		{
			RUN(.script = { always });
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
			RUN(.script = { once });
			expect_secret(&r);
			expect_requests(&r, 0, 2, 2, 2);
			assert_int_equal(r.server[0].counts->distinct_keys, 2);
			lab_run_clear(&r);
		}
		{
			RUN(.script = { always });
			expect_error(&r, ERR_INDETERMINATE, "jwe");
			expect_requests(&r, 0, 2, 2, 2);
			lab_run_clear(&r);
		}
	}
}

static void bad_jwe_rsa(void **state)
{
	RUN(.script = { "get jwe-key" }, .key = "rsa-2048");
	expect_error(&r, ERR_INDETERMINATE, "jwe");
	assert_int_equal(r.server[0].counts->distinct_keys, 2);
	lab_run_clear(&r);
}

/* A plugin that does not encrypt: the secret is not taken, and not quoted either. */
static void unencrypted_secret(void **state)
{
	RUN(.script = { "get plain" }, .stop_after = 1);
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
		RUN(.script = { scripts[i] });
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
		{ "auth error SomethingNew x", "kbs-answer" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		RUN(.script = { cases[i].script }, .stop_after = 2);
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
		RUN(.script = { scripts[i] }, .stop_after = 4);
		assert_int_equal(r.result, -1);
		assert_int_equal(err_class(r.err), ERR_INDETERMINATE);
		lab_run_clear(&r);
	}
}

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
		RUN(.script = { cases[i].script }, .stop_after = 1, .request_ms = 400);
		expect_error(&r, cases[i].cls, cases[i].id);
		assert_true(r.took_ms >= 400);
		lab_run_clear(&r);
	}
}

static void unreachable(void **state)
{
	static const struct {
		const char *script, *id;
	} cases[] = {
		{ "accept reset", NULL }, { "accept plain", "net-tls" },  { "accept silent", "net-timeout" },
		{ "auth close", "net-connect" }, { "auth status 500", "kbs-busy" }, { "auth status 503", "kbs-busy" },
		{ "auth status 429", "kbs-busy" }, { "get status 502", "kbs-busy" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		RUN(.script = { cases[i].script }, .stop_after = 2, .connect_ms = 200);
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
		RUN(.script = { first[i], "" });
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
	RUN(.script = { "auth status 503 1; auth ok" });
	expect_secret(&r);
	assert_true(r.took_ms >= 1000);
	lab_run_clear(&r);
}

static void new_key_only_when_sent(void **state)
{
	{
		RUN(.script = { "accept reset; accept reset; accept ok; auth close; auth ok" });
		expect_secret(&r);
		assert_int_equal(r.server[0].counts->distinct_keys, 1);
		lab_run_clear(&r);
	}
	{
		/* A kept connection that turns out to be closed costs nothing: libcurl sends the same request once more. */
		RUN(.script = { "attest close; attest ok" });
		expect_secret(&r);
		expect_requests(&r, 0, 1, 2, 1);
		assert_int_equal(r.collected, 1);
		lab_run_clear(&r);
	}
	{
		/* Closed on a fresh one too: the request may have been read, so its key is spent. */
		RUN(.script = { "attest*2 close; attest ok" });
		expect_secret(&r);
		expect_requests(&r, 0, 2, 3, 1);
		assert_int_equal(r.server[0].counts->distinct_keys, 2);
		assert_int_equal(r.collected, 2);
		lab_run_clear(&r);
	}
}

static void nonce_repeated(void **state)
{
	RUN(.script = { "auth same-nonce; attest error AttestationError x; attest ok" });
	expect_secret(&r);
	assert_int_equal(r.server[0].counts->distinct_keys, 2);
	lab_run_clear(&r);
}

static void cookie_missing(void **state)
{
	RUN(.script = { "auth no-cookie; auth ok" });
	expect_secret(&r);
	assert_int_equal(r.server[0].counts->bad_cookie, 1);
	lab_run_clear(&r);
}

static void no_evidence_is_final(void **state)
{
	RUN(.script = { "" }, .no_evidence = true);
	expect_error(&r, ERR_NOEVIDENCE, "vmpck");
	expect_requests(&r, 0, 1, 0, 0);
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
		RUN(.script = { "" }, .cert = { &stranger });
		expect_error(&r, ERR_IDENTITY, "tls-identity");
		expect_requests(&r, 0, 0, 0, 0);
		assert_int_equal(r.server[0].counts->connections, 1);
		lab_run_clear(&r);
	}
	{
		RUN(.script = { "", "" }, .cert = { &stranger, NULL });
		expect_secret(&r);
		assert_string_equal(r.url, r.server[1].url);
		lab_run_clear(&r);
	}
	{
		/* Every other URL gets one chance, no more, and the verdict stays identity. */
		RUN(.script = { "accept reset", "", "accept reset" }, .cert = { NULL, &stranger, NULL });
		expect_error(&r, ERR_IDENTITY, "tls-identity");
		assert_int_equal(r.server[0].counts->connections, 2);
		assert_int_equal(r.server[1].counts->connections, 1);
		assert_int_equal(r.server[2].counts->connections, 1);
		lab_run_clear(&r);
	}
	{
		/* The right server's refusal is an answer. */
		RUN(.script = { "", "get error PolicyDeny x" }, .cert = { &stranger, NULL });
		expect_error(&r, ERR_REFUSED, "kbs-policy-deny");
		lab_run_clear(&r);
	}
}

struct raw {
	const char *urls[2];
	struct kbs_intervals intervals;
	struct kbs_params p;
};

/* A session that is set up by hand. */
static void prepare(struct raw *r, const char *url, struct transport *t)
{
	*r = (struct raw){
		.urls = { url },
		.intervals = { .backoff = 20, .backoff_max = 50, .request = 5000, .plugin = 5000, .refused = { 5000, 5000, 5000 } },
		.p = {
			.source = { .transport = { .ca_pem = testca_pem(lab.ca) }, .min_protocol = KBS_0_2_0, .key = { .type = KEY_EC_P256 } },
			.transport = t,
			.tee = "sample",
			.collect = lab_collect,
			.deadline = deadline_in_ms(20000),
		},
	};
	r->p.source.transport.urls = r->urls;
	r->p.intervals = &r->intervals;
}

static void nobody_there(void **state)
{
	struct kbs_session *s = NULL;
	struct err *e = NULL;
	struct raw r;

	prepare(&r, "https://127.0.0.1:1", lab.transport);
	r.p.deadline = deadline_in_ms(200);
	assert_int_equal(kbs_session_new(&r.p, &s, &e), 0);
	assert_int_equal(kbs_session_attest(s, &e), -1);
	assert_int_equal(err_class(e), ERR_UNREACHABLE);
	assert_string_equal(err_id(e), "net-connect");
	assert_true(deadline_passed(r.p.deadline));
	assert_string_equal(kbs_session_token(s), "");
	err_free(e);
	kbs_session_free(s);
}

static int kill_child(void *ctx, const uint8_t report_data[static 64], struct deadline d, char **ret_json, struct err **err)
{
	kill(transport_pid(ctx), SIGKILL);
	return lab_collect(NULL, report_data, d, ret_json, err);
}

/* Indeterminate, once and at once: it is not started again. */
static void child_dies(void **state)
{
	const struct fault_conf f = { .cert = &lab.cert, .script = "", .secret = LAB_SECRET };
	struct kbs_session *s = NULL;
	struct transport *t = NULL;
	struct fault_server server;
	struct err *e = NULL;
	uint64_t before = clock_ns();
	struct raw r;

	assert_int_equal(transport_start(kbs_reduce, &t, NULL), 0);
	fault_start(&f, &server);
	prepare(&r, server.url, t);
	r.p.collect = kill_child;
	r.p.collect_ctx = t;
	assert_int_equal(kbs_session_new(&r.p, &s, &e), 0);
	assert_int_equal(kbs_session_attest(s, &e), -1);
	assert_int_equal(err_class(e), ERR_INDETERMINATE);
	assert_string_equal(err_id(e), "transport");
	assert_true(clock_ns() - before < 2 * NSEC_PER_SEC);
	err_free(e);
	kbs_session_free(s);
	fault_forget(&server);
	transport_stop(t);
}

static void *cancel_soon(void *arg)
{
	usleep(100000);
	clock_cancel();
	return NULL;
}

/* In a request, in a pause, while a key is made. */
static void cancelled(void **state)
{
	static const char *const scripts[] = { "auth stall", "attest error AttestationError x", "get error PluginInternalError x", "" };

	for (size_t i = 0; i < 4; i++) {
		const struct fault_conf f = { .cert = &lab.cert, .script = scripts[i], .secret = LAB_SECRET };
		struct kbs_session *s = NULL;
		struct fault_server server;
		struct secret *secret = NULL;
		struct resource_uri uri;
		struct err *e = NULL;
		uint64_t before = clock_ns();
		pthread_t thread;
		struct raw r;

		fault_start(&f, &server);
		prepare(&r, server.url, lab.transport);
		r.intervals.backoff = i == 2 ? 5000 : 20;
		r.p.source.key.type = i == 3 ? KEY_RSA_4096 : KEY_EC_P256;
		assert_int_equal(resource_uri_parse("a/b/c", &uri, NULL), 0);
		assert_int_equal(kbs_session_new(&r.p, &s, &e), 0);
		pthread_create(&thread, NULL, cancel_soon, NULL);
		/* An RSA-4096 key in 0.1 s is luck, and then there is nothing to cancel. */
		if (kbs_session_fetch(s, &uri, &secret, &e) < 0) {
			assert_int_equal(err_class(e), ERR_TIMEOUT);
			assert_string_equal(err_id(e), "cancelled");
		} else {
			assert_int_equal(i, 3);
		}
		pthread_join(thread, NULL);
		clock_cancel_reset();
		kbs_session_free(s);
		assert_true(clock_ns() - before < 2 * NSEC_PER_SEC);
		secret_free(secret);
		err_free(e);
		fault_forget(&server);
	}
}

/* Two brokers, one child: what one has configured must not serve the other. */
static void two_sessions_share_the_child(void **state)
{
	const struct fault_conf f = { .cert = &lab.cert, .script = "", .secret = LAB_SECRET };
	struct fault_server server[2];
	struct kbs_session *s[2] = { NULL, NULL };
	struct resource_uri uri;
	struct raw r[2];

	assert_int_equal(resource_uri_parse("a/b/c", &uri, NULL), 0);
	for (int i = 0; i < 2; i++) {
		fault_start(&f, &server[i]);
		prepare(&r[i], server[i].url, lab.transport);
		assert_int_equal(kbs_session_new(&r[i].p, &s[i], NULL), 0);
	}
	for (int i = 0; i < 6; i++) {
		struct secret *secret = NULL;

		assert_int_equal(kbs_session_fetch(s[i / 2 % 2], &uri, &secret, NULL), 0);
		secret_free(secret);
	}
	/* 0 0 1 1 0 0: the first hand-shakes again when it comes back, with a new key. */
	assert_int_equal(server[0].counts->requests[WHERE_AUTH], 2);
	assert_int_equal(server[0].counts->requests[WHERE_GET], 4);
	assert_int_equal(server[0].counts->distinct_keys, 2);
	assert_int_equal(server[1].counts->requests[WHERE_AUTH], 1);
	assert_int_equal(server[1].counts->requests[WHERE_GET], 2);
	for (int i = 0; i < 2; i++) {
		kbs_session_free(s[i]);
		fault_forget(&server[i]);
	}
}

/* Reads all that can be read of a process; true when the text is in it. */
static bool memory_holds(int mem, FILE *maps, const char *text)
{
	unsigned long from, to;
	bool found = false;
	char line[512], rights[8];

	rewind(maps);
	while (!found && fgets(line, sizeof(line), maps)) {
		char *data;
		ssize_t n;

		if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) != 3 || to - from > 256 * 1024 * 1024 || rights[1] != 'w')
			continue;
		data = malloc(to - from);
		assert_non_null(data);
		n = pread(mem, data, to - from, (off_t)from);
		found = n > 0 && memmem(data, (size_t)n, text, strlen(text)) != NULL;
		free(data);
	}
	return found;
}

/* The transport process carries the encrypted answer and nothing more. Needs the right to look into it. */
static void secret_never_in_the_child(void **state)
{
	char path[64];
	FILE *maps;
	int mem;
	struct lab_run r = { .script = { "" } };

	lab_run(&untouched, &r);
	expect_secret(&r);
	snprintf(path, sizeof(path), "/proc/%d/mem", transport_pid(untouched.transport));
	mem = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/maps", transport_pid(untouched.transport));
	maps = fopen(path, "re");
	if (mem >= 0 && maps) {
		assert_true(memory_holds(mem, maps, "/kbs/v0/")); /* the search works */
		assert_false(memory_holds(mem, maps, LAB_SECRET));
	} else {
		assert_int_not_equal(geteuid(), 0);
		print_message("not allowed to read the child's memory: not checked\n");
	}
	if (mem >= 0)
		close(mem);
	if (maps)
		fclose(maps);
	lab_run_clear(&r);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_success),
		cmocka_unit_test(keys),
		cmocka_unit_test(key_auto_takes_ec_first),
		cmocka_unit_test(several_secrets_one_handshake),
		cmocka_unit_test(attest_alone),
		cmocka_unit_test(hash_by_selected_algorithm),
		cmocka_unit_test(unknown_hash),
		cmocka_unit_test(versions),
		cmocka_unit_test(version_not_allowed),
		cmocka_unit_test(version_of_the_future),
		cmocka_unit_test(version_that_is_never_right),
		cmocka_unit_test(rsa1_5_needs_rsa),
		cmocka_unit_test(init_data_is_sent),
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
		cmocka_unit_test(new_key_only_when_sent),
		cmocka_unit_test(nonce_repeated),
		cmocka_unit_test(cookie_missing),
		cmocka_unit_test(no_evidence_is_final),
		cmocka_unit_test(identity),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(child_dies),
		cmocka_unit_test(cancelled),
		cmocka_unit_test(two_sessions_share_the_child),
		cmocka_unit_test(secret_never_in_the_child),
	};
	int r;

	lab_open(&lab);
	lab_open(&untouched);
	r = cmocka_run_group_tests_name("session", tests, NULL, NULL);
	lab_close(&untouched);
	lab_close(&lab);
	return r;
}
