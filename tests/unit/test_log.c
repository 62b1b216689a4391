/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "base/log.h"

/* Runs the statement with standard error going to a pipe and yields what it wrote. */
#define CAPTURE(out, statement)                                        \
	do {                                                           \
		int p_[2], keep_ = dup(STDERR_FILENO);                 \
		ssize_t n_;                                            \
		assert_int_equal(pipe(p_), 0);                         \
		dup2(p_[1], STDERR_FILENO);                            \
		statement;                                             \
		dup2(keep_, STDERR_FILENO);                            \
		close(keep_);                                          \
		close(p_[1]);                                          \
		n_ = read(p_[0], (out), sizeof(out) - 1);              \
		close(p_[0]);                                          \
		assert_true(n_ >= 0);                                  \
		(out)[n_] = 0;                                         \
	} while (0)

static void lines(void **state)
{
	char out[4096];

	log_init("prog", LOGL_INFO, false);
	assert_int_equal(log_level(), LOGL_INFO);
	CAPTURE(out, log_info("root: header: %s", "fine"));
	assert_string_equal(out, "prog: root: header: fine\n");
	CAPTURE(out, log_error("a"));
	assert_string_equal(out, "prog: error: a\n");
	CAPTURE(out, log_warning("a"));
	assert_string_equal(out, "prog: warning: a\n");
	CAPTURE(out, log_debug("a"));
	assert_string_equal(out, "");
	log_init("prog", LOGL_DEBUG, false);
	CAPTURE(out, log_debug("a"));
	assert_string_equal(out, "prog: debug: a\n");
	log_init("prog", LOGL_ERROR, false);
	CAPTURE(out, log_warning("a"));
	assert_string_equal(out, "");
}

/* One call is one line, whatever a peer put into it (A23). */
static void sanitised(void **state)
{
	char out[4096], big[5000];

	log_init("prog", LOGL_INFO, false);
	CAPTURE(out, log_info("a%sb", "\nprog: root: unlocked\x1b[2J\r"));
	assert_string_equal(out, "prog: a?prog: root: unlocked?[2J?b\n");
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	CAPTURE(out, log_info("%s", big));
	assert_in_range(strlen(out), 900, 1024);
	assert_string_equal(out + strlen(out) - 4, "x..\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(lines), cmocka_unit_test(sanitised) };

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
