/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Signals, and the deadline that acts by itself. libcryptsetup and libdevmapper wait for udev without limit and restart their
 * wait after a signal (boot-integration.md 14.6), so a flag alone would not keep the deadline: a timer's handler acts.
 */
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "unlock/exitcode.h"
#include "unlock/job.h"

#define GRACE_S 5	  /* for the ordinary path to notice the deadline first and say more */
#define CANCEL_GRACE_S 10 /* after SIGTERM: to remove private mappings */

static struct {
	void (*power)(bool poweroff);
	bool boot;
	enum config_on_failure action;
	volatile sig_atomic_t cancelled;
} guard;

static void say(const char *text)
{
	ssize_t n = write(STDERR_FILENO, text, strlen(text));

	(void)n;
}

/* Async-signal-safe: write, reboot(2), _exit. A private mapping that stays is removed by the next run. */
static void on_alarm(int sig)
{
	(void)sig;
	if (guard.cancelled) {
		say("cryptattest: a step did not end after cancellation; giving up\n");
		_exit(EXIT_UNREACHABLE);
	}
	say("cryptattest: out of time: the deadline passed inside a step that does not end\n");
	if (guard.boot && guard.action == ON_FAILURE_REBOOT) {
		say("cryptattest: restarting (on-failure = reboot)\n");
		guard.power(false);
	} else if (guard.boot && guard.action == ON_FAILURE_POWEROFF) {
		say("cryptattest: switching off (on-failure = poweroff)\n");
		guard.power(true);
	}
	_exit(EXIT_UNREACHABLE);
}

static void on_cancel(int sig)
{
	(void)sig;
	guard.cancelled = 1;
	clock_cancel();
	alarm(CANCEL_GRACE_S);
}

static void handle(int sig, void (*handler)(int))
{
	struct sigaction sa = { .sa_handler = handler };

	sigemptyset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
}

void guard_start(const struct unlock_env *env, bool boot, struct deadline d)
{
	uint64_t left = deadline_left_ms(d);

	guard.power = env->platform->power;
	guard.boot = boot && facts_in_initrd(env);
	guard.action = env->config->on_failure;
	clock_cancel_fd();
	handle(SIGALRM, on_alarm);
	handle(SIGTERM, on_cancel);
	handle(SIGINT, on_cancel);
	handle(SIGHUP, on_cancel);
	if (left != UINT64_MAX) {
		struct itimerval it = { .it_value = { .tv_sec = (time_t)(left / 1000 + GRACE_S),
						      .tv_usec = (suseconds_t)(left % 1000 * 1000) } };

		setitimer(ITIMER_REAL, &it, NULL);
	}
}

void guard_stop(void)
{
	struct itimerval it = { 0 };

	setitimer(ITIMER_REAL, &it, NULL);
}
