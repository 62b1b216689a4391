/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* tee_detect() and tee_collect() over tables of scripted providers, and the event log of TDX. Time leaps (tests/lib/leap_clock.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "evidence/event_log.h"
#include "evidence/snp_report.h"
#include "tee/providers.h"
#include "tee_root.h"

static struct {
	enum tee_presence presence[2];
	unsigned int looks, present_after;
	unsigned int calls, fail_first;
	enum err_class cls;
	bool other_data;
	uint64_t called_at[16];
} script;

static int reset(void **state)
{
	memset(&script, 0, sizeof(script));
	return tee_root_setup(state);
}

static enum tee_presence probe_a(const struct tee_env *env, struct buf *why)
{
	buf_puts(why, "reason a");
	script.looks++;
	if (script.present_after && script.looks > script.present_after)
		return TEE_PRESENT;
	return script.presence[0];
}

static enum tee_presence probe_b(const struct tee_env *env, struct buf *why)
{
	buf_puts(why, "reason b");
	return script.presence[1];
}

static int collect(const struct tee_env *env, const uint8_t data[static TEE_REPORT_DATA], struct deadline d,
		   struct evidence *ret, struct err **err)
{
	struct snp_report r = { .version = 3, .has_cpuid = true, .cpuid_fam = 0x19, .sig_algo = 1, .policy = SNP_POLICY_ONE };

	script.called_at[script.calls % ARRAY_SIZE(script.called_at)] = clock_ns();
	if (script.calls++ < script.fail_first)
		return err_set(err, script.cls, "scripted", "call %u", script.calls);
	memcpy(r.report_data, data, TEE_REPORT_DATA);
	if (script.other_data)
		r.report_data[63] ^= 1;
	ret->tee = TEE_SNP;
	ret->report = malloc(SNP_REPORT_SIZE);
	assert_non_null(ret->report);
	ret->report_len = SNP_REPORT_SIZE;
	snp_report_encode(&r, ret->report);
	return 0;
}

static const struct tee_provider first = { .name = "a", .kind = TEE_SNP, .probe = probe_a, .collect = collect };
static const struct tee_provider second = { .name = "b", .kind = TEE_TDX, .probe = probe_b, .collect = collect };
static const struct tee_provider *const table[] = { &first, &second, NULL };

static void detection(void **state)
{
	struct tee_root *t = *state;
	struct buf why _cleanup_buf_ = BUF_INIT(1000);
	_cleanup_err_ struct err *e = NULL;
	const struct tee_provider *p = NULL;

	script.presence[0] = script.presence[1] = TEE_PRESENT;
	assert_int_equal(tee_detect(table, &t->env, &p, &why, &e), 0);
	assert_ptr_equal(p, &first);
	assert_string_equal(buf_cstr(&why), "a: reason a\n");
	buf_reset(&why);
	script.presence[0] = TEE_DRIVER_MISSING;
	assert_int_equal(tee_detect(table, &t->env, &p, &why, &e), 0);
	assert_ptr_equal(p, &second);
	assert_string_equal(buf_cstr(&why), "a: reason a\nb: reason b\n");
	script.presence[0] = script.presence[1] = TEE_ABSENT;
	p = NULL;
	assert_true(tee_detect(table, &t->env, &p, NULL, &e) < 0);
	assert_null(p);
	assert_int_equal(err_class(e), ERR_NOEVIDENCE);
	assert_string_equal(err_id(e), "no-tee");
	assert_non_null(strstr(err_message(e), "a: reason a; b: reason b; the processor"));
	assert_true(strlen(err_hint_text(e)) > 20);
}

/* udev may still be loading the module: with a sign of a TEE it is waited for, but not for ever. */
static void late_driver(void **state)
{
	struct tee_root *t = *state;
	struct buf why _cleanup_buf_ = BUF_INIT(1000);
	const struct tee_provider *p = NULL;
	uint64_t begin = clock_ns();

	script.presence[0] = TEE_DRIVER_MISSING;
	script.present_after = 3;
	assert_int_equal(tee_detect(table, &t->env, &p, &why, NULL), 0);
	assert_ptr_equal(p, &first);
	assert_int_equal(script.looks, 4);
	assert_string_equal(buf_cstr(&why), "a: reason a\n");
	assert_true(clock_ns() - begin < 2500 * NSEC_PER_MSEC);

	script.present_after = 0;
	begin = clock_ns();
	assert_true(tee_detect(table, &t->env, &p, NULL, NULL) < 0);
	assert_in_range((clock_ns() - begin) / NSEC_PER_MSEC, 2900, 6000);
}

/* The real table on a root where nothing is: three reasons, in the order of preference. */
static void nothing_there(void **state)
{
	struct tee_root *t = *state;
	struct buf why _cleanup_buf_ = BUF_INIT(1000);
	const struct tee_provider *p = NULL;

	assert_true(tee_detect(tee_providers, &t->env, &p, &why, NULL) < 0);
	assert_string_equal(buf_cstr(&why), "snp-configfs: configfs is not mounted\n"
					    "tdx-configfs: configfs is not mounted\n"
					    "snp-ioctl: no /dev/sev-guest\n");
}

static int run(struct tee_root *t, const struct tee_provider *p, uint64_t ms, struct err **err)
{
	uint8_t data[TEE_REPORT_DATA];
	struct evidence ev = { 0 };
	int r;

	memset(data, 0x5a, sizeof(data));
	r = tee_collect(p, &t->env, data, deadline_in_ms(ms), &ev, err);
	assert_int_equal(r == 0, ev.report != NULL);
	evidence_clear(&ev);
	return r;
}

static void success(void **state)
{
	assert_int_equal(run(*state, &first, 5000, NULL), 0);
	assert_int_equal(script.calls, 1);
}

/* Only "busy" is worth another try: every other failure may be the last word of the TEE for this boot. */
static void final_failures(void **state)
{
	static const enum err_class classes[] = { ERR_NOEVIDENCE, ERR_TIMEOUT, ERR_INTEGRITY, ERR_INTERNAL, ERR_NOMEM };

	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		_cleanup_err_ struct err *e = NULL;

		script.calls = 0;
		script.fail_first = 100;
		script.cls = classes[i];
		assert_true(run(*state, &first, 5000, &e) < 0);
		assert_int_equal(err_class(e), classes[i]);
		assert_int_equal(script.calls, 1);
	}
}

static void busy_then_fine(void **state)
{
	script.fail_first = 1;
	script.cls = ERR_BUSY;
	assert_int_equal(run(*state, &first, 10000, NULL), 0);
	assert_int_equal(script.calls, 2);
	/* 1 s with 25 % jitter */
	assert_true(script.called_at[1] - script.called_at[0] >= 740 * NSEC_PER_MSEC);
}

static void busy_until_the_deadline(void **state)
{
	_cleanup_err_ struct err *e = NULL;
	uint64_t begin = clock_ns();

	script.fail_first = 100;
	script.cls = ERR_BUSY;
	assert_true(run(*state, &second, 300, &e) < 0);
	assert_true(clock_ns() - begin < 1500 * NSEC_PER_MSEC);
	assert_int_equal(err_class(e), ERR_TIMEOUT);
	assert_string_equal(err_id(e), "scripted");
	assert_int_equal(script.calls, 1);
}

static void busy_for_ever(void **state)
{
	_cleanup_err_ struct err *e = NULL;

	script.fail_first = 100;
	script.cls = ERR_BUSY;
	assert_true(run(*state, &first, 20000, &e) < 0);
	assert_int_equal(script.calls, 4);
	assert_int_equal(err_class(e), ERR_NOEVIDENCE);
	assert_non_null(strstr(err_message(e), "given up after 4 tries"));
}

static void other_report_data(void **state)
{
	_cleanup_err_ struct err *e = NULL;

	script.other_data = true;
	assert_true(run(*state, &first, 5000, &e) < 0);
	assert_int_equal(err_class(e), ERR_INTEGRITY);
	assert_string_equal(err_id(e), "evidence-report-data");
	assert_int_equal(script.calls, 1);
}

static void le32(struct buf *b, uint32_t v)
{
	buf_put_u32le(b, v);
}

/* A crypto-agile log: specification id, one event in RTMR 0. */
static void make_log(struct buf *b)
{
	le32(b, 1);
	le32(b, 3);
	buf_put_zero(b, 20);
	le32(b, 16 + 8 + 4 + 4 + 1);
	buf_append(b, "Spec ID Event03", 16);
	le32(b, 0);
	buf_append(b, "\0\2\0\2", 4);
	le32(b, 1);
	buf_put_u16le(b, 0xC);
	buf_put_u16le(b, 48);
	buf_put_u8(b, 0);
	le32(b, 1);
	le32(b, 0x80000008);
	le32(b, 1);
	buf_put_u16le(b, 0xC);
	for (int i = 0; i < 48; i++)
		buf_put_u8(b, 0x11);
	le32(b, 4);
	buf_append(b, "test", 4);
}

static void event_log(void **state)
{
	struct tee_root *t = *state;
	struct buf log _cleanup_buf_ = BUF_INIT(100000);
	_cleanup_free_ uint8_t *got = NULL;
	size_t len = 99, exact;

	assert_int_equal(tdx_event_log(t->env.root_fd, &got, &len, NULL), 0);
	assert_null(got);
	assert_int_equal(len, 0);

	make_log(&log);
	exact = log.len;
	for (int i = 0; i < 3000; i++)
		buf_put_u8(&log, 0xff);
	tee_root_dir(t, "sys/firmware/acpi/tables/data");
	tee_root_file(t, "sys/firmware/acpi/tables/data/CCEL", log.data, log.len);
	assert_int_equal(tdx_event_log(t->env.root_fd, &got, &len, NULL), 0);
	assert_int_equal(len, exact);
	assert_memory_equal(got, log.data, exact);

	free(TAKE_PTR(got));
	tee_root_file(t, "sys/firmware/acpi/tables/data/CCEL", log.data, exact - 1);
	assert_int_equal(tdx_event_log(t->env.root_fd, &got, &len, NULL), 0);
	assert_null(got);
	assert_int_equal(len, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, reset, tee_root_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(detection),      TEST(late_driver), TEST(nothing_there),	     TEST(success),	     TEST(final_failures),
		TEST(busy_then_fine), TEST(busy_until_the_deadline), TEST(busy_for_ever), TEST(other_report_data),
		TEST(event_log),
	};

	return cmocka_run_group_tests_name("tee", tests, NULL, NULL);
}
