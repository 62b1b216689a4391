/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Good handshakes: keys, versions, hashes, and what is made anew for each attempt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/loopback/lab_check.h"

static struct lab lab;

static void plain_success(void **state)
{
	RUN(&lab, .script = { "" });
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
		RUN(&lab, .script = { "" }, .key = cases[i].key);
		expect_secret(&r);
		assert_string_equal(r.server[0].counts->key_type, cases[i].seen);
		lab_run_clear(&r);
	}
}

/* The RSA key cannot be ready before a loopback server has answered /auth. */
static void key_auto_takes_ec_first(void **state)
{
	RUN(&lab, .script = { "" }, .key = "auto");
	expect_secret(&r);
	assert_string_equal(r.server[0].counts->key_type, "P-256");
	lab_run_clear(&r);
}

static void several_secrets_one_handshake(void **state)
{
	RUN(&lab, .script = { "" }, .fetches = 8);
	expect_secret(&r);
	expect_requests(&r, 0, 1, 1, 8);
	assert_int_equal(r.server[0].counts->connections, 1);
	lab_run_clear(&r);
}

static void attest_alone(void **state)
{
	RUN(&lab, .script = { "" }, .attest_only = true);
	expect_secret(&r);
	expect_requests(&r, 0, 1, 1, 0);
	lab_run_clear(&r);
}

static void hash_by_selected_algorithm(void **state)
{
	static const char *const scripts[] = { "auth hash sha256", "auth hash sha384", "auth hash sha512", "auth hash SHA512" };

	for (size_t i = 0; i < 4; i++) {
		RUN(&lab, .script = { scripts[i] });
		expect_secret(&r);
		lab_run_clear(&r);
	}
}

static void unknown_hash(void **state)
{
	RUN(&lab, .script = { "auth hash sm3" }, .stop_after = 1);
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
		RUN(&lab, .script = { "" }, .protocol = good[i].server, .min_protocol = good[i].min, .allow_rsa1_5 = good[i].rsa1_5,
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
		RUN(&lab, .script = { "" }, .protocol = bad[i].server, .min_protocol = bad[i].min);
		expect_error(&r, ERR_CONFIG, "kbs-version");
		assert_non_null(strstr(err_message(r.err), bad[i].server));
		expect_requests(&r, 0, 1, 0, 0);
		lab_run_clear(&r);
	}
}

static void version_of_the_future(void **state)
{
	RUN(&lab, .script = { "auth version 1.0.0" });
	expect_error(&r, ERR_CONFIG, "kbs-version");
	assert_non_null(strstr(err_message(r.err), "1.0.0"));
	lab_run_clear(&r);
}

static void version_that_is_never_right(void **state)
{
	RUN(&lab, .script = { "auth version 0.4.0" }, .stop_after = 1);
	expect_error(&r, ERR_INDETERMINATE, "kbs-answer");
	lab_run_clear(&r);
}

static void rsa1_5_needs_rsa(void **state)
{
	RUN(&lab, .script = { "" }, .protocol = "0.1.1", .min_protocol = "0.1.0", .allow_rsa1_5 = true);
	expect_error(&r, ERR_CONFIG, "kbs-key");
	lab_run_clear(&r);
}

#define INIT_DATA "version = \"0.1.0\"\nalgorithm = \"sha256\"\n[data]\n"

static void init_data_is_sent(void **state)
{
	RUN(&lab, .script = { "" }, .init_data = INIT_DATA, .init_data_required = true);
	expect_secret(&r);
	assert_int_equal(r.server[0].counts->init_data, 1);
	lab_run_clear(&r);
}

/* Before 0.4.0 the protocol has no place for it: optional init-data stay at home, required ones end the session. */
static void init_data_and_old_brokers(void **state)
{
	{
		RUN(&lab, .script = { "" }, .protocol = "0.2.0", .init_data = INIT_DATA);
		expect_secret(&r);
		assert_int_equal(r.server[0].counts->init_data, 0);
		lab_run_clear(&r);
	}
	{
		RUN(&lab, .script = { "" }, .protocol = "0.2.0", .init_data = INIT_DATA, .init_data_required = true);
		expect_error(&r, ERR_CONFIG, "kbs-init-data");
		assert_non_null(strstr(err_message(r.err), "0.2.0"));
		expect_requests(&r, 0, 2, 0, 0);
		lab_run_clear(&r);
	}
}

static void new_key_only_when_sent(void **state)
{
	{
		RUN(&lab, .script = { "accept reset; accept reset; accept ok; auth close; auth ok" });
		expect_secret(&r);
		assert_int_equal(r.server[0].counts->distinct_keys, 1);
		lab_run_clear(&r);
	}
	{
		/* A kept connection that turns out to be closed costs nothing: libcurl sends the same request once more. */
		RUN(&lab, .script = { "attest close; attest ok" });
		expect_secret(&r);
		expect_requests(&r, 0, 1, 2, 1);
		assert_int_equal(r.collected, 1);
		lab_run_clear(&r);
	}
	{
		/* Closed on a fresh one too: the request may have been read, so its key is spent. */
		RUN(&lab, .script = { "attest*2 close; attest ok" });
		expect_secret(&r);
		expect_requests(&r, 0, 2, 3, 1);
		assert_int_equal(r.server[0].counts->distinct_keys, 2);
		assert_int_equal(r.collected, 2);
		lab_run_clear(&r);
	}
}

static void nonce_repeated(void **state)
{
	RUN(&lab, .script = { "auth same-nonce; attest error AttestationError x; attest ok" });
	expect_secret(&r);
	assert_int_equal(r.server[0].counts->distinct_keys, 2);
	lab_run_clear(&r);
}

static void cookie_missing(void **state)
{
	RUN(&lab, .script = { "auth no-cookie; auth ok" });
	expect_secret(&r);
	assert_int_equal(r.server[0].counts->bad_cookie, 1);
	lab_run_clear(&r);
}

static void no_evidence_is_final(void **state)
{
	RUN(&lab, .script = { "" }, .no_evidence = true);
	expect_error(&r, ERR_NOEVIDENCE, "vmpck");
	expect_requests(&r, 0, 1, 0, 0);
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
		cmocka_unit_test(init_data_and_old_brokers),
		cmocka_unit_test(new_key_only_when_sent),
		cmocka_unit_test(nonce_repeated),
		cmocka_unit_test(cookie_missing),
		cmocka_unit_test(no_evidence_is_final),
	};
	int r;

	lab_open(&lab);
	r = cmocka_run_group_tests_name("session", tests, NULL, NULL);
	lab_close(&lab);
	return r;
}
