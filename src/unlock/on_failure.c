/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What we refused, nobody else opens (C2): under --boot the agent itself restarts or stops the machine, so that no stock tool
 * prompts on the host's console or opens what we refused.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "state/state.h"
#include "unlock/exitcode.h"
#include "unlock/job.h"
#include "unlock/preflight.h"

#define READING_TIME_MS 5000 /* so that the reason can be read on a console */
#define LOOK_MS 30000	     /* for what was started in the shell to let go of the lock */

static void run_shell(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		int console = open("/dev/console", O_RDWR | O_NOCTTY);

		if (console >= 0) {
			dup2(console, 0);
			dup2(console, 1);
			dup2(console, 2);
			/* The terminal's own, so that a key can end what runs in it and a passphrase can be asked for. */
			if (setsid() >= 0)
				ioctl(console, TIOCSCTTY, 0);
		}
		execl("/bin/sh", "sh", "-i", (char *)NULL);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

/* The same look as at a volume that an earlier run of this boot has opened. */
static bool is_open(struct run *run, const struct config_volume *conf)
{
	struct job job;
	bool open;

	job_init(&job, conf);
	job_prepare(run, &job);
	open = job.stage == JOB_ALREADY;
	if (!open)
		log_error("%s: %s", conf->name, job.err ? err_message(job.err) : "is not open");
	job_clear(&job);
	return open;
}

/* Every volume that was required is open now, by `recover` or `unlock`, and the kernel's table is as we made it. */
static bool opened_in_shell(const struct unlock_env *env)
{
	const struct unlock_options opt = { .all = true };
	struct run run = { .env = env, .opt = &opt, .lock_fd = -1, .in_initrd = true, .deadline = deadline_in_ms(LOOK_MS) };
	/* What preflight refused, a shell does not make good. */
	bool all = (env->config->profile != PROFILE_CVM || preflight_check(env, &run.err) == 0) &&
		   state_lock(env->root_fd, run.deadline, &run.lock_fd, &run.err) == 0 && state_load(env->root_fd, &run.state, &run.err) == 0;

	if (!all)
		log_error("%s", err_message(run.err));
	for (struct config_volume **v = env->config->volumes; all && *v; v++)
		if ((*v)->required && (*v)->phase == PHASE_INITRD && (*v)->mode != MODE_MANUAL)
			all = is_open(&run, *v);
	state_free(run.state);
	err_free(run.err);
	if (run.lock_fd >= 0)
		close(run.lock_fd);
	return all;
}

static bool shell_shut(enum config_on_failure action, bool capped)
{
	return action == ON_FAILURE_SHELL && !capped;
}

void on_failure_say(const struct unlock_env *env, int exit_code, const char *cause, bool capped)
{
	const enum config_on_failure action = env->config->on_failure;
	const char *why = exit_code_text(exit_code);
	/* What a console shows last, or a photograph of it. */
	const char *colon = *cause ? ": " : "";

	/* P2: not on a register that a shell could unseal with. */
	if (shell_shut(action, capped))
		log_error("%s; the cap failed or is not proven, so there is no shell: restarting in %u s%s%s", why, READING_TIME_MS / 1000, colon, cause);
	else if (action == ON_FAILURE_CONTINUE)
		log_error("the boot goes on without these volumes: %s (on-failure = continue)%s%s", why, colon, cause);
	else if (action == ON_FAILURE_SHELL)
		log_error("%s; starting a shell on the console (on-failure = shell). `cryptattest recover VOLUME` opens by hand; when the shell "
			  "ends the boot goes on if every required volume is open, else the machine restarts%s%s", why, colon, cause);
	else if (action == ON_FAILURE_POWEROFF)
		log_error("%s; switching off in %u s (on-failure = poweroff)%s%s", why, READING_TIME_MS / 1000, colon, cause);
	else
		log_error("%s; restarting in %u s (on-failure = reboot)%s%s", why, READING_TIME_MS / 1000, colon, cause);
}

bool on_failure(const struct unlock_env *env, bool capped)
{
	const enum config_on_failure action = env->config->on_failure;

	if (action == ON_FAILURE_CONTINUE)
		return false;
	if (action == ON_FAILURE_SHELL && !shell_shut(action, capped)) {
		run_shell();
		if (opened_in_shell(env)) {
			log_info("every required volume is open: the boot goes on");
			return true;
		}
		log_error("restarting");
	} else {
		clock_sleep_ms(READING_TIME_MS, deadline_in_ms(0));
	}
	env->platform->power(action == ON_FAILURE_POWEROFF);
	return false;
}
