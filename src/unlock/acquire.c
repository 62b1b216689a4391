/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Secrets for all volumes of the phase: one handshake per key broker, one GET per volume on the same connection. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "unlock/job.h"
#include "unlock/sources.h"

static bool waits_for(const struct job *job, const char *source)
{
	return job->stage == JOB_AUDITED && text_eq(job->conf->source_name, source);
}

static struct err *copy_of(const struct err *why)
{
	struct err *err = NULL;

	err_set(&err, err_class(why), err_id(why), "%s", err_message(why));
	if (*err_hint_text(why))
		err_hint(&err, "%s", err_hint_text(why));
	return err;
}

/* Fails every job that waits for this source with a copy of the same error. */
static void fail_all(struct run *run, const char *source, const char *step, struct err *why)
{
	for (size_t i = 0; i < run->n_jobs; i++) {
		struct job *job = &run->jobs[i];

		if (!waits_for(job, source))
			continue;
		job->step = step;
		job_fail(job, copy_of(why));
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

static void acquire_one(struct run *run, struct job *job, struct key_source *src, const struct init_data *id)
{
	_cleanup_secret_ struct secret *secret = NULL;
	_cleanup_free_ char *path = NULL;
	struct err *err = NULL;

	job->step = "secret";
	if (facts_expand_path(run->env, job, id, &path, &err) < 0 || fetch(job, src, path, &secret, &err) < 0) {
		job_fail(job, err);
		return;
	}
	job_open(run, job, secret, src->provisioner(src, path));
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

static void acquire_all(struct run *run, const char *source, struct key_source *src, const struct init_data *id)
{
	for (size_t i = 0; i < run->n_jobs; i++) {
		struct job *job = &run->jobs[i];

		if (!waits_for(job, source))
			continue;
		acquire_one(run, job, src, id);
		if (job->stage == JOB_FAILED && ends_for_all(job->err)) {
			fail_all(run, source, "secret", copy_of(job->err));
			return;
		}
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
	for (size_t i = 0; !run->opt->recover && i < run->n_jobs; i++) {
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

static void acquire_from_broker(struct run *run, struct broker *b)
{
	if (b->err)
		fail_all(run, b->conf->name, b->failed_step, TAKE_PTR(b->err));
	else
		acquire_all(run, b->conf->name, b->src, b->collector.init_data);
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
		/* D5: the console belongs to the host. */
		err_set(&err, ERR_CONFIG, "prompt-at-boot", "a passphrase typed at boot would be typed on the host's console");
		err_hint(&err, "use a key broker, or `mode = manual` and `cryptattest recover`");
		fail_all(run, name, "secret", err);
		return;
	}
	rc = prompt ? keysrc_prompt_new(&src, &err) : keysrc_file_new(run->env->root_fd, &src, &err);
	if (rc < 0)
		fail_all(run, name, "secret", err);
	else
		acquire_all(run, name, src, NULL);
	keysrc_free(src);
}

static void acquire_by_hand(struct run *run)
{
	for (size_t i = 0; i < run->n_jobs; i++) {
		if (run->jobs[i].stage != JOB_AUDITED)
			continue;
		run->jobs[i].source_kind = "recover";
		run->jobs[i].source = text_dup("a passphrase given by hand");
		job_open(run, &run->jobs[i], run->opt->recover, false);
	}
}

void jobs_acquire(struct run *run)
{
	if (run->opt->recover) {
		acquire_by_hand(run);
		return;
	}
	for (size_t i = 0; i < run->n_jobs; i++) {
		const char *source = run->jobs[i].conf->source_name;
		const struct config_kbs *kbs;

		if (run->jobs[i].stage != JOB_AUDITED)
			continue;
		if (config_mode_uses_vtpm(run->jobs[i].conf->mode)) {
			struct err *err = NULL;

			err_set(&err, ERR_TPM, "tpm-absent", "mode = %s: no TPM can be used", config_mode_name(run->jobs[i].conf->mode));
			run->jobs[i].step = "secret";
			job_fail(&run->jobs[i], err);
			continue;
		}
		kbs = config_find_kbs(run->env->config, source);
		if (kbs)
			acquire_from_kbs(run, kbs);
		else
			acquire_local(run, source);
	}
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
