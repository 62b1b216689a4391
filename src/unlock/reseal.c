/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Sealing anew at boot (D4): the broker has opened the volume and escrows the passphrase of the vTPM's keyslot, so after an update the
 * next boot without it is not stranded. The sidecar file is rewritten, the header never (C10). A failure is recorded and warned of.
 */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/text.h"
#include "unlock/job.h"
#include "unlock/rules.h"
#include "unlock/sidecar.h"
#include "unlock/slot_mac.h"
#include "wire/document.h"

static void blob_clear(struct sealed_blob *b)
{
	sealed_blob_clear(b);
}

/* Of the file that is there. Whatever is wrong with it, a new one is right; where its disk is not there, none could be written, and an NV
 * pin would name what nobody has. */
static int is_current(struct run *run, struct job *job, struct vtpm *v, const struct vtpm_rules *rules, struct sealed_blob *b, bool *ret, struct err **err)
{
	_cleanup_err_ struct err *why = NULL;
	_cleanup_free_ char *text = NULL;
	size_t len = 0;

	*ret = false;
	if (sidecar_read(run->env, job->conf, sidecar_wait(run), &text, &len, &why) < 0 || sealed_blob_parse(text, len, b, &why) < 0) {
		if (text_starts(err_id(why), "device-"))
			return err_propagate(err, TAKE_PTR(why));
		log_debug("%s: %s", job->conf->name, err_message(why));
		return 0;
	}
	if (!text_eq(b->name, job->conf->name) || !text_eq(b->uuid, luks_volume_uuid(job->volume)) || b->pin)
		return 0;
	return vtpm_current(v, rules, b, ret, err);
}

/* The escrowed passphrase must open this volume's key, or the broker would have us seal something else. */
static int check_escrow(struct job *job, struct sealed_payload *p, int *ret_slot, struct err **err)
{
	_cleanup_secret_ struct secret *key = NULL, *raw = NULL;
	size_t n = 0;

	if (luks_volume_unlock(job->volume, job->sealed_passphrase, LUKS_SECRET_MIN, job->sealed_slot, &key, ret_slot, err) < 0)
		return err_wrap(err, "sealed_secret of the secret document");
	if (!secret_equal(key, job->key))
		return err_set(err, ERR_INTEGRITY, "K4", "sealed_secret of the secret document opens another key");
	if (luks_header_id(&job->header, *ret_slot, p->header_id, err) < 0 || secret_new(SECRET_SEALED_LEN + 4, &raw, err) < 0 ||
	    b64_decode(B64_STD, (const char *)secret_cdata(job->sealed_passphrase), secret_len(job->sealed_passphrase), secret_data(raw),
		       secret_cap(raw), &n, err) < 0)
		return -1;
	secret_set_len(raw, n);
	snprintf(p->vk_id, sizeof(p->vk_id), "%s", job->vk_id);
	p->secret = TAKE_PTR(raw);
	return 0;
}

static int fill_names(struct sealed_blob *b, const struct job *job, int slot, struct err **err)
{
	b->name = text_dup(job->conf->name);
	b->uuid = text_dup(luks_volume_uuid(job->volume));
	b->sealed_at = text_dup("boot");
	b->keyslot = slot;
	if (slot_mac(job->key, &job->header, slot, job->conf->name, b->slot_mac, err) < 0)
		return -1;
	return b->name && b->uuid && b->sealed_at ? 0 : err_nomem(err);
}

static int seal_anew(struct run *run, struct job *job, struct vtpm *v, const struct vtpm_rules *rules, const struct sealed_blob *in_place,
		     struct err **err)
{
	_cleanup_(sealed_payload_clear) struct sealed_payload payload = { 0 };
	_cleanup_(blob_clear) struct sealed_blob blob = { 0 };
	_cleanup_free_ char *text = NULL;
	int slot = -1;

	if (check_escrow(job, &payload, &slot, err) < 0 ||
	    vtpm_seal(v, rules, &payload, NULL, NULL, in_place->pub.len ? in_place : NULL, &blob, err) < 0 ||
	    fill_names(&blob, job, slot, err) < 0 || sealed_blob_text(&blob, &text, err) < 0)
		return -1;
	return sidecar_write(run->env, job->conf, text, err);
}

static int try_reseal(struct run *run, struct job *job, const char **ret_note, struct err **err)
{
	_cleanup_(blob_clear) struct sealed_blob in_place = { 0 };
	_cleanup_rules_ struct rules rules = { 0 };
	bool capped, current;
	struct vtpm *v;

	if (!job->sealed_passphrase)
		return err_set(err, ERR_INTEGRITY, "document", "the secret document says may_reseal but has no sealed_secret");
	if (job->conf->pin)
		return err_set(err, ERR_CONFIG, "pin-at-boot", "a secret with a PIN is sealed by hand: cryptattest enroll %s --source=vtpm",
			       job->conf->name);
	if (rules_check_loader(run->env->config, run->env->root_fd, err) < 0 || machine_tpm_trust(run->env, &run->tpm, &v, err) < 0 ||
	    rules_load(run->env->config, run->env->root_fd, false, &rules, err) < 0 ||
	    vtpm_capped(v, &rules.vtpm, &capped, err) < 0)
		return -1;
	if (capped)
		return err_set(err, ERR_CAP, "capped", "the cap is in place: what is sealed now could not be unsealed");
	if (is_current(run, job, v, &rules.vtpm, &in_place, &current, err) < 0)
		return -1;
	*ret_note = current ? "current" : "resealed";
	return current ? 0 : seal_anew(run, job, v, &rules.vtpm, &in_place, err);
}

static int reseal(struct run *run, struct job *job, const char **ret_note, struct err **err)
{
	struct err *why = NULL;

	do {
		if (try_reseal(run, job, ret_note, &why) == 0)
			return 0;
	} while (machine_tpm_again(run->env, &run->tpm, false, &why) == 0);
	return err_propagate(err, why);
}

void job_reseal(struct run *run, struct job *job)
{
	_cleanup_err_ struct err *err = NULL;
	const char *note = NULL;
	int rc;

	if (job->stage != JOB_VERIFIED || !job->may_reseal)
		return;
	events_start(run->env->events, "reseal", job->conf->name);
	rc = events_done(run->env->events, "reseal", job->conf->name, reseal(run, job, &note, &err), &err);
	secret_free(TAKE_PTR(job->sealed_passphrase));
	free(job->sealed_note);
	job->sealed_note = rc == 0 ? text_dup(note) : text_printf("not resealed: %s", err_message(err));
	if (rc < 0)
		log_warning("%s: the sealed secret was not brought up to date: %s; a boot without the broker may fail", job->conf->name,
			    err_message(err));
	else if (text_eq(note, "resealed"))
		log_info("%s: sealed anew for the PCRs of this boot", job->conf->name);
}

void run_raise_version(struct run *run)
{
	_cleanup_rules_ struct rules rules = { 0 };
	_cleanup_err_ struct err *err = NULL;
	struct vtpm *v;

	/* Only a boot that a policy has just served, or the broker, proves that the new one works. */
	if (!run->tpm.trusted || !run->env->config->vtpm.version_index)
		return;
	if (rules_load(run->env->config, run->env->root_fd, false, &rules, &err) < 0 ||
	    machine_tpm_trust(run->env, &run->tpm, &v, &err) < 0 || vtpm_raise_version(v, &rules.vtpm, &err) < 0)
		log_warning("older signed PCR policies stay valid: %s", err_message(err));
}
