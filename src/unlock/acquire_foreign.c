/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Keyslots that systemd-cryptenroll or clevis sealed to this machine's TPM: interop-unsafe = yes and no sealed file of ours (C7). */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "unlock/job.h"
#include "unlock/rules.h"

/* C4: such an object does not say who sealed it. */
static int check_pinned(const struct job *job, struct err **err)
{
	if (job->conf->vk_id)
		return 0;
	err_set(err, ERR_TPM, "sealed-origin", "nothing proves that the owner's system made this keyslot: another program's token says nothing of it");
	return err_hint(err, "put the line vk-id that `cryptattest document %s --name %s --profile compat --pins` prints into [volume %s]",
			job->conf->device, job->conf->name, job->conf->name);
}

static int try_unseal(struct run *run, struct job *job, struct foreign_answer *ret, struct err **err)
{
	_cleanup_rules_ struct rules rules = { 0 };
	struct foreign_request r = { .tokens = json_object_get(job->header.json, "tokens"),
				     .keyslot = job->conf->keyslot,
				     .ask_pin = job_ask_pin,
				     .ctx = job };
	enum foreign_kind kind;

	/* Without a TPM this is the reason, too: nothing was enrolled. */
	if (!keysrc_has_foreign(r.tokens, &kind))
		return keysrc_foreign(&r, ret, err);
	if (machine_tpm_trust(run->env, &run->tpm, &r.vtpm, err) < 0 ||
	    rules_load(run->env->config, run->env->root_fd, job->conf->pin, &rules, err) < 0 ||
	    job_check_capped(r.vtpm, job, &rules.vtpm, err) < 0)
		return -1;
	r.rules = &rules.vtpm;
	return keysrc_foreign(&r, ret, err);
}

static int unseal(struct run *run, struct job *job, struct foreign_answer *ret, struct err **err)
{
	struct err *why = NULL;

	do {
		if (try_unseal(run, job, ret, &why) == 0)
			return 0;
	} while (machine_tpm_again(run->env, &run->tpm, false, &why) == 0);
	return err_propagate(err, why);
}

int job_unseal_foreign(struct run *run, struct job *job, struct foreign_answer *ret, struct err **err)
{
	struct events *ev = run->env->events;
	int rc;

	job->step = "unseal";
	events_start(ev, "unseal", job->conf->name);
	rc = job_may_unseal(run, job, err);
	if (rc == 0)
		rc = check_pinned(job, err);
	if (rc == 0)
		rc = unseal(run, job, ret, err);
	if (rc == 0)
		log_warning("%s: opened by a %s token: other programs can unseal this keyslot at any time, also after the cap", job->conf->name,
			    foreign_kind_name(ret->kind));
	return events_done(ev, "unseal", job->conf->name, rc, err);
}

/* For who has no sealed secret of ours and does not know why: what there is, and what would use it. */
void job_explain_foreign(const struct job *job, struct err **err)
{
	enum foreign_kind kind;

	if (!err || !text_eq(err_id(*err), "sealed-absent") || !keysrc_has_foreign(json_object_get(job->header.json, "tokens"), &kind))
		return;
	if (job->conf->interop_unsafe)
		err_wrap(err, "the header's %s token is used only when the configuration names no sealed file", foreign_kind_name(kind));
	else
		err_wrap(err, "the header's %s token opens the volume without our audit and cap, so it is not used without interop-unsafe = yes "
			      "(enroll --from=%s takes it over)", foreign_kind_name(kind), foreign_kind_name(kind));
}
