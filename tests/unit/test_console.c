/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A console of the host's behind a pseudo terminal (sudo, script on a serial line). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keysrc/console.h"

#define SERIAL 0x440 /* ttyS0: 4, 64 */
#define PTY 0x8801   /* pts/1: 136, 1 */

static char dir[] = "/tmp/test-console-XXXXXX";
static int proc = -1;

static void process(int pid, const char *name, int parent, unsigned int tty)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%d", dir, pid);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%d/stat", dir, pid);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%d (%s) S %d %d %d %u -1 4194304 100\n", pid, name, parent, pid, pid, tty);
	fclose(f);
}

static void test_major(void **state)
{
	(void)state;
	assert_true(console_is_pty(PTY));
	assert_true(console_is_pty(0x8f00));
	assert_false(console_is_pty(0x9000));
	assert_false(console_is_pty(SERIAL));
	assert_false(console_is_pty(0xe500)); /* hvc0 */
}

static void test_above(void **state)
{
	(void)state;
	process(1, "init", 0, 0);
	process(10, "sshd", 1, 0);
	process(11, "bash", 10, PTY);
	process(12, "sudo", 11, PTY);
	assert_false(console_above(proc, 12));
	process(20, "bash", 1, SERIAL);
	process(21, "sudo ) S 1 1 1 0", 20, SERIAL);
	process(22, "cryptattest", 21, PTY);
	assert_true(console_above(proc, 22));
	/* A name that looks like the end of one. */
	process(20, "x) S 1 1 1 0 (", 1, SERIAL);
	process(21, "sudo", 20, PTY);
	assert_true(console_above(proc, 22));
	/* A process that has gone, and a ring, which there is not. */
	assert_false(console_above(proc, 99));
	process(30, "a", 31, 0);
	process(31, "b", 30, 0);
	assert_false(console_above(proc, 30));
	assert_false(console_above(-1, 22));
}

static int setup(void **state)
{
	(void)state;
	proc = mkdtemp(dir) ? open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	return proc < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	char command[64];

	(void)state;
	close(proc);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_major), cmocka_unit_test(test_above) };

	return cmocka_run_group_tests(tests, setup, teardown);
}
