/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Secrets sealed to this machine's TPM: mode vtpm, the second half of kbs+vtpm, the fallback of kbs-or-vtpm (contracts.md 4). */
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "keysrc/keysrc.h"
#include "unlock/foreign_look.h"
#include "unlock/job.h"
#include "unlock/pcr_cause.h"
#include "unlock/rules.h"
#include "unlock/sidecar.h"

#define SIDECAR_WAIT_MS 10000 /* for the device that the file lies on; that of the volume is there already */

struct deadline sidecar_wait(const struct run *run)
{
	return deadline_earlier(run->deadline, deadline_in_ms(run->opt->boot ? SIDECAR_WAIT_MS : 1));
}

/* "A remembered refusal bars other sources for this boot": state "refused", or the reason of one that was closed again. */
static int check_refused_earlier(const struct run *run, const struct job *job, struct err **err)
{
	const struct state_volume *sv = state_volume_get(run->state, job->conf->name, false);

	if (!sv || (!text_eq(sv->state, "refused") && !text_eq(sv->reason_class, err_class_name(ERR_REFUSED))))
		return 0;
	err_set(err, ERR_REFUSED, "refused-earlier", "a key broker refused this volume earlier in this boot: the vTPM is not asked");
	return err_hint(err, "find out why it refused (cryptattest status); a new boot starts anew");
}

/* The dialogue with the person before the machine, who knows what a wrong PIN costs. */
int job_ask_pin(void *ctx, const struct tpm_lockout *l, struct secret **ret, struct err **err)
{
	const struct job *job = ctx;
	_cleanup_free_ char *prompt = NULL;

	if (l->max_tries)
		prompt = text_printf("PIN for %s (%u of %u tries are left before the TPM locks)", job->conf->name,
				     l->max_tries > l->failed ? l->max_tries - l->failed : 0, l->max_tries);
	else
		prompt = text_printf("PIN for %s (this TPM does not count wrong tries)", job->conf->name);
	if (!prompt)
		return err_nomem(err);
	return keysrc_ask(prompt, ret, err);
}

static int check_pin_allowed(const struct run *run, const struct job *job, struct err **err)
{
	if (!job->conf->pin || run->env->config->profile != PROFILE_CVM)
		return 0;
	/* D5: the console belongs to the host. */
	if (!run->opt->boot)
		return keysrc_refuse_console(job->conf->name, err);
	err_set(err, ERR_CONFIG, "pin-at-boot", "a PIN typed at boot would be typed on the host's console");
	return err_hint(err, "set pin = no for %s (%s:%u), or open it by hand", job->conf->name, job->conf->file, job->conf->line);
}

/* A vTPM that was proved genuine, and still is not the one that sealed: then why, as far as the file says (it is the host's). */
static void explain_replaced(const struct run *run, const char *text, size_t len, struct err **err)
{
	struct sealed_blob b = { 0 };
	struct err *better = NULL;

	if (!err || !run->tpm.proved || (!text_eq(err_id(*err), "tpm-replaced") && !text_eq(err_id(*err), "sealed-origin")) ||
	    sealed_blob_parse(text, len, &b, NULL) < 0)
		return;
	if (binding_check_sealed(&run->tpm.binding, &b.srk_name, &better) < 0) {
		err_free(*err);
		*err = better;
	}
	sealed_blob_clear(&b);
}

int job_may_unseal(const struct run *run, const struct job *job, struct err **err)
{
	return check_refused_earlier(run, job, err) < 0 ? -1 : check_pin_allowed(run, job, err);
}

int job_check_capped(struct vtpm *v, const struct job *job, const struct vtpm_rules *rules, struct err **err)
{
	bool capped;

	if (vtpm_capped(v, rules, &capped, err) < 0)
		return -1;
	if (!capped)
		return 0;
	err_set(err, ERR_CAP, "capped", "already capped: PCR %u was extended in this boot, no sealed secret can be unsealed any more",
		rules->cap_pcr);
	return err_hint(err, "restart the machine, or cryptattest recover %s", job->conf->name);
}

static int try_unseal(struct run *run, struct job *job, bool offline, struct sealed_answer *ret, struct err **err)
{
	_cleanup_rules_ struct rules rules = { 0 };
	_cleanup_free_ char *text = NULL;
	struct sealed_request r = { .name = job->conf->name,
				    .uuid = luks_volume_uuid(job->volume),
				    .need_origin = !job->conf->vk_id,
				    .offline = offline,
				    .ask_pin = job_ask_pin,
				    .ctx = job };

	if (machine_tpm_trust(run->env, &run->tpm, &r.vtpm, err) < 0 ||
	    rules_load(run->env->config, run->env->root_fd, job->conf->pin, &rules, err) < 0 ||
	    job_check_capped(r.vtpm, job, &rules.vtpm, err) < 0)
		return -1;
	if (sidecar_read(run->env, job->conf, sidecar_wait(run), &text, &r.text_len, err) < 0)
		return -1;
	r.rules = &rules.vtpm;
	r.text = text;
	if (keysrc_sealed(&r, ret, err) == 0)
		return 0;
	explain_replaced(run, text, r.text_len, err);
	pcr_cause_hint(run->env, job->conf->name, r.vtpm, &rules.vtpm, text, r.text_len, err);
	return -1;
}

/* A connection that broke, over this volume or an earlier one, is no reason to leave the machine locked. */
static int unseal(struct run *run, struct job *job, bool offline, struct sealed_answer *ret, struct err **err)
{
	struct err *why = NULL;

	do {
		if (try_unseal(run, job, offline, ret, &why) == 0)
			return 0;
	} while (machine_tpm_again(run->env, &run->tpm, false, &why) == 0);
	return err_propagate(err, why);
}

int job_unseal(struct run *run, struct job *job, bool offline, struct sealed_answer *ret, struct err **err)
{
	struct events *ev = run->env->events;
	int rc;

	job->step = "unseal";
	events_start(ev, "unseal", job->conf->name);
	rc = job_may_unseal(run, job, err);
	if (rc == 0)
		rc = unseal(run, job, offline, ret, err);
	if (rc < 0)
		job_explain_foreign(job, err);
	return events_done(ev, "unseal", job->conf->name, rc, err);
}

/* what: "vtpm", "vtpm, systemd-tpm2 token" */
static void note_source(struct job *job, const char *what)
{
	job->source_kind = "vtpm";
	free(job->source);
	job->source = job->fallback ? text_printf("%s (%s)", what, err_message(job->fallback)) : text_dup(what);
}

static int open_foreign(struct run *run, struct job *job, struct err **err)
{
	_cleanup_foreign_answer_ struct foreign_answer a = { 0 };
	char what[40];

	if (job_unseal_foreign(run, job, &a, err) < 0)
		return -1;
	snprintf(what, sizeof(what), "vtpm, %s token", foreign_kind_name(a.kind));
	note_source(job, what);
	job_open(run, job, &(struct key_offer){ .foreign = &a });
	return 0;
}

static int open_sealed(struct run *run, struct job *job, bool offline, struct err **err)
{
	struct sealed_answer sealed = { 0 };

	if (foreign_wanted(job->conf))
		return open_foreign(run, job, err);
	if (job_unseal(run, job, offline, &sealed, err) < 0)
		return -1;
	note_source(job, "vtpm");
	job_open(run, job, &(struct key_offer){ .sealed = &sealed });
	sealed_answer_clear(&sealed);
	return 0;
}

void acquire_sealed(struct run *run, struct job *job)
{
	struct err *err = NULL;

	if (open_sealed(run, job, false, &err) < 0)
		job_fail(job, err);
}

bool may_fall_back(const struct job *job, const struct err *why)
{
	return job->conf->mode == MODE_KBS_OR_VTPM && (err_class(why) == ERR_UNREACHABLE || err_class(why) == ERR_NOEVIDENCE);
}

/* No evidence to be had is the host's to arrange. It counts as an outage only where the hardware has just vouched for the vTPM. */
static bool evidence_allows(struct run *run, const struct err *why)
{
	_cleanup_err_ struct err *e = NULL;
	struct vtpm *v;

	if (err_class(why) != ERR_NOEVIDENCE)
		return true;
	if (machine_tpm_trust(run->env, &run->tpm, &v, &e) == 0 && run->tpm.proved)
		return true;
	log_debug("no evidence, and no proof of the vTPM: %s", e ? err_message(e) : "its Name was stated, not proved");
	return false;
}

static void note_fallback(struct job *job, uint64_t since_ns, const struct err *why)
{
	if (err_class(why) == ERR_NOEVIDENCE)
		err_set(&job->fallback, err_class(why), err_id(why),
			"no evidence for the broker: opened by the secret sealed to this machine's TPM");
	else
		err_set(&job->fallback, err_class(why), err_id(why),
			"broker unreachable for %llu s: opened by the secret sealed to this machine's TPM",
			(unsigned long long)((clock_ns() - since_ns + NSEC_PER_SEC / 2) / NSEC_PER_SEC));
}

void fall_back(struct run *run, struct job *job, uint64_t since_ns, struct err *why)
{
	_cleanup_err_ struct err *broker = why;
	struct err *err = NULL;

	if (!evidence_allows(run, why)) {
		job_fail(job, TAKE_PTR(broker));
		return;
	}
	/* Its "deadline" was fallback-after; the volume's own has not passed. */
	log_info("%s: %s%s; trying the secret sealed to this machine's TPM", job->conf->name,
		 err_class(why) == ERR_UNREACHABLE ? "no broker within fallback-after: " : "", err_message(why));
	note_fallback(job, since_ns, why);
	if (open_sealed(run, job, true, &err) == 0)
		return;
	err_wrap(&err, "no answer from the broker (%s), and the vTPM", err_message(why));
	job_fail(job, err);
}
