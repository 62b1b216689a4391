/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The cap in one run: what it is about, when it comes, what follows it. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "unlock/job.h"

static bool is_ours(const struct run *run, const char *name)
{
	for (size_t i = 0; i < run->n_jobs; i++)
		if (text_eq(run->jobs[i].conf->name, name) && (run->jobs[i].stage == JOB_VERIFIED || run->jobs[i].stage == JOB_OPEN))
			return true;
	return false;
}

/* What the cap is about: volumes of the initrd phase that this run opens, or that earlier ones of this boot have opened. */
static struct cap_volume *capped_volumes(struct run *run, size_t *ret_n)
{
	size_t known = run->state ? run->state->n_volumes : 0, n = 0;
	struct cap_volume *v = calloc(run->n_jobs + known + 1, sizeof(*v));

	for (size_t i = 0; v && i < run->n_jobs; i++) {
		const struct job *job = &run->jobs[i];

		if ((job->stage == JOB_VERIFIED || job->stage == JOB_OPEN) && job->conf->phase == PHASE_INITRD)
			v[n++] = (struct cap_volume){ job->conf->name, job->header.uuid, job->vk_id, job->source_kind };
	}
	for (size_t i = 0; v && i < known; i++) {
		const struct state_volume *sv = &run->state->volumes[i];

		if (text_eq(sv->state, "open") && text_eq(sv->phase, "initrd") && sv->uuid && sv->vk_id && !is_ours(run, sv->name))
			v[n++] = (struct cap_volume){ sv->name, sv->uuid, sv->vk_id, sv->source };
	}
	*ret_n = n;
	return v;
}

int run_cap(struct run *run, struct err **err)
{
	_cleanup_free_ struct cap_volume *v = NULL;
	size_t n = 0;
	int rc;

	events_start(run->env->events, "cap", NULL);
	v = capped_volumes(run, &n);
	rc = v ? cap_close(run->env, &run->tpm, run->state, v, n, &run->capped, err) : err_nomem(err);
	run->cap = rc == 0 ? run->capped.state : "failed";
	return events_done(run->env->events, "cap", NULL, rc, err);
}

void run_cap_outcome(struct run *run)
{
	_cleanup_err_ struct err *e = NULL;
	_cleanup_free_ struct cap_volume *v = NULL;
	size_t n = 0;

	v = capped_volumes(run, &n);
	/* The door is closed already; what is missing is a word for whoever reads the registers later. */
	if (!v || cap_say_outcome(run->env, &run->capped, run->state, cap_outcome(v, n), &e) < 0)
		log_warning("cap: the outcome was not measured: %s", err_message(e));
}

/* P2: whoever gets a shell, or boots on, after a failure must not be able to unseal what we could not open. */
void run_cap_after_failure(struct run *run)
{
	_cleanup_err_ struct err *e = NULL;

	if (!run->opt->boot || !run->in_initrd || (run->err && err_class(run->err) == ERR_NOTHING))
		return;
	if (run_cap(run, &e) < 0)
		log_error("cap: %s [%s]", err_message(e), err_id(e));
	else
		run_cap_outcome(run);
}
