/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The protocol against a real server over TLS: what succeeds, paths, tokens, sessions (kbs-protocol.md 2.4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/text.h"
#include "tests/loopback/kbsd_case.h"
#include "wire/ear_token.h"

static void assert_unlocks(enum kbs_protocol p, enum tee_kind tee, enum key_type type)
{
	struct agent a;

	agent_open(&a, &k, p, tee, type);
	agent_attest(&a, &r);
	assert_int_equal(r.status, 200);
	assert_string_equal(r.content_type, "application/json");
	assert_string_equal(r.cookie, a.cookie); /* sent again with the token */
	agent_get(&a, PATH_ROOT, &r);
	if (!agent_reply_is(&a, &r, SECRET))
		fail_msg("protocol %s tee %s key %s: %d %.200s", kbs_protocol_name(p), tee_kind_name(tee),
			 key_type_name(type), r.status, r.body);
	agent_close(&a);
}

static void test_success(void **state)
{
	(void)state;
	assert_unlocks(KBS_0_4_0, TEE_SNP, KEY_RSA_2048);
	assert_unlocks(KBS_0_4_0, TEE_SNP, KEY_EC_P256);
	assert_unlocks(KBS_0_4_0, TEE_SNP, KEY_EC_P521);
	assert_unlocks(KBS_0_4_0, TEE_TDX, KEY_EC_P256);
	assert_unlocks(KBS_0_2_0, TEE_SNP, KEY_EC_P256);
	assert_unlocks(KBS_0_2_0, TEE_TDX, KEY_EC_P256);
	assert_true(kbsd_log_has(&k, "released default/vm/root: 127.0.0.1"));
	assert_true(kbsd_log_has(&k, "covers kernel+initrd+cmdline"));
	assert_true(kbsd_log_has(&k, "TEST SERVER"));
}

/* Cookie and JWE in the form that Rust clients need: Expires in HTTP form, nothing that a cookie engine could refuse. */
static void test_wire_form(void **state)
{
	struct agent a;
	char day[4], month[4], zone[4];
	int d, y, h, m, s;

	(void)state;
	agent_open(&a, &k, KBS_0_4_0, TEE_SNP, KEY_EC_P256);
	agent_auth(&a, &r);
	assert_int_equal(strspn(r.cookie + strlen("kbs-session-id="), "0123456789abcdef"), 32);
	assert_int_equal(sscanf(r.set_cookie + strlen("kbs-session-id=") + 32, "; Expires=%3s, %2d %3s %4d %2d:%2d:%2d %3s",
				day, &d, month, &y, &h, &m, &s, zone), 8);
	assert_string_equal(zone, "GMT");
	assert_int_equal(strlen(a.nonce), 44);
	assert_non_null(strstr(r.body, "\"extra-params\":\"\""));
	_cleanup_free_ char *body = agent_attest_body(&a);
	agent_post_attest(&a, body, &r);
	agent_get(&a, PATH_ROOT, &r);
	assert_memory_equal(r.body, "{\"protected\":\"", 14);
	assert_null(strstr(r.body, "aad"));
	agent_close(&a);
}

static void test_token(void **state)
{
	struct agent a;
	json_t *claims = NULL;
	char extra[16384];

	(void)state;
	agent_open(&a, &k, KBS_0_4_0, TEE_SNP, KEY_EC_P256);
	agent_attest(&a, &r);
	assert_int_equal(ear_token_peek(a.token, &claims, NULL), 0);
	assert_true(json_integer_value(json_object_get(claims, "exp")) > json_integer_value(json_object_get(claims, "iat")));
	json_decref(claims);
	/* The token alone opens what the cookie opens. */
	snprintf(extra, sizeof(extra), "Authorization: Bearer %s\r\n", a.token);
	http_request(&a.http, "GET", PATH_ROOT, extra, NULL, &r);
	assert_true(agent_reply_is(&a, &r, SECRET));
	/* Every part of it counts. */
	for (size_t at = 5; at < strlen(a.token); at += strlen(a.token) / 7) {
		char saved = a.token[at];

		a.token[at] = saved == 'A' ? 'B' : 'A';
		snprintf(extra, sizeof(extra), "Authorization: Bearer %s\r\n", a.token);
		http_request(&a.http, "GET", PATH_ROOT, extra, NULL, &r);
		assert_true(response_is(&r, 401, "TokenVerifierError"));
		a.token[at] = saved;
	}
	http_request(&a.http, "GET", PATH_ROOT, "Authorization: Basic abc\r\n", NULL, &r);
	assert_true(response_is(&r, 401, "TokenNotFound"));
	agent_close(&a);
}

/* What a second server with the same signing key would issue for this session: everything right, only not the text it was given. */
static char *second_token(const struct agent *a, int64_t later)
{
	const char *const path[] = { "submods", "cpu0", "ear.veraison.annotated-evidence" };
	_cleanup_free_ char *file = text_printf("%s/token.key", k.dir), *pem = NULL;
	json_t *claims = NULL, *same = NULL;
	struct keypair *key = NULL;
	struct public_key pub;
	char *text = NULL;
	const json_t *tee;
	size_t len;

	assert_int_equal(file_read(AT_FDCWD, file, 65536, ERR_CONFIG, &pem, &len, NULL), 0);
	assert_int_equal(keypair_from_pem(pem, len, &key, NULL), 0);
	keypair_public(key, &pub);
	assert_int_equal(ear_token_peek(a->token, &claims, NULL), 0);
	tee = claims;
	for (size_t i = 0; i < 3; i++)
		tee = json_object_get(tee, path[i]);
	const struct ear_claims c = {
		.iat = json_integer_value(json_object_get(claims, "iat")),
		.exp = json_integer_value(json_object_get(claims, "exp")) + later,
		.tee = "snp",
		.status = "none",
		.policy_id = "cryptattest-kbs:at-release",
		.tee_claims = json_object_get(tee, "snp"),
		.report_data_hex = json_string_value(json_object_get(tee, "report_data")),
		.nonce = a->nonce,
		.tee_pubkey = &a->jwk,
	};
	assert_int_equal(ear_token_make(key, &c, &text, NULL), 0);
	assert_string_not_equal(text, a->token);
	assert_int_equal(ear_token_verify(&pub, text, time(NULL), &same, NULL), 0);
	if (!later)
		assert_true(json_equal(same, claims));
	json_decref(same);
	json_decref(claims);
	keypair_free(key);
	return text;
}

static void test_second_token(void **state)
{
	char extra[16384];
	struct agent a;

	(void)state;
	agent_open(&a, &k, KBS_0_4_0, TEE_SNP, KEY_EC_P256);
	agent_attest(&a, &r);
	for (int64_t later = 0; later <= 60; later += 60) {
		_cleanup_free_ char *text = second_token(&a, later);

		snprintf(extra, sizeof(extra), "Authorization: Bearer %s\r\n", text);
		http_request(&a.http, "GET", PATH_ROOT, extra, NULL, &r);
		assert_true(response_is(&r, 401, "TokenVerifierError"));
	}
	/* The one that it was given still opens. */
	snprintf(extra, sizeof(extra), "Authorization: Bearer %s\r\n", a.token);
	http_request(&a.http, "GET", PATH_ROOT, extra, NULL, &r);
	assert_true(agent_reply_is(&a, &r, SECRET));
	agent_close(&a);
}

static void test_auth_refusals(void **state)
{
	static const struct {
		const char *body, *detail;
	} rows[] = {
		{ "{\"version\":\"0.1.1\",\"tee\":\"snp\",\"extra-params\":{}}", "expect =0.4.0 while the request is 0.1.1" },
		{ "{\"version\":\"9.9.9\",\"tee\":\"snp\",\"extra-params\":{}}", "expect =0.4.0 while the request is 9.9.9" },
		{ "{\"version\":\"0.4.0\",\"tee\":\"sample\",\"extra-params\":{}}", "Auth failed" },
		{ "{\"version\":\"0.4.0\",\"tee\":\"none\",\"extra-params\":{}}", "Auth failed" },
		{ "{\"version\":\"0.4.0\"}", "Auth failed" },
		{ "{\"version\":\"0.4.0\",\"tee\":\"snp\",\"tee\":\"tdx\",\"extra-params\":{}}", "Auth failed" },
		{ "", "Auth failed" },
		{ "[[[[", "Auth failed" },
	};
	struct http h;

	(void)state;
	assert_true(http_open(&h, k.port, NULL, 0));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		http_request(&h, "POST", PATH_AUTH, "", rows[i].body, &r);
		assert_true(response_is(&r, 401, "AttestationError"));
		if (!strstr(r.body, rows[i].detail))
			fail_msg("%s: %s", rows[i].body, r.body);
		assert_string_equal(r.cookie, "");
	}
	http_close(&h);
}

static void test_paths(void **state)
{
	static const struct {
		const char *method, *path;
		int status;
		const char *type; /* NULL: empty body */
	} rows[] = {
		{ "GET", "/", 404, NULL },
		{ "GET", "/kbs/v1/auth", 404, NULL },
		{ "GET", "/healthz", 200, NULL },
		{ "GET", PATH_AUTH, 404, "PluginNotFound" },
		{ "GET", PATH_ATTEST, 404, "PluginNotFound" },
		{ "GET", "/kbs/v0/provisioner/default/x/root", 404, "PluginNotFound" },
		{ "GET", "/kbs/v0/", 404, "PluginNotFound" },
		{ "POST", PATH_ROOT, 401, "AdminAuthAccess" },
		{ "DELETE", PATH_ROOT, 401, "AdminAuthAccess" },
		{ "POST", "/kbs/v0/resource-policy", 401, "AdminAuthAccess" },
		{ "GET", PATH_ROOT, 401, "TokenNotFound" },
	};
	struct http h;

	(void)state;
	assert_true(http_open(&h, k.port, NULL, 0));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		http_request(&h, rows[i].method, rows[i].path, "", rows[i].method[0] == 'P' ? "x" : NULL, &r);
		if (r.status != rows[i].status || (!rows[i].type && r.len) ||
		    (rows[i].type && !response_is(&r, rows[i].status, rows[i].type)))
			fail_msg("%s %s: %d %.200s", rows[i].method, rows[i].path, r.status, r.body);
	}
	http_close(&h);
}

static void test_resources(void **state)
{
	static const char *const bad[] = { "default/vm", "default/vm/root/x", "default//root", "default/../root",
					   "default/vm/.root", "default/vm/r%6fot", "default/vm/root?x=1", "default/vm/", "" };
	struct agent a;
	char path[128];

	(void)state;
	agent_open(&a, &k, KBS_0_4_0, TEE_SNP, KEY_EC_P256);
	agent_attest(&a, &r);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(path, sizeof(path), "/kbs/v0/resource/%s", bad[i]);
		agent_get(&a, path, &r);
		if (!response_is(&r, 401, "PluginInternalError"))
			fail_msg("%s", path);
	}
	/* No rule: denied, whether or not it exists. */
	agent_get(&a, "/kbs/v0/resource/default/other/root", &r);
	assert_true(response_is(&r, 401, "PolicyDeny"));
	agent_close(&a);
}

/* --- sessions --- */

static void test_one_key_per_session(void **state)
{
	struct agent a, b;
	_cleanup_free_ char *body = NULL, *other = NULL, *first = NULL;

	(void)state;
	agent_open(&a, &k, KBS_0_4_0, TEE_SNP, KEY_EC_P256);
	agent_auth(&a, &r);
	body = agent_attest_body(&a);
	agent_post_attest(&a, body, &r);
	first = strdup(a.token);
	/* The same body again, after a lost answer: the same token. */
	agent_reconnect(&a);
	agent_post_attest(&a, body, &r);
	assert_int_equal(r.status, 200);
	assert_string_equal(a.token, first);
	/* Another key for the same nonce, with flawless evidence: refused, and the first key stays. */
	agent_open(&b, &k, KBS_0_4_0, TEE_SNP, KEY_EC_P256);
	strcpy(b.cookie, a.cookie);
	strcpy(b.nonce, a.nonce);
	other = agent_attest_body(&b);
	agent_post_attest(&b, other, &r);
	assert_true(response_is(&r, 401, "AttestationError"));
	assert_true(kbsd_log_has(&k, "session-attested"));
	agent_get(&b, PATH_ROOT, &r);
	assert_false(agent_reply_is(&b, &r, SECRET));
	assert_true(agent_reply_is(&a, &r, SECRET));
	agent_close(&a);
	agent_close(&b);
}

/* What is seen before the parser: a size that no SNP evidence has. And what the parser is for: a nonce in another place. */
static void test_body_before_parser(void **state)
{
	_cleanup_free_ char *other = NULL, *moved = NULL, *large = NULL;
	struct agent a, b;

	(void)state;
	agent_open(&a, &k, KBS_0_4_0, TEE_SNP, KEY_EC_P256);
	agent_open(&b, &k, KBS_0_4_0, TEE_SNP, KEY_EC_P256);
	agent_auth(&a, &r);
	agent_auth(&b, &r);
	other = agent_attest_body(&a);
	moved = text_printf("{\"nonce\":\"%s\",%s", b.nonce, other + 1);
	assert_non_null(moved);
	agent_post_attest(&b, moved, &r);
	assert_true(response_is(&r, 401, "AttestationError"));
	assert_true(kbsd_log_has(&k, "the nonce sent is not the one of this session"));
	large = text_printf("%*s%s", 800 * 1024, "", other);
	assert_non_null(large);
	agent_post_attest(&a, large, &r);
	assert_true(response_is(&r, 401, "AttestationError"));
	assert_true(kbsd_log_has(&k, ": size: "));
	agent_post_attest(&a, other, &r);
	assert_int_equal(r.status, 200);
	agent_close(&a);
	agent_close(&b);
}

static void test_nonce_and_session(void **state)
{
	struct agent a, b;
	_cleanup_free_ char *body = NULL, *mine = NULL;

	(void)state;
	/* Evidence made for another session's nonce. */
	agent_open(&a, &k, KBS_0_4_0, TEE_SNP, KEY_EC_P256);
	agent_open(&b, &k, KBS_0_4_0, TEE_SNP, KEY_EC_P256);
	agent_auth(&a, &r);
	agent_auth(&b, &r);
	body = agent_attest_body(&a);
	agent_post_attest(&b, body, &r);
	assert_true(response_is(&r, 401, "AttestationError"));
	assert_true(kbsd_log_has(&k, ": nonce: "));
	/* No cookie, a made-up one, another's. */
	mine = agent_attest_body(&b);
	char saved[160];
	strcpy(saved, b.cookie);
	*b.cookie = '\0';
	agent_post_attest(&b, mine, &r);
	assert_true(response_is(&r, 401, "AttestationError"));
	strcpy(b.cookie, "kbs-session-id=00000000000000000000000000000000");
	agent_post_attest(&b, mine, &r);
	assert_true(response_is(&r, 401, "AttestationError"));
	strcpy(b.cookie, saved);
	/* A refused body does not spoil the session: better evidence with the same nonce passes. */
	agent_post_attest(&b, mine, &r);
	assert_int_equal(r.status, 200);
	agent_close(&a);
	agent_close(&b);
}

static void test_failures_end_a_session(void **state)
{
	struct agent a;
	_cleanup_free_ char *good = NULL;

	(void)state;
	agent_open(&a, &k, KBS_0_4_0, TEE_SNP, KEY_EC_P256);
	agent_auth(&a, &r);
	good = agent_attest_body(&a);
	for (int i = 0; i < 5; i++) {
		agent_post_attest(&a, "{}", &r);
		assert_true(response_is(&r, 401, "AttestationError"));
	}
	agent_post_attest(&a, good, &r);
	assert_true(response_is(&r, 401, "AttestationError"));
	agent_close(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_success),
		cmocka_unit_test(test_wire_form),
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_second_token),
		cmocka_unit_test(test_auth_refusals),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_resources),
		cmocka_unit_test(test_one_key_per_session),
		cmocka_unit_test(test_body_before_parser),
		cmocka_unit_test(test_nonce_and_session),
		cmocka_unit_test(test_failures_end_a_session),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
