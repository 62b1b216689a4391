/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

static void numbers(void **state)
{
	static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "0x10", "1.0", "18446744073709551616", "99", "4" };
	uint64_t v = 7;

	assert_int_equal(text_u64("5", 5, 10, &v, NULL), 0);
	assert_int_equal(v, 5);
	assert_int_equal(text_u64("010", 5, 10, &v, NULL), 0);
	assert_int_equal(v, 10);
	assert_int_equal(text_u64("18446744073709551615", 0, UINT64_MAX, &v, NULL), 0);
	assert_true(v == UINT64_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_err_ struct err *e = NULL;

		v = 7;
		assert_true(text_u64(bad[i], 5, 10, &v, &e) < 0);
		assert_int_equal(err_class(e), ERR_CONFIG);
		assert_int_equal(v, 7);
	}
}

static void booleans(void **state)
{
	static const char *const yes[] = { "yes", "true", "on", "1" }, *const no[] = { "no", "false", "off", "0" },
			  *const bad[] = { "", "y", "Yes", "2", "yes " };
	bool b;

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		b = false;
		assert_int_equal(text_bool(yes[i], &b, NULL), 0);
		assert_true(b);
		assert_int_equal(text_bool(no[i], &b, NULL), 0);
		assert_false(b);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_true(text_bool(bad[i], &b, NULL) < 0);
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} good[] = { { "0", 0 },	 { "90", 90000 },	 { "90s", 90000 },	   { "10m", 600000 },
		     { "2h", 7200000 }, { "1m30s", 90000 },	 { "500ms", 500 },	   { "1h1m1s1ms", 3661001 },
		     { "0s", 0 },	 { "3162240000s", UINT64_C(3162240000000) } };
	static const char *const bad[] = { "",	     "s",     "-1",   "1 m",  "1m ", "1d",    "1m30", "30s1m",
					   "1m2m",   "1.5s",  "1e3",  "10M",  "ms",  "1msms", "3162240001s",
					   "99999999999999999999s", "1h99999999999999999m" };
	uint64_t ms = 3;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(text_duration_ms(good[i].text, &ms, NULL), 0);
		assert_true(ms == good[i].ms);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_err_ struct err *e = NULL;

		ms = 3;
		if (text_duration_ms(bad[i], &ms, &e) == 0)
			fail_msg("accepted \"%s\"", bad[i]);
		assert_int_equal(err_class(e), ERR_CONFIG);
		assert_int_equal(ms, 3);
	}
}

static void times(void **state)
{
	static const struct {
		const char *text;
		int64_t t;
	} good[] = { { "1970-01-01", 0 },
		     { "2000-02-29", 951782400 },
		     { "2026-01-02T03:04:05Z", 1767323045 },
		     { "2026-01-02t03:04:05.999z", 1767323045 },
		     { "2026-01-02T05:04:05+02:00", 1767323045 },
		     { "2026-01-01T23:34:05-03:30", 1767323045 },
		     { "9999-12-31T23:59:59Z", INT64_C(253402300799) } };
	static const char *const bad[] = { "",		 "2026",       "2026-13-01", "2026-00-01", "2026-02-29", "2100-02-29",
					   "2026-04-31", "1969-12-31", "2026-1-2",   "2026-01-02T", "2026-01-02T03:04:05",
					   "2026-01-02T24:00:00Z", "2026-01-02T03:04Z", "2026-01-02T03:04:05Zx",
					   "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05+2:00", "2026-01-02x" };
	char text[21];
	int64_t t;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(text_time(good[i].text, &t, NULL), 0);
		assert_true(t == good[i].t);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (text_time(bad[i], &t, NULL) == 0)
			fail_msg("accepted \"%s\"", bad[i]);
	text_format_time(1767323045, text);
	assert_string_equal(text, "2026-01-02T03:04:05Z");
	text_format_time(951782400, text);
	assert_string_equal(text, "2000-02-29T00:00:00Z");
	text_format_time(-5, text);
	assert_string_equal(text, "1970-01-01T00:00:00Z");
	text_format_time(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59Z");
	/* Every day of four centuries goes out and comes back. */
	for (int64_t d = 0; d < 146097; d++) {
		text_format_time(d * 86400 + 86399, text);
		assert_int_equal(text_time(text, &t, NULL), 0);
		assert_true(t == d * 86400 + 86399);
	}
}

static void sanitising(void **state)
{
	char out[8];

	text_sanitise("a\x1b" "b\n\xff", 5, out, sizeof(out));
	assert_string_equal(out, "a?b??");
	text_sanitise("1234567", 7, out, sizeof(out));
	assert_string_equal(out, "1234567");
	text_sanitise("12345678", 8, out, sizeof(out));
	assert_string_equal(out, "12345..");
	text_sanitise("abc", 3, out, 1);
	assert_string_equal(out, "");
	text_sanitise("a\0b", 3, out, sizeof(out));
	assert_string_equal(out, "a?b");
}

static void nearest(void **state)
{
	static const char *const names[] = { "device", "secret", "header-id", "vk-id", "wait", NULL };

	assert_string_equal(text_nearest("devcie", names), "device");
	assert_string_equal(text_nearest("secert", names), "secret");
	assert_string_equal(text_nearest("header_id", names), "header-id");
	assert_string_equal(text_nearest("vkid", names), "vk-id");
	assert_string_equal(text_nearest("wat", names), "wait");
	assert_null(text_nearest("passphrase", names));
	assert_null(text_nearest("", names));
	assert_null(text_nearest("xy", names));
	assert_null(text_nearest("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", names));
}

static void names(void **state)
{
	char n63[65];

	assert_true(text_is_uuid("6f1c1d2e-aaaa-BBBB-cccc-0123456789ab"));
	assert_false(text_is_uuid("6f1c1d2e-aaaa-BBBB-cccc-0123456789abc"));
	assert_false(text_is_uuid("6f1c1d2e-aaaa-BBBB-cccc-0123456789a"));
	assert_false(text_is_uuid("6f1c1d2e+aaaa-BBBB-cccc-0123456789ab"));
	assert_false(text_is_uuid(""));
	assert_true(text_is_volume_name("root"));
	assert_true(text_is_volume_name("0_a.b-c"));
	assert_false(text_is_volume_name("_a"));
	assert_false(text_is_volume_name(".a"));
	assert_false(text_is_volume_name(""));
	assert_false(text_is_volume_name("a/b"));
	assert_false(text_is_volume_name("a b"));
	assert_false(text_is_volume_name("\xc3\xa4"));
	memset(n63, 'a', 64);
	n63[63] = 0;
	assert_true(text_is_volume_name(n63));
	n63[63] = 'a';
	n63[64] = 0;
	assert_false(text_is_volume_name(n63));
	assert_true(text_is_path_segment(n63));
	assert_true(text_is_path_segment("-a"));
	assert_true(text_is_path_segment("_.a"));
	assert_false(text_is_path_segment("."));
	assert_false(text_is_path_segment(".."));
	assert_false(text_is_path_segment("a%2f"));
	assert_false(text_is_path_segment(""));
}

static void vectors(void **state)
{
	char **v = NULL;
	bool failed = false;

	assert_int_equal(strv_len(v), 0);
	assert_false(strv_has(v, "a"));
	v = strv_append(v, "a", &failed);
	v = strv_append(v, "b", &failed);
	assert_false(failed);
	assert_int_equal(strv_len(v), 2);
	assert_string_equal(v[1], "b");
	assert_null(v[2]);
	assert_true(strv_has(v, "b"));
	assert_false(strv_has(v, "c"));
	strv_free(v);
	strv_free(NULL);
	assert_true(text_eq(NULL, NULL));
	assert_false(text_eq("a", NULL));
	assert_true(text_eq("a", "a"));
	assert_true(text_starts("kbs:///x", "kbs://"));
	assert_false(text_starts("kb", "kbs"));
	assert_false(text_starts(NULL, "kbs"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),  cmocka_unit_test(booleans),	  cmocka_unit_test(durations),
		cmocka_unit_test(times),    cmocka_unit_test(sanitising), cmocka_unit_test(nearest),
		cmocka_unit_test(names),    cmocka_unit_test(vectors),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
