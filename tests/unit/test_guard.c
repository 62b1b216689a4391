/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The deadline that acts by itself. The step that does not end is vfork(2): its caller sleeps in the kernel where no handler of a
 * signal can run in that thread, as in a read of a disk that the host lets hang.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "unlock/exitcode.h"
#include "unlock/job.h"

#define HANGS_S 20
#define GRACE_S 5 /* of guard.c */

static int root = -1, initrd = -1; /* directories: a booted system, an initramfs */
static int power_fd = -1;	   /* pipe: what power() was asked for */

static void power(bool poweroff)
{
	if (write(power_fd, poweroff ? "p" : "r", 1) != 1)
		_exit(98);
}

/* Says so once it does. */
static void hang(void)
{
	const pid_t self = getpid();

	if (vfork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != self || write(power_fd, "h", 1) != 1)
			_exit(95);
		for (;;)
			pause();
	}
}

static void nap_ms(long ms)
{
	const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

struct run_of {
	enum config_on_failure action;
	bool boot, in_initrd;
	uint64_t deadline_ms; /* 0: none, the test sends the signals */
	int first;	      /* signal before SIGALRM, 0: none */
	bool no_config;	      /* as the verb lock */
	char want;	      /* what it does to the machine: 'r', 'p' or 0 */
	/* filled in by guarded() */
	pid_t pid;
	int fd; /* h once it hangs, then what power() was asked for */
};

/* The timer is armed for the deadline and the grace that follows; nobody learns more from waiting for it. */
static void wind_on(void)
{
	struct itimerval it;

	if (getitimer(ITIMER_REAL, &it) < 0 || it.it_value.tv_sec < 1 || it.it_value.tv_sec > GRACE_S)
		_exit(96);
	it.it_value = (struct timeval){ .tv_usec = 1000 };
	setitimer(ITIMER_REAL, &it, NULL);
}

/* A process of its own, which must end within HANGS_S. */
static void guarded(struct run_of *r)
{
	const struct platform machine = { .power = power };
	const struct config config = { .on_failure = r->action };
	const struct unlock_env env = { .platform = &machine, .config = r->no_config ? NULL : &config, .root_fd = r->in_initrd ? initrd : root };
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	r->fd = fds[0];
	r->pid = fork();
	assert_true(r->pid >= 0);
	if (r->pid == 0) {
		power_fd = fds[1];
		guard_start(&env, r->boot, deadline_in_ms(r->deadline_ms));
		if (r->deadline_ms)
			wind_on();
		hang();
		_exit(97);
	}
	close(fds[1]);
}

static void expect_end(const struct run_of *r)
{
	char byte, did = 0;
	ssize_t n;
	int status;

	for (int i = 0; waitpid(r->pid, &status, WNOHANG) == 0; i++) {
		if (i > HANGS_S * 100) {
			kill(r->pid, SIGKILL);
			fail_msg("the guard did not act");
		}
		nap_ms(10);
	}
	while ((n = read(r->fd, &byte, 1)) == 1)
		did = byte == 'h' ? did : byte;
	assert_int_equal(n, 0);
	close(r->fd);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_UNREACHABLE);
	assert_int_equal(did, r->want);
}

/* All of them at once: each takes its time to give up what hangs. */
static void check(struct run_of *runs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		guarded(&runs[i]);
	for (size_t i = 0; i < n; i++) {
		char hangs;

		if (runs[i].deadline_ms)
			continue;
		assert_int_equal(read(runs[i].fd, &hangs, 1), 1);
		assert_int_equal(hangs, 'h');
		if (runs[i].first)
			kill(runs[i].pid, runs[i].first);
		kill(runs[i].pid, SIGALRM);
	}
	for (size_t i = 0; i < n; i++)
		expect_end(&runs[i]);
}

static void test_actions(void **state)
{
	struct run_of runs[] = {
		{ ON_FAILURE_REBOOT, .boot = true, .in_initrd = true, .deadline_ms = 1, .want = 'r' },
		{ ON_FAILURE_REBOOT, .boot = true, .in_initrd = true, .want = 'r' },
		{ ON_FAILURE_POWEROFF, .boot = true, .in_initrd = true, .want = 'p' },
		{ ON_FAILURE_CONTINUE, .boot = true, .in_initrd = true },
		/* A shell cannot be started from here; the boot script's own stop follows. */
		{ ON_FAILURE_SHELL, .boot = true, .in_initrd = true },
		{ ON_FAILURE_REBOOT, .in_initrd = true },
		{ ON_FAILURE_REBOOT, .boot = true },
		{ .no_config = true },
		/* What SIGTERM could not end is a failure like any other. */
		{ ON_FAILURE_REBOOT, .boot = true, .in_initrd = true, .first = SIGTERM, .want = 'r' },
		{ ON_FAILURE_REBOOT, .first = SIGTERM },
	};

	check(runs, ARRAY_SIZE(runs));
}

/* After the work is done an alarm that is on its way does nothing, and the process gets its signals back. */
static void test_stop(void **state)
{
	const struct platform machine = { .power = power };
	const struct config config = { .on_failure = ON_FAILURE_REBOOT };
	const struct unlock_env env = { .platform = &machine, .config = &config, .root_fd = initrd };
	sigset_t set;

	for (int i = 0; i < 50; i++) {
		guard_start(&env, true, deadline_in_ms(60000));
		guard_stop();
		kill(getpid(), SIGALRM);
	}
	assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &set), 0);
	assert_int_equal(sigismember(&set, SIGALRM), 0);
}

static char top[] = "/tmp/test_guard.XXXXXX";

static int make_roots(void **state)
{
	int fd;

	if (!mkdtemp(top) || (root = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return -1;
	initrd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mkdirat(initrd, "etc", 0700) < 0)
		return -1;
	fd = openat(initrd, "etc/initrd-release", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 ? -1 : close(fd);
}

static int remove_roots(void **state)
{
	unlinkat(initrd, "etc/initrd-release", 0);
	unlinkat(initrd, "etc", AT_REMOVEDIR);
	return rmdir(top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_stop),
	};

	return cmocka_run_group_tests(tests, make_roots, remove_roots);
}
