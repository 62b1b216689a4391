/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Secrets for all volumes of the phase: one handshake per key broker, one GET per volume on the same connection. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "unlock/job.h"
#include "unlock/sources.h"

#define FALLBACK_RESERVE_MS 10000 /* of the deadline, for the vTPM and the mapping */

static bool waits_for(const struct job *job, const char *source)
{
	return job->stage == JOB_AUDITED && !job->for_push && text_eq(job->conf->source_name, source);
}

static bool anybody_waits(const struct run *run, const char *source, bool push)
{
	for (size_t i = 0; i < run->n_jobs; i++)
		if (waits_for(&run->jobs[i], source) && (push ? run->jobs[i].conf->push : run->jobs[i].conf->mode == MODE_KBS_OR_VTPM))
			return true;
	return false;
}

/* When the broker has had its time: fallback-after, or `after` of [push], whichever a volume has and is shorter; but the vTPM and the mapping
 * need some of a deadline that is nearer. */
static struct deadline fallback_deadline(const struct run *run, bool vtpm, bool push)
{
	const struct config *c = run->env->config;
	uint64_t after = vtpm && (!push || c->vtpm.fallback_after_ms < c->push.after_ms) ? c->vtpm.fallback_after_ms : c->push.after_ms, left = deadline_left_ms(run->deadline), reserve = left / 4;

	if (left == UINT64_MAX)
		return deadline_in_ms(after);
	if (reserve > FALLBACK_RESERVE_MS)
		reserve = FALLBACK_RESERVE_MS;
	left -= reserve;
	return deadline_in_ms(after < left ? after : left ? left : 1);
}

static struct err *copy_of(const struct err *why)
{
	struct err *err = NULL;

	err_set(&err, err_class(why), err_id(why), "%s", err_message(why));
	if (*err_hint_text(why))
		err_hint(&err, "%s", err_hint_text(why));
	return err;
}

/* How long a broker is tried with this call of acquire_all(). */
enum patience {
	UNTIL_FALLBACK, /* the others of the same broker wait for the next call */
	UNTIL_DEADLINE,
};

/* fallback-after is for a broker that is away. One that has answered has the whole deadline: an answer that did not come to an end, or a key of
 * ours that was not ready, is no reason to fall back and none yet to give up. */
static bool worth_more_time(const struct err *why)
{
	enum err_class c = err_class(why);

	return c == ERR_UNREACHABLE || c == ERR_INDETERMINATE || (c == ERR_TIMEOUT && !clock_cancelled());
}

/* A job that ended. A refusal bars the vTPM for this boot, also for who comes after a run that is killed while other volumes wait. */
static void give_up(struct run *run, struct job *job, struct err *why)
{
	_cleanup_err_ struct err *e = NULL;
	bool refused = err_class(why) == ERR_REFUSED;

	job_fail(job, why);
	if (refused && run_record(run, "running", 0, &e) < 0)
		log_warning("status record: %s", err_message(e));
}

/* What ends it for every job that waits for this source: they fail with a copy of the same error, fall back, or wait on. Takes why. */
static void end_for_all(struct run *run, const char *source, const char *step, uint64_t since_ns, enum patience p, struct err *why)
{
	for (size_t i = 0; i < run->n_jobs; i++) {
		struct job *job = &run->jobs[i];

		if (!waits_for(job, source))
			continue;
		job->step = step;
		if (may_fall_back(job, why))
			fall_back(run, job, since_ns, copy_of(why));
		else if (may_be_pushed(run, job, why))
			leave_to_push(job, copy_of(why));
		else if (p == UNTIL_DEADLINE || !worth_more_time(why))
			give_up(run, job, copy_of(why));
	}
	err_free(why);
}

static int fetch(struct job *job, struct key_source *src, const char *path, struct secret **ret, struct err **err)
{
	if (src->fetch(src, path, ret, err) < 0)
		return -1;
	job->source_kind = src->kind;
	job->source = src->describe ? src->describe(src) : text_dup(src->kind);
	return 0;
}

/* kbs+vtpm: the other half. */
static void open_with_both(struct run *run, struct job *job, struct key_offer *offer)
{
	struct sealed_answer sealed = { 0 };
	struct err *err = NULL;
	char *source;

	if (job_unseal(run, job, false, &sealed, &err) < 0) {
		job_fail(job, err);
		return;
	}
	offer->sealed = &sealed;
	source = text_printf("%s and the secret sealed to this machine's TPM", job->source ? job->source : "kbs");
	free(job->source);
	job->source = source;
	job->source_kind = "kbs+vtpm";
	job_open(run, job, offer);
	sealed_answer_clear(&sealed);
}

/* 0: the source has done its part, whatever became of the job. -1: *err is the source's. */
static int acquire_one(struct run *run, struct job *job, struct key_source *src, const struct init_data *id, struct err **err)
{
	_cleanup_secret_ struct secret *secret = NULL;
	_cleanup_free_ char *path = NULL;
	struct key_offer offer;

	job->step = "secret";
	if (facts_expand_path(run->env, job, id, &path, err) < 0 || fetch(job, src, path, &secret, err) < 0)
		return -1;
	offer = (struct key_offer){ .secret = secret, .provisioner = src->provisioner(src, path) };
	if (job->conf->mode == MODE_KBS_AND_VTPM) {
		open_with_both(run, job, &offer);
	} else {
		job_open(run, job, &offer);
		job_reseal(run, job);
	}
	return 0;
}

/* What concerns the broker or this machine, not this resource, ends it for all of them. */
static bool ends_for_all(const struct err *err)
{
	switch (err_class(err)) {
	case ERR_UNREACHABLE:
	case ERR_IDENTITY:
	case ERR_NOEVIDENCE:
	case ERR_TIMEOUT:
		return true;
	case ERR_REFUSED: /* the machine as such, after the handshakes that contracts.md 4 grants */
		return text_eq(err_id(err), "kbs-attestation");
	default:
		return false;
	}
}

/* Only silence ends the time that kbs-or-vtpm gives a broker; one that has answered in any way is asked until the deadline. */
static bool asked_on(enum patience p, struct deadline until, const struct err *err)
{
	if (p != UNTIL_FALLBACK || !deadline_passed(until))
		return false;
	return err_class(err) == ERR_INDETERMINATE || err_class(err) == ERR_REFUSED || err_class(err) == ERR_IDENTITY;
}

static void acquire_all(struct run *run, const char *source, struct key_source *src, const struct init_data *id, enum patience p,
			struct deadline until)
{
	uint64_t since_ns = clock_ns();

	for (size_t i = 0; i < run->n_jobs; i++) {
		struct job *job = &run->jobs[i];
		struct err *err = NULL;

		if (!waits_for(job, source) || acquire_one(run, job, src, id, &err) == 0)
			continue;
		if (asked_on(p, until, err)) {
			err_free(err);
			return;
		}
		if (ends_for_all(err)) {
			end_for_all(run, source, "secret", since_ns, p, err);
			return;
		}
		give_up(run, job, err);
	}
}

/* One key broker of this run: our TEE's collector and the session. A failure is kept until a volume asks. */
struct broker {
	const struct config_kbs *conf;
	struct collector collector;
	struct key_source *src;
	struct err *err;
	const char *failed_step;
};

static bool source_needs_init_data(const struct run *run, const char *source)
{
	for (size_t i = 0; i < run->n_jobs; i++) {
		const struct config_volume *v = run->jobs[i].conf;

		if (text_eq(v->source_name, source) && config_path_uses(v, "init-data."))
			return true;
	}
	return false;
}

static void broker_open(struct run *run, const struct config_kbs *kbs, struct broker *b)
{
	int rc;

	*b = (struct broker){ .conf = kbs };
	events_start(run->env->events, "preflight", NULL);
	rc = collector_init(&b->collector, run->env, source_needs_init_data(run, kbs->name), &b->err);
	events_done(run->env->events, "preflight", NULL, rc, &b->err);
	b->failed_step = rc < 0 ? "evidence" : "secret";
	if (rc == 0)
		source_open_kbs(run->env, kbs, &b->collector, run->deadline, &b->src, &b->err);
}

static void broker_close(struct broker *b)
{
	keysrc_free(b->src);
	collector_clear(&b->collector);
	err_clear(&b->err);
}

void jobs_begin_key(struct run *run)
{
	for (size_t i = 0; !run->opt->recover && !run->opt->push && i < run->n_jobs; i++) {
		const struct config_kbs *kbs = config_find_kbs(run->env->config, run->jobs[i].conf->source_name);

		if (!kbs)
			continue;
		run->broker = malloc(sizeof(*run->broker));
		if (run->broker)
			broker_open(run, kbs, run->broker);
		return;
	}
}

void jobs_end_key(struct run *run)
{
	if (run->broker)
		broker_close(run->broker);
	free(TAKE_PTR(run->broker));
}

/* Volumes that have nothing else than this broker get the whole deadline, after those that do (kbs-or-vtpm, push = yes) have had their time; but for
 * what an operator is left, whom others wait for. */
static void acquire_from_broker(struct run *run, struct broker *b)
{
	const char *name = b->conf->name;
	const bool vtpm = anybody_waits(run, name, false), push = run->env->push && anybody_waits(run, name, true);
	struct deadline rest;

	if (b->err) {
		end_for_all(run, name, b->failed_step, clock_ns(), UNTIL_DEADLINE, TAKE_PTR(b->err));
		return;
	}
	if (vtpm || push) {
		struct deadline until = fallback_deadline(run, vtpm, push);

		kbs_session_set_deadline(keysrc_kbs_session(b->src), until);
		acquire_all(run, name, b->src, b->collector.init_data, UNTIL_FALLBACK, until);
	}
	rest = deadline_before_push(run);
	kbs_session_set_deadline(keysrc_kbs_session(b->src), rest);
	acquire_all(run, name, b->src, b->collector.init_data, UNTIL_DEADLINE, rest);
}

static void acquire_from_kbs(struct run *run, const struct config_kbs *kbs)
{
	struct broker another;

	if (run->broker && run->broker->conf == kbs) {
		acquire_from_broker(run, run->broker);
		jobs_end_key(run);
		return;
	}
	broker_open(run, kbs, &another);
	acquire_from_broker(run, &another);
	broker_close(&another);
}

static void acquire_local(struct run *run, const char *name)
{
	struct key_source *src = NULL;
	struct err *err = NULL;
	bool prompt = text_eq(name, "prompt");
	int rc;

	if (prompt && run->opt->boot) {
		keysrc_refuse_at_boot(&err);
		end_for_all(run, name, "secret", 0, UNTIL_DEADLINE, err);
		return;
	}
	if (prompt && keysrc_refuse_console("secret = prompt", &err) < 0)
		rc = -1;
	else
		rc = prompt ? keysrc_prompt_new(&src, &err) : keysrc_file_new(run->env->root_fd, &src, &err);
	if (rc < 0)
		end_for_all(run, name, "secret", 0, UNTIL_DEADLINE, err);
	else
		acquire_all(run, name, src, NULL, UNTIL_DEADLINE, run->deadline);
	keysrc_free(src);
}

static void acquire_by_hand(struct run *run)
{
	const struct key_offer offer = { .secret = run->opt->recover };

	for (size_t i = 0; i < run->n_jobs; i++) {
		if (run->jobs[i].stage != JOB_AUDITED)
			continue;
		run->jobs[i].source_kind = "recover";
		run->jobs[i].source = text_dup("a passphrase given by hand");
		job_open(run, &run->jobs[i], &offer);
	}
}

void jobs_acquire(struct run *run)
{
	if (run->opt->recover) {
		acquire_by_hand(run);
		return;
	}
	for (size_t i = 0; !run->opt->push && i < run->n_jobs; i++) {
		const char *source = run->jobs[i].conf->source_name;
		const struct config_kbs *kbs;

		if (run->jobs[i].stage != JOB_AUDITED || run->jobs[i].for_push || text_eq(source, "push"))
			continue;
		if (run->jobs[i].conf->mode == MODE_VTPM) {
			acquire_sealed(run, &run->jobs[i]);
			continue;
		}
		kbs = config_find_kbs(run->env->config, source);
		if (kbs)
			acquire_from_kbs(run, kbs);
		else
			acquire_local(run, source);
	}
	/* Last, because people are slower than machines. */
	acquire_pushed(run);
}

int unlock_attest(const struct unlock_env *env, const struct config_kbs *kbs, struct deadline d, struct key_source **ret_source,
		  struct err **err)
{
	/* The collector lives as long as the process: `attest` makes one session and exits. */
	static struct collector c;
	struct key_source *src = NULL;

	if (collector_init(&c, env, false, err) < 0)
		return -1;
	if (source_open_kbs(env, kbs, &c, d, &src, err) < 0)
		return -1;
	*ret_source = src;
	return kbs_session_attest(keysrc_kbs_session(src), err);
}
