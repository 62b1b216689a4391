/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Certificates, pins, TLS contexts, listening addresses, options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "kbsd/certs.h"
#include "kbsd/listen.h"
#include "kbsd/options.h"

static struct secret *make_key(void)
{
	struct secret *key = NULL;

	assert_int_equal(certs_make_key(&key, NULL), 0);
	return key;
}

static void assert_config(struct err **e)
{
	assert_int_equal(err_class(*e), ERR_CONFIG);
	err_clear(e);
}

static void test_certificate(void **state)
{
	_cleanup_secret_ struct secret *key = make_key(), *other = make_key();
	struct cert_names names = { 0 }, back;
	_cleanup_free_ char *pem = NULL;
	char pin[CERT_PIN_TEXT], pin2[CERT_PIN_TEXT];
	struct err *e = NULL;
	int64_t not_after;
	SSL_CTX *ctx;

	(void)state;
	assert_true(certs_self_sign(key, &names, 10, &pem, &e) < 0);
	assert_config(&e);
	assert_int_equal(cert_names_add_dns(&names, "kbs.example", NULL), 0);
	assert_int_equal(cert_names_add_ip(&names, "192.0.2.9", NULL), 0);
	assert_int_equal(cert_names_add_ip(&names, "2001:db8::9", NULL), 0);
	assert_int_equal(certs_self_sign(key, &names, 10, &pem, NULL), 0);
	assert_int_equal(certs_names(pem, strlen(pem), &back, NULL), 0);
	assert_int_equal(back.dns_n, 1);
	assert_int_equal(back.ip_n, 2);
	assert_string_equal(back.dns[0], "kbs.example");
	assert_string_equal(back.ip[1], "2001:db8::9");
	assert_int_equal(certs_tls_context(pem, strlen(pem), key, &ctx, &not_after, NULL), 0);
	SSL_CTX_free(ctx);
	assert_in_range(not_after - (int64_t)time(NULL), 10 * 86400 - 60, 10 * 86400 + 60);
	assert_true(certs_tls_context(pem, strlen(pem), other, &ctx, &not_after, &e) < 0);
	assert_config(&e);
	assert_int_equal(certs_pin(key, pin, NULL), 0);
	assert_int_equal(certs_pin(other, pin2, NULL), 0);
	assert_int_equal(strlen(pin), 8 + 44);
	assert_string_not_equal(pin, pin2);
}

static void test_bad_files(void **state)
{
	_cleanup_secret_ struct secret *key = make_key(), *junk = NULL;
	struct cert_names names = { 0 };
	_cleanup_free_ char *pem = NULL, *twice = NULL;
	struct err *e = NULL;
	int64_t not_after;
	SSL_CTX *ctx;

	(void)state;
	cert_names_add_dns(&names, "kbs.example", NULL);
	assert_int_equal(certs_self_sign(key, &names, 10, &pem, NULL), 0);
	assert_int_equal(secret_from("junk", 4, &junk, NULL), 0);
	assert_true(certs_tls_context("junk", 4, key, &ctx, &not_after, &e) < 0);
	assert_config(&e);
	assert_true(certs_tls_context(pem, strlen(pem), junk, &ctx, &not_after, &e) < 0);
	assert_config(&e);
	/* A chain whose second certificate is torn. */
	assert_true(asprintf(&twice, "%s%.200s", pem, pem) > 0);
	assert_true(certs_tls_context(twice, strlen(twice), key, &ctx, &not_after, &e) < 0);
	assert_config(&e);
	assert_int_equal(certs_check_bundle(pem, strlen(pem), NULL), 0);
	assert_true(certs_check_bundle(twice, strlen(twice), &e) < 0);
	assert_config(&e);
	assert_true(certs_check_bundle("", 0, &e) < 0);
	assert_config(&e);
	assert_true(certs_check_bundle("junk", 4, &e) < 0);
	assert_config(&e);
}

static void test_names(void **state)
{
	static const char *const bad_dns[] = { "", "a,DNS:evil", "a b", "a_b", "*.example" };
	static const char *const bad_ip[] = { "", "192.0.2", "kbs.example", "192.0.2.1,IP:192.0.2.2", "::1%lo" };
	struct cert_names n = { 0 };
	struct err *e = NULL;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		assert_true(cert_names_add_dns(&n, bad_dns[i], &e) < 0);
		assert_config(&e);
		assert_true(cert_names_add_ip(&n, bad_ip[i], &e) < 0);
		assert_config(&e);
	}
	for (size_t i = 0; i < CERT_NAMES_MAX; i++)
		assert_int_equal(cert_names_add_dns(&n, "a.example", NULL), 0);
	assert_true(cert_names_add_dns(&n, "a.example", &e) < 0);
	assert_config(&e);
}

static void test_listen(void **state)
{
	static const char *const bad[] = { "", "8443", ":8443", "localhost:8443", "127.0.0.1", "127.0.0.1:65536",
					   "127.0.0.1:", "::1:8443", "[::1]", "[::1]8443", "[127.0.0.1]:1", "127.0.0.1:+1" };
	char name[LISTEN_TEXT];
	struct err *e = NULL;
	int fd, again;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (listen_bind(bad[i], &fd, &e) == 0)
			fail_msg("\"%s\" was accepted", bad[i]);
		assert_config(&e);
	}
	assert_int_equal(listen_bind("127.0.0.1:0", &fd, NULL), 0);
	listen_name(fd, name);
	assert_memory_equal(name, "https://127.0.0.1:", 18);
	/* In use already. */
	assert_int_equal(listen_bind(name + strlen("https://"), &again, &e), -1);
	assert_config(&e);
	close(fd);
	assert_int_equal(listen_bind("[::]:0", &fd, NULL), 0);
	close(fd);
}

static int collect(void *ctx, const char *name, const char *value, struct err **err)
{
	if (strcmp(value, "bad") == 0)
		return err_set(err, ERR_CONFIG, "usage", "bad %s", name);
	++*(int *)ctx;
	return 0;
}

static void test_options(void **state)
{
	bool flag = false, help;
	const char *string = NULL, *words[2];
	struct option_list list = { 0 };
	uint64_t number = 7, time_ms = 0;
	int calls = 0;
	const struct option_def defs[] = {
		{ "flag", OPTION_FLAG, &flag, NULL, "" },	      { "string", OPTION_STRING, &string, "S", "" },
		{ "list", OPTION_LIST, &list, "L", "" },	      { "number", OPTION_U64, &number, "N", "", 1, 9 },
		{ "time", OPTION_DURATION, &time_ms, "T", "", 10, 90000 }, { "call", OPTION_CALL, &calls, "C", "", .call = collect },
		{ NULL },
	};
	static const char *const bad[][3] = {
		{ "--flag=1" },	 { "--string" },       { "--string", "a", "--string=b" }, { "--number", "10" },
		{ "--number=x" }, { "--time=1ms" },     { "--time", "2h" },		    { "--nosuch" },
		{ "-f" },	 { "a", "b", "c" },    { "--call", "bad" },		    { "--help=1" },
	};
	struct err *e = NULL;

	(void)state;
	static const char *const good[] = { "--flag", "a", "--list=x", "--list", "y", "--number",
					    "9", "--time=1m30s", "--call=1", "--", "--b" };
	assert_int_equal(options_parse(defs, 11, (char *const *)good, 1, 2, words, &help, NULL), 0);
	assert_true(flag && !help && list.n == 2 && number == 9 && time_ms == 90000 && calls == 1);
	assert_string_equal(list.items[1], "y");
	assert_string_equal(words[1], "--b");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *args[3];
		int n = 0;

		string = NULL;
		for (; n < 3 && bad[i][n]; n++)
			args[n] = bad[i][n];
		if (options_parse(defs, n, (char *const *)args, 0, 2, words, &help, &e) == 0)
			fail_msg("case %zu was accepted", i);
		assert_config(&e);
	}
	assert_true(options_parse(defs, 0, NULL, 1, 1, words, &help, &e) < 0);
	assert_config(&e);
	static const char *const ask[] = { "--help" };
	assert_int_equal(options_parse(defs, 1, (char *const *)ask, 1, 1, words, &help, NULL), 0);
	assert_true(help);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_certificate), cmocka_unit_test(test_bad_files), cmocka_unit_test(test_names),
		cmocka_unit_test(test_listen),	    cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
