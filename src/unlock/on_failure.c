/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What we refused, nobody else opens (C2): under --boot the agent itself restarts or stops the machine, so that no stock tool
 * prompts on the host's console or opens what we refused.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "unlock/exitcode.h"
#include "unlock/job.h"

#define READING_TIME_MS 5000 /* so that the reason can be read on a console */

static void run_shell(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		int console = open("/dev/console", O_RDWR | O_NOCTTY);

		if (console >= 0) {
			dup2(console, 0);
			dup2(console, 1);
			dup2(console, 2);
		}
		execl("/bin/sh", "sh", "-i", (char *)NULL);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
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
		log_error("%s; the cap failed, so there is no shell: restarting in %u s%s%s", why, READING_TIME_MS / 1000, colon, cause);
	else if (action == ON_FAILURE_CONTINUE)
		log_error("the boot goes on without these volumes: %s (on-failure = continue)%s%s", why, colon, cause);
	else if (action == ON_FAILURE_SHELL)
		log_error("%s; starting a shell on the console, the machine restarts when it ends (on-failure = shell)%s%s", why, colon,
			  cause);
	else if (action == ON_FAILURE_POWEROFF)
		log_error("%s; switching off in %u s (on-failure = poweroff)%s%s", why, READING_TIME_MS / 1000, colon, cause);
	else
		log_error("%s; restarting in %u s (on-failure = reboot)%s%s", why, READING_TIME_MS / 1000, colon, cause);
}

void on_failure(const struct unlock_env *env, bool capped)
{
	const enum config_on_failure action = env->config->on_failure;

	if (action == ON_FAILURE_CONTINUE)
		return;
	if (action == ON_FAILURE_SHELL && !shell_shut(action, capped))
		run_shell();
	else
		clock_sleep_ms(READING_TIME_MS, deadline_in_ms(0));
	env->platform->power(action == ON_FAILURE_POWEROFF);
}
