/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Volumes that wait for their owner: `secret = push`, `recover --push`, and `push = yes` when no broker was reached. One operator after
 * the other, one document at a time, until all are served or the window is over. The document passes the checks of every other, and a
 * raw passphrase is never taken: the operator vouches for the volume, not for the machine's disk (E4).
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "keysrc/push.h"
#include "unlock/job.h"
#include "unlock/sources.h"
#include "wire/document.h"

#define NO_BOOT_ID "00000000-0000-0000-0000-000000000000"

static bool named(const struct unlock_options *opt, const struct config_volume *v)
{
	for (char *const *n = opt->names; n && *n; n++)
		if (text_eq(*n, v->name))
			return true;
	return opt->all && v->mode != MODE_MANUAL;
}

bool unlock_may_be_pushed(const struct config *c, const struct unlock_options *opt)
{
	if (!c->push.present || opt->prepare || (opt->recover && !opt->push))
		return false;
	for (struct config_volume **v = c->volumes; *v; v++)
		if (named(opt, *v) && (opt->push || (*v)->push || text_eq((*v)->source_name, "push")))
			return true;
	return false;
}

/* Still closed, and nothing else is left to try. */
static bool waits(const struct run *run, const struct job *job)
{
	if (job->stage != JOB_AUDITED)
		return false;
	return run->opt->push || job->for_push || text_eq(job->conf->source_name, "push");
}

static size_t count_waiting(const struct run *run)
{
	size_t n = 0;

	for (size_t i = 0; i < run->n_jobs; i++)
		n += waits(run, &run->jobs[i]);
	return n;
}

struct deadline deadline_before_push(const struct run *run)
{
	uint64_t left = deadline_left_ms(run->deadline), window = run->env->config->push.window_ms;

	if (!run->env->push || !count_waiting(run))
		return run->deadline;
	if (left == UINT64_MAX) /* deadline = 0: as long as the operator gets, or he would never get his turn */
		return deadline_in_ms(window);
	left -= window < left / 2 ? window : left / 2;
	return deadline_in_ms(left ? left : 1);
}

static void describe(const struct run *run, struct push_instance *ret)
{
	*ret = (struct push_instance){ .boot_id = NO_BOOT_ID };
	if (run->state->boot_id && text_is_uuid(run->state->boot_id))
		memcpy(ret->boot_id, run->state->boot_id, sizeof(ret->boot_id));
	for (size_t i = 0; i < run->n_jobs && ret->n < PUSH_VOLUMES_MAX; i++) {
		const struct job *job = &run->jobs[i];
		struct push_volume *v = &ret->volumes[ret->n];

		if (!waits(run, job))
			continue;
		snprintf(v->name, sizeof(v->name), "%s", job->conf->name);
		snprintf(v->uuid, sizeof(v->uuid), "%s", job->header.uuid);
		ret->n++;
	}
}

/* Whose document is it? With one volume waiting it is that one's, and job_open() says what does not fit. */
static struct job *job_of(struct run *run, const struct secret *text, struct err **err)
{
	struct secret_document doc = { .keyslot = -1, .sealed_keyslot = -1 };
	struct job *found = NULL, *last = NULL;

	if (secret_document_parse(text, FORM_DOCUMENT, false, &doc, err) < 0)
		return NULL;
	for (size_t i = 0; i < run->n_jobs; i++) {
		struct job *job = &run->jobs[i];

		if (!waits(run, job))
			continue;
		last = job;
		if (text_eq(job->conf->name, doc.name) && text_eq(job->header.uuid, doc.uuid))
			found = job;
	}
	if (!found && count_waiting(run) == 1)
		found = last;
	if (!found)
		err_set(err, ERR_INTEGRITY, "document-name", "no volume that waits here is called %s and has the UUID %s", doc.name, doc.uuid);
	secret_document_clear(&doc);
	return found;
}

static void open_pushed(struct run *run, struct push_source *src, const struct secret *text)
{
	const struct key_offer offer = { .secret = text, .pushed = true };
	_cleanup_err_ struct err *err = NULL;
	struct job *job = job_of(run, text, &err);

	if (!job) {
		log_warning("operator push: %s", err_message(err));
		keysrc_push_result(src, err);
		return;
	}
	job->source_kind = "push";
	free(job->source);
	job->source = text_printf("operator %s%s", keysrc_push_who(src), job->for_push ? ", for no broker was reached" : "");
	job_open(run, job, &offer);
	keysrc_push_result(src, job->stage == JOB_FAILED ? job->err : NULL);
}

static void say(void *ctx, const char *text)
{
	(void)ctx;
	log_info("operator push: %s", text);
}

static int wait_for_documents(struct run *run, struct push_source *src, struct err **err)
{
	struct push_instance instance;
	int rc = 0;

	while (rc == 0 && count_waiting(run)) {
		_cleanup_secret_ struct secret *text = NULL;

		describe(run, &instance);
		rc = keysrc_push_wait(src, &instance, &text, err);
		if (rc == 0)
			open_pushed(run, src, text);
	}
	return rc;
}

static void say_waiting(const struct run *run, unsigned int port, struct deadline d)
{
	const struct config_push *conf = &run->env->config->push;

	for (size_t i = 0; i < run->n_jobs; i++)
		if (waits(run, &run->jobs[i]))
			log_info("%s: waiting %llu s for an operator at %s port %u (cryptattest-kbs push)", run->jobs[i].conf->name,
				 (unsigned long long)(deadline_left_ms(d) / 1000), conf->host ? conf->host : "any address,", port);
}

static int listen_and_wait(struct run *run, struct collector *c, struct err **err)
{
	const struct config_push *conf = &run->env->config->push;
	const struct push_params params = {
		.listener = run->env->push,
		.pins = conf->operators,
		.tee = tee_kind_name(c->provider->kind),
		.init_data = c->init_data_text,
		.collect = collector_json,
		.note = say,
		.ctx = c,
		.deadline = deadline_earlier(run->deadline, deadline_in_ms(conf->window_ms)),
	};
	struct push_source *src = NULL;
	unsigned int port = 0;
	int rc;

	if (push_listen(run->env->push, &port, err) < 0 || keysrc_push_new(&params, &src, err) < 0)
		return -1;
	say_waiting(run, port, params.deadline);
	rc = wait_for_documents(run, src, err);
	keysrc_push_free(src);
	return rc;
}

static void fail_waiting(struct run *run, const struct err *why)
{
	for (size_t i = 0; i < run->n_jobs; i++) {
		struct job *job = &run->jobs[i];
		struct err *err = NULL;

		if (!waits(run, job))
			continue;
		err_set(&err, err_class(why), err_id(why), "%s", err_message(why));
		if (job->fallback)
			err_wrap(&err, "%s", err_message(job->fallback));
		err_hint(&err, "%s", *err_hint_text(why) ? err_hint_text(why) : "cryptattest-kbs push sends a secret document, see cryptattest-kbs(8)");
		job->step = "push";
		job_fail(job, err);
	}
}

void acquire_pushed(struct run *run)
{
	struct collector c;
	struct err *err = NULL;
	int rc;

	if (!count_waiting(run))
		return;
	/* By this event the boot scripts bring up the network. There is nothing to wait for: an operator comes when there is a way. */
	events_start(run->env->events, "net", NULL);
	events_end(run->env->events, "net", NULL, true, "");
	events_start(run->env->events, "get", NULL);
	rc = run->env->push ? 0 : err_set(&err, ERR_CONFIG, "push-off", "there is no [push] section: nobody may push a secret to this machine");
	if (rc == 0)
		rc = collector_init(&c, run->env, false, &err);
	if (rc == 0) {
		rc = listen_and_wait(run, &c, &err);
		collector_clear(&c);
	}
	events_done(run->env->events, "get", NULL, rc, &err);
	if (rc < 0)
		fail_waiting(run, err);
	err_free(err);
}

bool may_be_pushed(const struct run *run, const struct job *job, const struct err *why)
{
	const struct state_volume *sv = state_volume_get(run->state, job->conf->name, false);

	/* "A remembered refusal bars other sources for this boot"; `recover --push` is a decision of the owner's and goes ahead. */
	if (sv && (text_eq(sv->state, "refused") || text_eq(sv->reason_class, err_class_name(ERR_REFUSED))))
		return false;
	return job->conf->push && run->env->push && err_class(why) == ERR_UNREACHABLE;
}

void leave_to_push(struct job *job, struct err *why)
{
	log_info("%s: %s; an operator may push its secret", job->conf->name, err_message(why));
	err_free(job->fallback);
	job->fallback = NULL;
	err_set(&job->fallback, err_class(why), err_id(why), "no broker was reached: %s", err_message(why));
	err_free(why);
	job->for_push = true;
}
