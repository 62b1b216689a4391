/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/secret.h"

/* Runs fn in a child; true when it died of a memory fault (or was stopped by a sanitizer's handler for it). */
static bool faults(void (*fn)(struct secret *s), struct secret *s)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		const struct rlimit none = { 0, 0 };

		setrlimit(RLIMIT_CORE, &none);
		signal(SIGSEGV, SIG_DFL);
		close(STDERR_FILENO);
		fn(s);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static void overrun(struct secret *s)
{
	volatile uint8_t *p = secret_data(s);

	p[secret_cap(s)] = 1;
}

static void underrun(struct secret *s)
{
	volatile uint8_t *p = secret_data(s);

	p[-4096] = 1;
}

static void within(struct secret *s)
{
	memset(secret_data(s), 1, secret_cap(s));
}

static void guards(void **state)
{
	static const size_t caps[] = { 1, 15, 4095, 4096, 4097, 100000 };

	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		_cleanup_secret_ struct secret *s = NULL;

		assert_int_equal(secret_new(caps[i], &s, NULL), 0);
		assert_true(faults(overrun, s));
		assert_false(faults(within, s));
		if (caps[i] <= 4096)
			assert_true(faults(underrun, s));
	}
}

static void not_in_children(void **state)
{
	_cleanup_secret_ struct secret *s = NULL;
	int status;
	pid_t pid;

	assert_int_equal(secret_from("hunter2hunter2", 14, &s, NULL), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		static const uint8_t zero[14];

		_exit(memcmp(secret_cdata(s), zero, 14) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_memory_equal(secret_cdata(s), "hunter2hunter2", 14);
}

/* What the kernel says of the mapping: VmFlags "dd" (do not dump), "wf" (wipe on fork), "lo" (locked). */
static void mapping_flags(void **state)
{
	_cleanup_secret_ struct secret *s = NULL;
	char line[512];
	bool inside = false, found = false;
	FILE *f = fopen("/proc/self/smaps", "re");

	assert_non_null(f);
	assert_int_equal(secret_new(64, &s, NULL), 0);
	while (fgets(line, sizeof(line), f)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (unsigned long)secret_data(s) >= from && (unsigned long)secret_data(s) < to;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0) {
			struct rlimit lim;

			found = true;
			assert_non_null(strstr(line, " dd"));
			assert_non_null(strstr(line, " wf"));
			getrlimit(RLIMIT_MEMLOCK, &lim);
#ifndef __SANITIZE_ADDRESS__ /* it turns mlock() into nothing */
			if (lim.rlim_cur >= 65536)
				assert_non_null(strstr(line, " lo"));
#endif
		}
	}
	fclose(f);
	assert_true(found);
}

static void lengths(void **state)
{
	_cleanup_secret_ struct secret *s = NULL, *t = NULL, *none = NULL;
	_cleanup_err_ struct err *e = NULL;

	assert_true(secret_new(0, &none, &e) < 0);
	assert_int_equal(err_class(e), ERR_INTERNAL);
	err_clear(&e);
	assert_true(secret_new(1024 * 1024 + 1, &none, &e) < 0);
	err_clear(&e);
	assert_null(none);
	assert_int_equal(secret_from(NULL, 0, &none, NULL), 0);
	assert_int_equal(secret_len(none), 0);
	assert_int_equal(secret_new(8, &s, NULL), 0);
	assert_int_equal(secret_len(s), 0);
	assert_int_equal(secret_append(s, "abcd", 4, &e), 0);
	assert_int_equal(secret_append(s, "efgh", 4, &e), 0);
	assert_true(secret_append(s, "i", 1, &e) < 0);
	assert_int_equal(err_class(e), ERR_INTERNAL);
	assert_int_equal(secret_len(s), 8);
	assert_memory_equal(secret_cdata(s), "abcdefgh", 8);
	secret_set_len(s, 3);
	assert_memory_equal(secret_cdata(s), "abc\0\0\0\0\0", 8);
	assert_int_equal(secret_from("abc", 3, &t, NULL), 0);
	assert_true(secret_equal(s, t));
	secret_set_len(t, 2);
	assert_false(secret_equal(s, t));
	secret_set_len(t, 3);
	assert_false(secret_equal(s, t));
}

static void read_fd(void **state)
{
	_cleanup_err_ struct err *e = NULL;
	struct secret *s = NULL;
	int p[2];

	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "0123456789", 10), 10);
	close(p[1]);
	assert_int_equal(secret_read_fd(p[0], 10, &s, &e), 0);
	assert_int_equal(secret_len(s), 10);
	assert_memory_equal(secret_cdata(s), "0123456789", 10);
	secret_free(s);
	close(p[0]);
	s = NULL;

	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "0123456789", 10), 10);
	close(p[1]);
	assert_true(secret_read_fd(p[0], 9, &s, &e) < 0);
	assert_null(s);
	assert_int_equal(err_class(e), ERR_CONFIG);
	assert_string_equal(err_id(e), "secret-too-long");
	assert_null(strstr(err_message(e), "0123"));
	err_clear(&e);
	close(p[0]);
	assert_true(secret_read_fd(p[0], 9, &s, &e) < 0);
	assert_int_equal(err_class(e), ERR_CONFIG);
}

static void compare(void **state)
{
	uint8_t a[32] = { 0 }, b[32] = { 0 };

	assert_int_equal(ct_memcmp(a, b, 0), 0);
	for (int i = 0; i < 256; i++) {
		b[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_not_equal(ct_memcmp(a, b, 32), 0);
		b[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(ct_memcmp(a, b, 32), 0);
	}
	memset(a, 0xaa, sizeof(a));
	wipe(a, 31);
	assert_int_equal(a[30], 0);
	assert_int_equal(a[31], 0xaa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guards),  cmocka_unit_test(not_in_children), cmocka_unit_test(mapping_flags),
		cmocka_unit_test(lengths), cmocka_unit_test(read_fd),	      cmocka_unit_test(compare),
	};

	return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
