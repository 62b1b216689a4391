/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Signals, and the deadline that acts by itself. libcryptsetup and libdevmapper wait for udev without limit and restart their
 * wait after a signal (boot-integration.md 14.6), so a flag alone would not keep the deadline: a timer's handler acts. It runs in a
 * thread of its own: a read of a disk that the host lets hang, or an ioctl of device-mapper that waits for one, cannot be
 * interrupted, and the thread in it gets no signals.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "unlock/exitcode.h"
#include "unlock/guardian.h"
#include "unlock/job.h"

#define GRACE_S 5	  /* for the ordinary path to notice the deadline first and say more */
#define STACK_SIZE (128 * 1024)
#define CANCEL_GRACE_S 10 /* after SIGTERM: to remove private mappings */

static struct {
	void (*power)(bool poweroff);
	bool boot;
	enum config_on_failure action;
	struct guardian *guardian;
	volatile sig_atomic_t cancelled;
	volatile sig_atomic_t stopped;
	bool watching; /* thread runs, and nobody else takes SIGALRM */
	pthread_t thread;
} guard;

/* The console is the host's: one that takes nothing must not keep the machine from stopping. */
static void say(const char *text)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
	ssize_t n = poll(&p, 1, 0) == 1 ? write(STDERR_FILENO, text, strlen(text)) : 0;

	(void)n;
}

/* Async-signal-safe: write, send, poll, reboot(2), _exit. The guardian reports before the machine is gone; what stays mapped and was not finished is the guardian's to remove. */
static void on_alarm(int sig)
{
	(void)sig;
	if (guard.stopped)
		return;
	say(guard.cancelled ? "cryptattest: a step did not end after cancellation; giving up\n" :
			      "cryptattest: out of time: the deadline passed inside a step that does not end\n");
	guardian_overdue(guard.guardian);
	/* The step did end after all, and the run with it: what it made of it holds. */
	if (guard.stopped)
		return;
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

static void *watch(void *arg)
{
	sigset_t others;

	(void)arg;
	sigfillset(&others);
	sigdelset(&others, SIGALRM);
	while (!guard.stopped)
		sigsuspend(&others);
	return NULL;
}

static void take_sigalrm(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(how, &set, NULL);
}

/* Threads made later inherit the blocked SIGALRM. Without a thread the handler runs wherever the kernel likes. */
static void start_watch(void)
{
	pthread_attr_t attr;
	sigset_t all, saved;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	r = pthread_create(&guard.thread, &attr, watch, NULL);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	guard.watching = r == 0;
	if (guard.watching)
		take_sigalrm(SIG_BLOCK);
	else
		log_debug("guard: no thread: %s", strerror(r));
}

void guard_start(const struct unlock_env *env, bool boot, struct deadline d)
{
	uint64_t left = deadline_left_ms(d);

	guard.power = env->platform->power;
	guard.guardian = env->guardian;
	guard.boot = boot && facts_in_initrd(env);
	guard.action = env->config ? env->config->on_failure : ON_FAILURE_CONTINUE;
	guard.stopped = 0;
	clock_cancel_fd();
	handle(SIGALRM, on_alarm);
	handle(SIGTERM, on_cancel);
	handle(SIGINT, on_cancel);
	handle(SIGHUP, on_cancel);
	start_watch();
	if (left != UINT64_MAX) {
		struct itimerval it = { .it_value = { .tv_sec = (time_t)(left / 1000 + GRACE_S),
						      .tv_usec = (suseconds_t)(left % 1000 * 1000) } };

		setitimer(ITIMER_REAL, &it, NULL);
	}
}

void guard_stop(void)
{
	const struct timespec now = { 0 };
	struct itimerval it = { 0 };
	sigset_t set;

	setitimer(ITIMER_REAL, &it, NULL);
	if (!guard.watching)
		return;
	guard.stopped = 1; /* pthread_cancel() would load libgcc_s, which an initramfs need not have */
	pthread_kill(guard.thread, SIGALRM);
	pthread_join(guard.thread, NULL);
	guard.watching = false;
	/* One that came after the work was done is not acted upon. */
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	while (sigtimedwait(&set, NULL, &now) == SIGALRM)
		;
	take_sigalrm(SIG_UNBLOCK);
}
