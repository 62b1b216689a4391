/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The in-process test TEE: the evidence is what was asked for, and each fault looks as the real one does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/cleanup.h"
#include "evidence/cert_table.h"
#include "evidence/snp_report.h"
#include "evidence/tdx_quote.h"
#include "tests/lib/tee_testpki.h"
#include "tee_root.h"

static char pki_dir[4096];

static int setup(void **state)
{
	struct tee_root *t;

	if (tee_root_setup(state) < 0)
		return -1;
	t = *state;
	tee_root_dir(t, "tee");
	tee_root_file(t, "tee/pki-dir", pki_dir, strlen(pki_dir));
	return 0;
}

static void put(struct tee_root *t, const char *name, const char *text)
{
	tee_root_file(t, name, text, strlen(text));
}

static int collect(struct tee_root *t, uint64_t ms, struct evidence *ev, struct err **err)
{
	uint8_t data[TEE_REPORT_DATA];
	const struct tee_provider *p;

	memset(data, 0x77, sizeof(data));
	if (tee_detect(tee_testpki_providers, &t->env, &p, NULL, err) < 0)
		return -1;
	return tee_collect(p, &t->env, data, deadline_in_ms(ms), ev, err);
}

static void absent(void **state)
{
	_cleanup_err_ struct err *e = NULL;
	struct evidence ev;

	assert_true(collect(*state, 1000, &ev, &e) < 0);
	assert_string_equal(err_id(e), "no-tee");
}

static void snp(void **state)
{
	struct tee_root *t = *state;
	struct evidence ev = { 0 };
	struct snp_report r;
	struct cert_entry certs[CERT_TABLE_ENTRIES_MAX];
	size_t n;

	put(t, "tee/kind", "snp\n");
	put(t, "tee/set", "vmpl=1\nguest-svn=7\n");
	assert_int_equal(collect(t, 5000, &ev, NULL), 0);
	assert_int_equal(ev.tee, TEE_SNP);
	assert_int_equal(snp_report_decode(ev.report, ev.report_len, &r, NULL), 0);
	assert_int_equal(r.vmpl, 1);
	assert_int_equal(r.guest_svn, 7);
	assert_int_equal(cert_table_decode(ev.aux, ev.aux_len, certs, &n, NULL), 0);
	assert_int_equal(n, 3);
	evidence_clear(&ev);
	put(t, "tee/fault", "no-certs\n");
	assert_int_equal(collect(t, 5000, &ev, NULL), 0);
	assert_null(ev.aux);
	evidence_clear(&ev);
}

static void tdx(void **state)
{
	struct tee_root *t = *state;
	struct evidence ev = { 0 };
	struct tdx_quote q;
	size_t len;

	put(t, "tee/kind", "tdx");
	assert_int_equal(collect(t, 5000, &ev, NULL), 0);
	assert_int_equal(tdx_quote_decode(ev.report, ev.report_len, &q, NULL), 0);
	assert_int_equal(q.version, 4);
	len = ev.report_len;
	evidence_clear(&ev);
	put(t, "tee/set", "version=5\ntd15=1");
	assert_int_equal(collect(t, 5000, &ev, NULL), 0);
	assert_int_equal(tdx_quote_decode(ev.report, ev.report_len, &q, NULL), 0);
	assert_int_equal(q.version, 5);
	assert_true(ev.report_len > len);
	evidence_clear(&ev);
}

static void faults(void **state)
{
	static const struct {
		const char *kind, *fault, *id;
		enum err_class cls;
	} f[] = {
		{ "snp", "errno ENOTTY", "vmpck", ERR_NOEVIDENCE },
		{ "snp", "errno EINVAL", "tee-param", ERR_NOEVIDENCE },
		{ "tdx", "empty", "empty-quote", ERR_NOEVIDENCE },
		{ "snp", "empty", "empty-quote", ERR_NOEVIDENCE },
		{ "tdx", "errno EBUSY", "tee-busy", ERR_TIMEOUT },
		{ "snp", "wrong-data", "evidence-report-data", ERR_INTEGRITY },
		{ "tdx", "wrong-data", "evidence-report-data", ERR_INTEGRITY },
		{ "snp", "flip 80", "evidence-report-data", ERR_INTEGRITY },
		{ "snp", "hang 1200", "tee-deadline", ERR_TIMEOUT },
		{ "snp", "no such fault", "test-tee", ERR_CONFIG },
		{ "snp", "errno EWHAT", "test-tee", ERR_CONFIG },
	};
	struct tee_root *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(f); i++) {
		_cleanup_err_ struct err *e = NULL;
		struct evidence ev;

		put(t, "tee/kind", f[i].kind);
		put(t, "tee/fault", f[i].fault);
		assert_true(collect(t, 600, &ev, &e) < 0);
		assert_string_equal(err_id(e), f[i].id);
		assert_int_equal(err_class(e), f[i].cls);
	}
}

static void busy_once(void **state)
{
	struct tee_root *t = *state;
	struct evidence ev = { 0 };

	put(t, "tee/kind", "snp");
	put(t, "tee/fault", "errno EBUSY 1\n");
	assert_int_equal(collect(t, 10000, &ev, NULL), 0);
	evidence_clear(&ev);
}

/* Damage outside the report data passes our own check: it is the verifier's to find. */
static void damage(void **state)
{
	struct tee_root *t = *state;
	struct evidence a = { 0 }, b = { 0 };

	put(t, "tee/kind", "snp");
	assert_int_equal(collect(t, 5000, &a, NULL), 0);
	put(t, "tee/fault", "flip 144\n"); /* measurement */
	assert_int_equal(collect(t, 5000, &b, NULL), 0);
	assert_int_equal(a.report[0x90] ^ b.report[0x90], 1);
	evidence_clear(&a);
	evidence_clear(&b);
}

static void errno_names(void **state)
{
	assert_int_equal(tee_testpki_errno("EIO"), EIO);
	assert_int_equal(tee_testpki_errno("ETIMEDOUT"), ETIMEDOUT);
	assert_int_equal(tee_testpki_errno(""), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, tee_root_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(absent), TEST(snp),    TEST(tdx), TEST(faults), TEST(busy_once), TEST(damage), cmocka_unit_test(errno_names),
	};
	const char *top = getenv("TOP_BUILDDIR");

	snprintf(pki_dir, sizeof(pki_dir), "%s/tests/pki", top ? top : ".");
	return cmocka_run_group_tests_name("tee_testpki", tests, NULL, NULL);
}
