/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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

/* The first field of a record of /dev/kmsg is its priority, the text comes after the first ';'. */
static unsigned int count_records(int fd, const char *what)
{
	char record[8192];
	unsigned int found = 0;
	ssize_t n;

	while ((n = read(fd, record, sizeof(record) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		record[n > 0 ? n : 0] = 0;
		found += strstr(record, what) != NULL;
	}
	return found;
}

/* What the kernel drops is what was said too fast; errors are not among it. Only root can see that, and not where the limit is switched off. */
static void kernel_log(void **state)
{
	char out[65536], mode[32] = "", info[64], error[64];
	int fd = open("/proc/sys/kernel/printk_devkmsg", O_RDONLY);

	if (fd < 0 || read(fd, mode, sizeof(mode) - 1) < 0 || strncmp(mode, "ratelimit", 9) != 0 || access("/dev/kmsg", W_OK) < 0) {
		print_message("the kernel's log: not tried here (%s)\n", mode);
		return;
	}
	close(fd);
	snprintf(info, sizeof(info), "test-log %d: info", (int)getpid());
	snprintf(error, sizeof(error), "test-log %d: error", (int)getpid());
	log_init("prog", LOGL_INFO, true);
	CAPTURE(out, {
		for (int i = 0; i < 30; i++)
			log_info("%s", info);
		for (int i = 0; i < 15; i++)
			log_error("%s", error);
	});
	log_init("prog", LOGL_INFO, false);
	fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	if (fd < 0) {
		print_message("the kernel's log cannot be read here: %s\n", strerror(errno));
		return;
	}
	assert_in_range(count_records(fd, info), 1, 10);
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(count_records(fd, error), 15);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(lines), cmocka_unit_test(sanitised), cmocka_unit_test(kernel_log) };

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
