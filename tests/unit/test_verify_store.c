/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The offline store in Trustee's naming, and the verdict as JSON. */
#include "tests/lib/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/text.h"
#include "tests/lib/judge.h"
#include "verify/verify_options.h"
#include "wire/json.h"

#define CHIP                                                                                                            \
	"vcek/7e57c41f000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031" \
	"32333435363738393a3b"

static void store_make(char *dir)
{
	assert_non_null(mkdtemp(dir));
}

static void store_drop(const char *dir)
{
	_cleanup_free_ char *cmd = text_printf("rm -rf '%s'", dir);

	assert_int_equal(system(cmd), 0);
}

static void put(const char *dir, const char *name, const void *data, size_t len)
{
	_cleanup_free_ char *path = text_printf("%s/%s", dir, name), *parent = text_dup(path);

	*strrchr(parent, '/') = 0;
	assert_ok(dir_make(AT_FDCWD, parent, 0700, &_err));
	assert_ok(file_write_atomic(AT_FDCWD, path, data, len, 0600, &_err));
}

static void put_cert(const struct judge *j, const char *dir, const char *name, const char *cert)
{
	_cleanup_buf_ struct buf der = BUF_INIT(8192);

	assert_ok(testpki_der(j->pki, cert, &der, &_err));
	put(dir, name, der.data, der.len);
}

static void sign(const struct judge *j, uint8_t raw[static SNP_REPORT_SIZE], struct evidence *ev)
{
	struct snp_report r;

	testpki_snp_template(j->pki, &r);
	assert_ok(testpki_snp_sign(j->pki, &r, raw, &_err));
	*ev = (struct evidence){ .tee = TEE_SNP, .report = raw, .report_len = SNP_REPORT_SIZE };
}

static void judged(const char *what, const struct judge *j, const char *dir, const char *id)
{
	uint8_t raw[SNP_REPORT_SIZE];
	struct evidence ev;
	struct verdict v;

	sign(j, raw, &ev);
	judge_evidence(j, (struct verify_input){ .evidence = &ev, .store_dir = dir }, &v);
	assert_verdict(what, &v, id);
}

static void names_of_the_store(void **state)
{
	const struct judge *j = *state;
	char dir[] = "/tmp/cryptattest-store-XXXXXX";

	store_make(dir);
	judged("empty", j, dir, "vek-missing");
	put_cert(j, dir, CHIP "/vcek.der", "vlek");
	judged("any TCB, wrong certificate", j, dir, "vek-kind");
	/* The one named after the TCB is preferred. */
	put_cert(j, dir, CHIP "/bl04_tee00_snp24_ucode219_vcek.der", "vcek");
	judged("no chain", j, dir, "chain-missing");
	put_cert(j, dir, "vcek/Milan/cert_chain", "ask");
	judged("key server's name", j, dir, NULL);
	store_drop(dir);
	judged("no store", j, dir, "vek-missing");
}

static void other_names_of_the_chain(void **state)
{
	static const char *const names[] = { "vcek/v1/Milan/cert_chain", "milan_ask_ark_asvk.pem", "ask.der", "ask.pem" };
	const struct judge *j = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char dir[] = "/tmp/cryptattest-store-XXXXXX";

		store_make(dir);
		put_cert(j, dir, CHIP "/vcek.der", "vcek");
		put_cert(j, dir, names[i], "ask");
		judged(names[i], j, dir, NULL);
		store_drop(dir);
	}
}

static void junk_in_the_store_is_an_error(void **state)
{
	const struct judge *j = *state;
	char dir[] = "/tmp/cryptattest-store-XXXXXX";
	uint8_t raw[SNP_REPORT_SIZE];
	struct evidence ev;
	struct verify_input in = { .evidence = &ev, .anchors = j->trusting, .at = JUDGE_AT, .store_dir = dir };
	struct verdict v;

	store_make(dir);
	sign(j, raw, &ev);
	put(dir, CHIP "/vcek.der", "junk", 4);
	assert_fails(verify_evidence(&in, &v, &_err), ERR_CONFIG, "certificate");
	store_drop(dir);
}

static const char *text_of(const json_t *obj, const char *key)
{
	return json_string_value(json_object_get(obj, key));
}

/* Exactly the members of contracts.md 8. */
static void verdict_as_json(void **state)
{
	static const char *const members[] = { "version", "tee",     "verdict", "reason",  "root",
					       "signer",  "tcb",     "missing", "kds_url", "claims" };
	const struct judge *j = *state;
	_cleanup_json_ json_t *obj = NULL;
	_cleanup_free_ char *text = NULL;
	uint8_t raw[SNP_REPORT_SIZE];
	struct evidence ev;
	struct verdict v;

	sign(j, raw, &ev);
	judge_evidence(j, (struct verify_input){ .evidence = &ev }, &v);
	assert_ok(verdict_json(&v, &ev, &text, &_err));
	assert_ok(json_parse(text, strlen(text), 1 << 20, false, &obj, &_err));
	assert_int_equal(json_object_size(obj), ARRAY_SIZE(members));
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		assert_non_null(json_object_get(obj, members[i]));
	assert_int_equal(json_integer_value(json_object_get(obj, "version")), 1);
	assert_string_equal(text_of(obj, "tee"), "snp");
	assert_string_equal(text_of(obj, "verdict"), "refused");
	assert_string_equal(text_of(json_object_get(obj, "reason"), "id"), "vek-missing");
	assert_string_equal(text_of(obj, "signer"), "vcek");
	assert_int_equal(json_array_size(json_object_get(obj, "missing")), 1);
	assert_non_null(strstr(text_of(obj, "kds_url"), "/Milan/7e57"));
	assert_string_equal(text_of(json_object_get(obj, "claims"), "generation"), "Milan");
}

static void verdict_of_nothing(void **state)
{
	const struct evidence none = { .tee = TEE_SNP };
	const struct verdict v = { .tee = TEE_SNP, .reason_id = "json", .reason = "no JSON" };
	_cleanup_json_ json_t *obj = NULL;
	_cleanup_free_ char *text = NULL;

	assert_ok(verdict_json(&v, &none, &text, &_err));
	assert_ok(json_parse(text, strlen(text), 1 << 20, false, &obj, &_err));
	assert_string_equal(text_of(obj, "verdict"), "refused");
	assert_string_equal(text_of(obj, "signer"), "none");
	assert_int_equal(json_object_size(json_object_get(obj, "claims")), 0);
}

/* An option that would seem to strengthen the verdict must not be swallowed. */
static void collateral_is_refused_aloud(void **state)
{
	_cleanup_err_ struct err *err = NULL;
	struct verify_options o = { 0 };

	assert_true(verify_options_set(&o, "collateral", "/dir", &err) < 0);
	assert_int_equal(err_class(err), ERR_CONFIG);
	assert_non_null(strstr(err_message(err), "does not evaluate"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_the_store),
		cmocka_unit_test(other_names_of_the_chain),
		cmocka_unit_test(junk_in_the_store_is_an_error),
		cmocka_unit_test(verdict_as_json),
		cmocka_unit_test(verdict_of_nothing),
		cmocka_unit_test(collateral_is_refused_aloud),
	};

	return cmocka_run_group_tests(tests, judge_setup, judge_teardown);
}
