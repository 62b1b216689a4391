/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* One unlock, top to bottom (architecture.md 3). */
#include "unlock/unlock.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "unlock/exitcode.h"
#include "unlock/failure.h"
#include "unlock/guardian.h"
#include "unlock/handout.h"
#include "unlock/preflight.h"

static bool wanted(const struct run *run, const struct config_volume *v)
{
	if (!run->opt->all) {
		for (char *const *n = run->opt->names; n && *n; n++)
			if (text_eq(*n, v->name))
				return true;
		return false;
	}
	if (v->mode == MODE_MANUAL)
		return false;
	/* At boot each phase opens its own volumes: the cap lies between them. */
	if (run->opt->boot)
		return (v->phase == PHASE_INITRD) == run->in_initrd;
	return true;
}

static int select_jobs(struct run *run)
{
	const struct config *c = run->env->config;
	size_t n = 0;

	for (char *const *name = run->opt->names; name && *name; name++) {
		const struct config_volume *v;

		if (config_need_volume(c, *name, &v, &run->err) < 0)
			return -1;
		if (v->mode == MODE_MANUAL && !run->opt->recover && !run->opt->push) {
			err_set(&run->err, ERR_NOTHING, "volume-manual", "volume \"%s\" has mode = manual", *name);
			return err_hint(&run->err, "open it by hand: cryptattest recover %s", *name);
		}
	}
	for (struct config_volume **v = c->volumes; *v; v++)
		n += wanted(run, *v);
	if (!n) {
		err_set(&run->err, ERR_NOTHING, "no-volume", "no volume to open here");
		if (*c->volumes)
			return err_hint(&run->err, run->opt->boot ? "every volume is manual, or belongs to another phase of the boot" :
								     "every volume is manual: cryptattest recover NAME");
		return err_hint(&run->err, "add a [volume NAME] section, see cryptattest.conf(5)");
	}
	run->jobs = calloc(n, sizeof(*run->jobs));
	if (!run->jobs)
		return err_nomem(&run->err);
	for (struct config_volume **v = c->volumes; *v; v++) {
		if (wanted(run, *v))
			job_init(&run->jobs[run->n_jobs++], *v);
	}
	return 0;
}

/*
 * A run that was killed between giving a volume its public name and saying that it is open: the record still says "private". The
 * mapping is ours, but its last look at the kernel's table may not have happened: it goes, like a private one, and is made anew.
 */
static void take_back_unfinished(struct run *run)
{
	const struct mapper *m = run->env->platform->mapper;

	for (size_t i = 0; i < run->state->n_volumes; i++) {
		struct state_volume *sv = &run->state->volumes[i];
		_cleanup_err_ struct err *e = NULL;
		bool removed = false;

		if (!text_eq(sv->state, "private") || !sv->uuid)
			continue;
		/* One that is in use stays, and is then refused as any mapping that we cannot answer for (E9). */
		if (mapper_remove_unfinished(m, sv->name, sv->uuid, &removed, &e) < 0)
			log_warning("%s: left half-way by an earlier run: %s", sv->name, err_message(e));
		else if (removed)
			log_info("%s: removed the mapping that an earlier run left half-way", sv->name);
	}
}

static int begin(struct run *run)
{
	unsigned int swept = 0;

	if (select_jobs(run) < 0)
		return -1;
	if (state_lock(run->env->root_fd, run->deadline, &run->lock_fd, &run->err) < 0)
		return -1;
	if (guardian_hold(run->env->guardian, run->lock_fd, &run->err) < 0)
		return -1;
	if (state_load(run->env->root_fd, &run->state, &run->err) < 0)
		return -1;
	/* What a killed agent left is never public and blocks the disk: remove it first (boot-integration.md 14.6). */
	if (mapper_sweep_private(run->env->platform->mapper, &swept, &run->err) < 0)
		return -1;
	if (swept)
		log_info("removed %u private mapping%s left by an earlier run", swept, swept == 1 ? "" : "s");
	take_back_unfinished(run);
	return 0;
}

static bool a_required_job_failed(const struct run *run)
{
	for (size_t i = 0; i < run->n_jobs; i++)
		if (run->jobs[i].stage == JOB_FAILED && run->jobs[i].conf->required)
			return true;
	return false;
}

/* A secret that will not be used is not fetched: the others of this phase are reported as not tried. */
static void give_up_the_rest(struct run *run, const char *why)
{
	for (size_t i = 0; i < run->n_jobs; i++) {
		struct job *job = &run->jobs[i];
		struct err *err = NULL;

		if (job->stage != JOB_AUDITED && job->stage != JOB_NEW)
			continue;
		err_set(&err, ERR_DEVICE, "not-tried", "not tried: %s", why);
		job_fail(job, err);
	}
}

/* A reason of the run ends every volume that got this far; nothing of them is mapped. */
static void fail_at(struct run *run, enum job_stage stage, const char *step, const struct err *why)
{
	for (size_t i = 0; i < run->n_jobs; i++) {
		struct err *err = NULL;

		if (run->jobs[i].stage != stage)
			continue;
		err_set(&err, err_class(why), err_id(why), "%s", err_message(why));
		if (*err_hint_text(why))
			err_hint(&err, "%s", err_hint_text(why));
		run->jobs[i].step = step;
		job_fail(&run->jobs[i], err);
		run->err_shown = true;
	}
}

/* What was proved but may not become public. */
static void fail_verified(struct run *run, const struct err *why)
{
	fail_at(run, JOB_VERIFIED, err_class(why) == ERR_CAP ? "cap" : "publish", why);
}

static void publish_all(struct run *run)
{
	size_t left = 0;

	for (size_t i = 0; i < run->n_jobs; i++)
		left += run->jobs[i].stage == JOB_VERIFIED;
	for (size_t i = 0; i < run->n_jobs; i++) {
		_cleanup_err_ struct err *e = NULL;

		if (run->jobs[i].stage != JOB_VERIFIED)
			continue;
		job_publish(run, &run->jobs[i]);
		if (--left && run_record(run, "running", 0, &e) < 0)
			log_warning("status record: %s", err_message(e));
	}
}

static size_t count_verified(const struct run *run)
{
	size_t n = 0;

	for (size_t i = 0; i < run->n_jobs; i++)
		n += run->jobs[i].stage == JOB_VERIFIED;
	return n;
}

static void cap_then_publish(struct run *run)
{
	if (!count_verified(run))
		return run_cap_after_failure(run);
	run_raise_version(run);
	if (run_cap(run, &run->err) < 0) {
		/* Nothing uncapped ever bears the name that the boot mounts. */
		fail_verified(run, run->err);
		return;
	}
	/* "private" is on record before the public name exists: see take_back_unfinished(). */
	if (run_record(run, "running", 0, &run->err) < 0)
		fail_verified(run, run->err);
	else
		publish_all(run);
	run_cap_outcome(run);
}

/* What surrounds this boot, where the host could use it (preflight.h). */
static int preflight(struct run *run)
{
	if (!run->opt->boot || !run->in_initrd || run->env->config->profile != PROFILE_CVM)
		return 0;
	events_start(run->env->events, "preflight", NULL);
	if (events_done(run->env->events, "preflight", NULL, preflight_check(run->env, &run->err), &run->err) == 0)
		return 0;
	fail_at(run, JOB_AUDITED, NULL, run->err);
	jobs_end_key(run);
	return -1;
}

/* --prepare, or a boot whose volumes stock tools open. */
static bool leaves_headers(const struct run *run)
{
	if (run->opt->prepare)
		return true;
	return run->opt->boot && !run->opt->key && !run->opt->recover && run->in_initrd && run->env->config->opener == OPENER_CRYPTTAB;
}

static int prepare_all(struct run *run)
{
	if (begin(run) < 0 || run_record(run, "running", 0, &run->err) < 0)
		return -1;
	if (!leaves_headers(run))
		jobs_begin_key(run);
	/* Required volumes first: an optional one that is absent is waited for only after them. */
	for (size_t i = 0; i < run->n_jobs; i++)
		if (run->jobs[i].conf->required)
			job_prepare(run, &run->jobs[i]);
	for (size_t i = 0; i < run->n_jobs; i++)
		if (!run->jobs[i].conf->required)
			job_prepare(run, &run->jobs[i]);
	return preflight(run);
}

/* `unlock --prepare`: what stock tools will be given to read is the header that passed. */
static void leave_headers(struct run *run)
{
	for (size_t i = 0; i < run->n_jobs; i++)
		if (run->jobs[i].stage == JOB_AUDITED)
			handout_prepare(run, &run->jobs[i]);
}

/* `key`: one volume, and nothing is asked for when its passphrase would not be given anyway. */
static void acquire_for_handout(struct run *run)
{
	struct job *job = &run->jobs[0];
	struct err *err = NULL;

	if (job->stage != JOB_FAILED && handout_check(run, job, &err) < 0) {
		job->step = "key";
		job_fail(job, err);
	}
	if (job->stage == JOB_AUDITED)
		jobs_acquire(run);
	jobs_end_key(run);
	if (job->stage == JOB_VERIFIED)
		handout_give(run, job);
}

static void work(struct run *run)
{
	if (prepare_all(run) < 0) {
		run_cap_after_failure(run);
		return;
	}
	if (run->opt->key || leaves_headers(run)) {
		if (run->opt->key)
			acquire_for_handout(run);
		else
			leave_headers(run);
		if (a_required_job_failed(run))
			run_cap_after_failure(run);
		return;
	}
	/* No packet leaves before every required header of this phase has passed. */
	if (a_required_job_failed(run))
		give_up_the_rest(run, "a required volume failed before any secret was asked for");
	else
		jobs_acquire(run);
	jobs_end_key(run);
	cap_then_publish(run);
}

/* on-failure is for required volumes of this phase, and for a run that could not begin. */
static bool boot_must_stop(const struct run *run)
{
	if (!run->opt->boot || !run->in_initrd)
		return false;
	for (size_t i = 0; i < run->n_jobs; i++) {
		const struct job *job = &run->jobs[i];

		if (job->stage == JOB_FAILED && job->conf->required && job->conf->phase == PHASE_INITRD)
			return true;
	}
	return run->err && err_class(run->err) != ERR_NOTHING;
}

/* Behind what a shell may be given: of another TPM than ours it says nothing that its register has moved, and one that was hidden may come back. */
static bool is_capped(const struct run *run)
{
	return text_eq(run->cap, "done") || text_eq(run->cap, "none") || text_eq(run->cap, "off");
}

/* Why it failed, what happens now, and only then what else may help. */
static char *tell(struct run *run, int code, bool stop)
{
	char cause[CAUSE_MAX];

	run_print(run);
	run_cause(run, cause);
	if (stop)
		on_failure_say(run->env, code, cause, is_capped(run));
	/* Without the lock nothing was tried: another run is at it, or the configuration has no volume. */
	if (!run->opt->boot || run->opt->key || code == EXIT_OK || run->lock_fd < 0)
		return NULL;
	failure_report(run, code);
	return failure_json(run, code);
}

/* *ret_json: what is to be sent; caller frees. */
static void end(struct run *run, int code, bool stop, char **ret_json)
{
	_cleanup_err_ struct err *err = NULL;

	if (run->state && run->n_jobs && run->lock_fd >= 0 && run_record(run, code == EXIT_OK ? "ok" : "failed", code, &err) < 0)
		log_warning("status record: %s", err_message(err));
	/* Said before it is printed: a console that takes nothing must not undo an unlock. */
	if (run->lock_fd >= 0)
		guardian_release(run->env->guardian);
	if (run->lock_fd >= 0)
		run_keep_timeline(run);
	machine_tpm_close(&run->tpm);
	*ret_json = tell(run, code, stop);
	for (size_t i = 0; i < run->n_jobs; i++)
		job_clear(&run->jobs[i]);
	free(run->jobs);
	state_free(run->state);
	err_free(run->err);
	if (run->lock_fd >= 0)
		close(run->lock_fd);
}

int unlock_run(const struct unlock_env *env, const struct unlock_options *opt)
{
	struct run run = { .env = env, .opt = opt, .lock_fd = -1, .cap = "pending" };
	_cleanup_free_ char *json = NULL;
	bool stop;
	int code;

	run.start_ns = clock_ns();
	run.in_initrd = facts_in_initrd(env);
	run.deadline = deadline_in_ms(env->config->deadline_ms);
	guard_start(env, opt->boot, run.deadline);
	work(&run);
	code = run_exit_code(&run);
	stop = boot_must_stop(&run);
	end(&run, code, stop, &json);
	guard_stop();
	/* After the guard: the deadline may be what failed. */
	if (json)
		failure_send(env, json);
	if (stop && on_failure(env, is_capped(&run)))
		return EXIT_OK;
	return code;
}
