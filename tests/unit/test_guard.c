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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "unlock/exitcode.h"
#include "unlock/job.h"

#define HANGS_S 20

static int root = -1, initrd = -1; /* directories: a booted system, an initramfs */
static int power_fd = -1;	   /* pipe: what power() was asked for */

static void power(bool poweroff)
{
	if (write(power_fd, poweroff ? "p" : "r", 1) != 1)
		_exit(98);
}

static void hang(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
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
};

/* In a process of its own, which must end within HANGS_S. Returns its exit status; *ret_power what it did to the machine, or 0. */
static int guarded(const struct run_of *r, char *ret_power)
{
	const struct platform machine = { .power = power };
	const struct config config = { .on_failure = r->action };
	const struct unlock_env env = { .platform = &machine, .config = r->no_config ? NULL : &config, .root_fd = r->in_initrd ? initrd : root };
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		power_fd = fds[1];
		guard_start(&env, r->boot, deadline_in_ms(r->deadline_ms));
		hang();
		_exit(97);
	}
	close(fds[1]);
	if (!r->deadline_ms) {
		nap_ms(200);
		if (r->first)
			kill(pid, r->first);
		kill(pid, SIGALRM);
	}
	for (int i = 0; waitpid(pid, &status, WNOHANG) == 0; i++) {
		if (i > HANGS_S * 100) {
			kill(pid, SIGKILL);
			fail_msg("the guard did not act");
		}
		nap_ms(10);
	}
	*ret_power = 0;
	assert_true(read(fds[0], ret_power, 1) >= 0);
	close(fds[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void check(const struct run_of *r, char want)
{
	char did;

	assert_int_equal(guarded(r, &did), EXIT_UNREACHABLE);
	assert_int_equal(did, want);
}

static void test_deadline(void **state)
{
	check(&(struct run_of){ ON_FAILURE_REBOOT, .boot = true, .in_initrd = true, .deadline_ms = 1 }, 'r');
}

static void test_actions(void **state)
{
	check(&(struct run_of){ ON_FAILURE_REBOOT, .boot = true, .in_initrd = true }, 'r');
	check(&(struct run_of){ ON_FAILURE_POWEROFF, .boot = true, .in_initrd = true }, 'p');
	check(&(struct run_of){ ON_FAILURE_CONTINUE, .boot = true, .in_initrd = true }, 0);
	/* A shell cannot be started from here; the boot script's own stop follows. */
	check(&(struct run_of){ ON_FAILURE_SHELL, .boot = true, .in_initrd = true }, 0);
	check(&(struct run_of){ ON_FAILURE_REBOOT, .in_initrd = true }, 0);
	check(&(struct run_of){ ON_FAILURE_REBOOT, .boot = true }, 0);
	check(&(struct run_of){ .no_config = true }, 0);
}

/* What SIGTERM could not end is a failure like any other. */
static void test_after_sigterm(void **state)
{
	check(&(struct run_of){ ON_FAILURE_REBOOT, .boot = true, .in_initrd = true, .first = SIGTERM }, 'r');
	check(&(struct run_of){ ON_FAILURE_REBOOT, .first = SIGTERM }, 0);
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
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_after_sigterm),
		cmocka_unit_test(test_stop),
	};

	return cmocka_run_group_tests(tests, make_roots, remove_roots);
}
