/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* --status-fd lines (contracts.md 5) and the exit-code table (architecture.md 6). */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "unlock/events.h"
#include "unlock/exitcode.h"
#include "wire/json.h"

static void test_lines(void **state)
{
	struct events *ev = NULL;
	char text[4096], *line, *save = NULL;
	ssize_t n;
	int p[2], lines = 0;

	assert_int_equal(pipe(p), 0);
	assert_int_equal(events_new(p[1], &ev, NULL), 0);
	events_start(ev, "header", "root");
	events_end(ev, "header", "root", false, "H6");
	events_start(ev, "auth", NULL);
	events_end(ev, "auth", NULL, true, "");
	events_free(ev);
	close(p[1]);
	n = read(p[0], text, sizeof(text) - 1);
	close(p[0]);
	assert_true(n > 0);
	text[n] = 0;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save), lines++) {
		json_t *v = NULL;
		const char *event, *phase;

		assert_int_equal(json_parse(line, strlen(line), 4096, false, &v, NULL), 0);
		assert_int_equal(json_integer_value(json_object_get(v, "v")), 1);
		assert_true(json_integer_value(json_object_get(v, "ns")) > 0);
		assert_int_equal(json_get_str(v, "line", "phase", &phase, NULL), 0);
		assert_int_equal(json_get_str(v, "line", "event", &event, NULL), 0);
		assert_string_equal(phase, lines < 2 ? "header" : "auth");
		assert_string_equal(event, lines % 2 ? "end" : "start");
		if (lines == 1) {
			assert_true(json_is_false(json_object_get(v, "ok")));
			assert_string_equal(json_string_value(json_object_get(v, "id")), "H6");
			assert_string_equal(json_string_value(json_object_get(v, "volume")), "root");
		}
		if (lines == 3)
			assert_true(json_is_true(json_object_get(v, "ok")));
		json_decref(v);
	}
	assert_int_equal(lines, 4);
}

/* A reader that went away must not kill or stop an unlock. */
static void test_reader_gone(void **state)
{
	struct events *ev = NULL;
	int p[2];

	signal(SIGPIPE, SIG_IGN); /* as main() does */
	assert_int_equal(pipe(p), 0);
	close(p[0]);
	assert_int_equal(events_new(p[1], &ev, NULL), 0);
	events_start(ev, "header", "root");
	events_start(ev, "open", "root");
	events_free(ev);
	close(p[1]);
}

static void test_timings(void **state)
{
	struct events *ev = NULL;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_int_equal(events_new(-1, &ev, NULL), 0);
	events_start(ev, "get", "a");
	events_end(ev, "get", "a", false, "x");
	events_start(ev, "open", "a");
	events_print_timings(ev, f);
	fclose(f);
	assert_non_null(strstr(text, "get "));
	assert_non_null(strstr(text, "failed"));
	assert_non_null(strstr(text, "unfinished"));
	free(text);
	events_free(ev);
}

static void test_exit_codes(void **state)
{
	assert_int_equal(exit_code_of(ERR_CONFIG), 2);
	assert_int_equal(exit_code_of(ERR_NOTHING), 3);
	assert_int_equal(exit_code_of(ERR_REFUSED), 4);
	assert_int_equal(exit_code_of(ERR_UNREACHABLE), 5);
	assert_int_equal(exit_code_of(ERR_INDETERMINATE), 5);
	assert_int_equal(exit_code_of(ERR_TIMEOUT), 5);
	assert_int_equal(exit_code_of(ERR_BADKEY), 6);
	assert_int_equal(exit_code_of(ERR_DEVICE), 7);
	assert_int_equal(exit_code_of(ERR_TPM), 8);
	assert_int_equal(exit_code_of(ERR_INTEGRITY), 9);
	assert_int_equal(exit_code_of(ERR_IDENTITY), 10);
	assert_int_equal(exit_code_of(ERR_NOEVIDENCE), 11);
	assert_int_equal(exit_code_of(ERR_CAP), 12);
	assert_null(exit_code_text(13));
	assert_null(exit_code_text(-1));
	for (int i = 0; i <= 12; i++)
		assert_non_null(exit_code_text(i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_reader_gone),
		cmocka_unit_test(test_timings),
		cmocka_unit_test(test_exit_codes),
	};

	return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
