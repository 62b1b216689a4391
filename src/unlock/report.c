/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The status record, the exit code and one line per volume. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "unlock/exitcode.h"
#include "unlock/handout.h"
#include "unlock/timeline.h"

static const char *state_word(const struct job *job)
{
	switch (job->stage) {
	case JOB_NEW:
	case JOB_AUDITED:
		return "absent";
	case JOB_VERIFIED:
		return "private";
	case JOB_ALREADY:
	case JOB_OPEN:
		return "open";
	case JOB_PREPARED:
	case JOB_HANDED_OUT: /* not recorded */
	case JOB_FAILED:
		break;
	}
	return err_class(job->err) == ERR_REFUSED ? "refused" : text_eq(err_id(job->err), "device-absent") ? "absent" : "failed";
}

static int set_reason_of(struct state_volume *sv, const struct err *e, struct err **err)
{
	if (state_set(&sv->reason_id, e ? err_id(e) : NULL, err) < 0 ||
	    state_set(&sv->reason_class, e ? err_class_name(err_class(e)) : NULL, err) < 0 ||
	    state_set(&sv->reason_message, e ? err_message(e) : NULL, err) < 0 ||
	    state_set(&sv->reason_hint, e ? err_hint_text(e) : NULL, err) < 0)
		return -1;
	return 0;
}

static int set_reason(struct state_volume *sv, const struct job *job, struct err **err)
{
	return set_reason_of(sv, job->stage == JOB_FAILED ? job->err : job->fallback, err);
}

/* A failed second look at a volume that we opened earlier in this boot does not make its mapping somebody else's. */
static bool still_open(const struct run *run, const struct state_volume *sv)
{
	const struct mapper *m = run->env->platform->mapper;
	struct mapper_info info = { 0 };
	bool same;

	if (!text_eq(sv->state, "open") || m->query(m->ctx, sv->name, &info, NULL) < 0)
		return false;
	same = info.exists && text_eq(info.uuid, sv->dm_uuid);
	mapper_info_clear(&info);
	return same;
}

/* Why the vTPM opened it stays on record when a later run only looks at it. */
static bool keeps_reason(const struct state_volume *sv, const struct job *job)
{
	return job->stage == JOB_ALREADY && text_eq(sv->source, "vtpm") &&
	       (text_eq(sv->reason_class, err_class_name(ERR_UNREACHABLE)) || text_eq(sv->reason_class, err_class_name(ERR_NOEVIDENCE)));
}

/* A run that ended before it came to this volume: why. What an earlier run of this boot decided stays. */
static int record_untouched(struct run *run, const struct job *job, struct err **err)
{
	const struct err *e = run->err;
	struct state_volume *sv = state_volume_get(run->state, job->conf->name, false);

	if (!e || err_class(e) == ERR_NOTHING || (sv && !text_eq(sv->state, "absent") && !text_eq(sv->state, "failed")))
		return 0;
	sv = state_volume_get(run->state, job->conf->name, true);
	if (!sv)
		return err_nomem(err);
	if (state_set(&sv->state, "failed", err) < 0 ||
	    state_set(&sv->phase, job->conf->phase == PHASE_INITRD ? "initrd" : "system", err) < 0)
		return -1;
	return set_reason_of(sv, e, err);
}

static int record_job(struct run *run, const struct job *job, struct err **err)
{
	struct state_volume *sv;

	if (job->stage == JOB_NEW || job->stage == JOB_AUDITED)
		return record_untouched(run, job, err);
	/* Nothing decided, or nothing that is ours to take back: an earlier run's entry stays. */
	if (job->stage == JOB_PREPARED || job->stage == JOB_HANDED_OUT)
		return 0;
	sv = state_volume_get(run->state, job->conf->name, true);
	if (!sv)
		return err_nomem(err);
	if (job->stage == JOB_FAILED && still_open(run, sv))
		return set_reason(sv, job, err);
	/* Remembered for this boot, and by what it was refused: no later trouble makes it "unreachable", which could be fallen back
	 * from (contracts.md 4). An unlock that succeeds ends it. */
	if (job->stage == JOB_FAILED && text_eq(sv->state, "refused") && err_class(job->err) != ERR_REFUSED)
		return 0;
	if (state_set(&sv->state, state_word(job), err) < 0 || (!keeps_reason(sv, job) && set_reason(sv, job, err) < 0) ||
	    state_set(&sv->phase, job->conf->phase == PHASE_INITRD ? "initrd" : "system", err) < 0)
		return -1;
	/* An earlier run of this boot recorded how it was opened: keep that. */
	if (job->stage == JOB_ALREADY)
		return 0;
	if (state_set(&sv->uuid, job->header.uuid, err) < 0 || state_set(&sv->device, job->dev.path, err) < 0 ||
	    state_set(&sv->dm_uuid, job->dm_uuid, err) < 0 || state_set(&sv->source, job->source_kind, err) < 0 ||
	    state_set(&sv->vk_id, job->vk_id, err) < 0 || state_set(&sv->header_id, job->header_id, err) < 0 ||
	    state_set(&sv->sealed, job->sealed_note, err) < 0)
		return -1;
	return 0;
}

int run_record(struct run *run, const char *result, int exit_code, struct err **err)
{
	struct state *st = run->state;

	for (size_t i = 0; i < run->n_jobs; i++)
		if (record_job(run, &run->jobs[i], err) < 0)
			return -1;
	st->exit_code = exit_code;
	if (state_set(&st->result, result, err) < 0)
		return -1;
	/* "already open" does not undo the cap of the run that opened it. */
	if ((!st->cap || !text_eq(run->cap, "pending")) && state_set(&st->cap, run->cap, err) < 0)
		return -1;
	return state_save(run->env->root_fd, st, err);
}

/* The first failed volume that was wanted, in the order of the configuration; NULL for none. */
static const struct job *failed_job(const struct run *run)
{
	for (size_t i = 0; i < run->n_jobs; i++) {
		const struct job *job = &run->jobs[i];

		/* Named on the command line = wanted, whatever the configuration says of the boot. */
		if (job->stage == JOB_FAILED && (job->conf->required || !run->opt->all))
			return job;
	}
	return NULL;
}

int run_exit_code(const struct run *run)
{
	const struct job *job = failed_job(run);
	const struct err *e = job ? job->err : run->err;

	return e ? exit_code_of(err_class(e)) : EXIT_OK;
}

void run_cause(const struct run *run, char out[static CAUSE_MAX])
{
	const struct job *job = failed_job(run);
	const struct err *e = job ? job->err : run->err;
	char raw[2 * CAUSE_MAX];

	snprintf(raw, sizeof(raw), "%s%s%s", job ? job->conf->name : "", job ? ": " : "", e ? err_message(e) : "");
	text_sanitise(raw, strlen(raw), out, CAUSE_MAX);
}

static void print_error(const char *volume, const char *step, const struct err *e)
{
	const char *hint = err_hint_text(e), *id = err_id(e);

	log_error("%s%s%s%s%s%s%s%s%s%s", volume ? volume : "", volume ? ": " : "", step ? step : "", step ? ": " : "", err_message(e),
		  *id ? " [" : "", id, *id ? "]" : "", *hint ? "; to do: " : "", hint);
}

void run_print(const struct run *run)
{
	for (size_t i = 0; i < run->n_jobs; i++) {
		const struct job *job = &run->jobs[i];

		if (job->stage == JOB_OPEN)
			log_info("%s: open as /dev/mapper/%s, from %s by %s, after %llu ms", job->conf->name, job->conf->name,
				 job->dev.path, job->source ? job->source : "?",
				 (unsigned long long)events_total_ms(run->env->events));
		else if (job->stage == JOB_ALREADY)
			log_info("%s: already open as /dev/mapper/%s, checked again", job->conf->name, job->conf->name);
		else if (job->stage == JOB_PREPARED)
			log_info("%s: header audited, its copy is /%s/%s", job->conf->name, HANDOUT_HEADER_DIR, job->conf->name);
		else if (job->stage == JOB_HANDED_OUT)
			log_info("%s: passphrase handed out, from %s, after %llu ms", job->conf->name, job->source ? job->source : "?",
				 (unsigned long long)events_total_ms(run->env->events));
		else if (job->stage == JOB_FAILED)
			print_error(job->conf->name, job->step, job->err);
	}
	if (run->err && !run->err_shown)
		print_error(NULL, NULL, run->err);
}

/* A run that only found everything as it should be tells nothing new. */
static bool did_something(const struct run *run)
{
	for (size_t i = 0; i < run->n_jobs; i++) {
		const enum job_stage s = run->jobs[i].stage;

		if (s == JOB_OPEN || s == JOB_HANDED_OUT || s == JOB_FAILED)
			return true;
	}
	return false;
}

void run_keep_timeline(const struct run *run)
{
	_cleanup_err_ struct err *err = NULL;

	if (run->state && did_something(run) && timeline_add(run->env->root_fd, run->state->boot_id, run->env->events, &err) < 0)
		log_warning("timeline: %s", err_message(err));
}
