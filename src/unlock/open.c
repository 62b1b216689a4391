/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* From a secret to a verified key, and from a verified key to the public mapping (K1-K6, architecture.md 3 steps 5-6). */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/hkdf.h"
#include "unlock/guardian.h"
#include "unlock/job.h"
#include "wire/document.h"

#define SECRET_MIN_MACHINE 16 /* K1: from a KBS or TPM */
#define SECRET_MIN_HAND 1

static int mismatch(struct err **err, const char *id, const char *what, const char *found, const char *wanted)
{
	err_set(err, ERR_INTEGRITY, id, "%s: this volume has %s, the owner named %s", what, found, wanted);
	return err_hint(err, "this is not the volume the secret was made for: a swapped disk, or an old secret document");
}

/* A document belongs to one volume (contracts.md 2); what stands in both document and configuration must match in both. */
static int check_document(const struct job *job, const struct secret_document *doc, struct err **err)
{
	const char *uuid = luks_volume_uuid(job->volume);

	if (!doc->is_document)
		return 0;
	if (!text_eq(doc->name, job->conf->name))
		return mismatch(err, "document-name", "secret document", job->conf->name, doc->name);
	if (!text_eq(doc->uuid, uuid))
		return mismatch(err, "document-uuid", "secret document", uuid, doc->uuid);
	if (!job->conf->vk_id || text_eq(job->conf->vk_id, doc->vk_id))
		return 0;
	err_set(err, ERR_INTEGRITY, "document-vk-id", "the configuration pins vk-id %s, the secret document %s", job->conf->vk_id,
		doc->vk_id);
	return err_hint(err, "one of them is of another volume: `cryptattest document --pins` prints this volume's");
}

static int check_sector_size(const struct job *job, unsigned int pinned, struct err **err)
{
	unsigned int found = luks_volume_sector_size(job->volume);
	char a[16], b[16];

	if (!pinned || pinned == found)
		return 0;
	snprintf(a, sizeof(a), "%u", found);
	snprintf(b, sizeof(b), "%u", pinned);
	return mismatch(err, "H6", "sector size", a, b);
}

/* K4: the key is the owner's, and so is the header around it (E2, E4). */
static int check_identity(struct job *job, const struct secret_document *doc, struct err **err)
{
	if (luks_vk_id(job->key, luks_volume_uuid(job->volume), job->conf->name, job->vk_id, err) < 0 ||
	    luks_header_id(&job->header, job->slot, job->header_id, err) < 0)
		return -1;
	if (job->conf->vk_id && ct_memcmp(job->conf->vk_id, job->vk_id, 64) != 0)
		return mismatch(err, "K4", "vk-id of the configuration", job->vk_id, job->conf->vk_id);
	if (job->conf->header_id && !text_eq(job->conf->header_id, job->header_id))
		return mismatch(err, "header-id", "header-id of the configuration", job->header_id, job->conf->header_id);
	if (!doc || !doc->is_document)
		return 0;
	if (ct_memcmp(doc->vk_id, job->vk_id, 64) != 0)
		return mismatch(err, "K4", "vk_id of the secret document", job->vk_id, doc->vk_id);
	if (doc->header_ids && !strv_has(doc->header_ids, job->header_id))
		return mismatch(err, "header-id", "header_ids of the secret document", job->header_id, doc->header_ids[0]);
	return 0;
}

/* The sealer's word on what it sealed for. Whether it can be believed was settled before (C4); here it must be this volume. */
static int check_sealed_identity(const struct job *job, const struct sealed_answer *sealed, struct err **err)
{
	if (ct_memcmp(sealed->payload.vk_id, job->vk_id, 64) != 0)
		return mismatch(err, "K4", "vk_id of the sealed secret", job->vk_id, sealed->payload.vk_id);
	if (!text_eq(sealed->payload.header_id, job->header_id))
		return mismatch(err, "header-id", "header_id of the sealed secret", job->header_id, sealed->payload.header_id);
	return 0;
}

static int unlock_with(struct run *run, struct job *job, const struct secret *passphrase, int keyslot, struct err **err)
{
	size_t min_len = run->opt->recover ? SECRET_MIN_HAND : SECRET_MIN_MACHINE;

	return luks_volume_unlock(job->volume, passphrase, min_len, keyslot, &job->key, &job->slot, err);
}

/* The sidecar's keyslot saves trying the others; it is the host's word, so being wrong proves nothing. */
static int unlock_with_hint(struct run *run, struct job *job, const struct secret *passphrase, int hint, struct err **err)
{
	_cleanup_err_ struct err *e = NULL;

	if (hint < 0)
		return unlock_with(run, job, passphrase, -1, err);
	if (unlock_with(run, job, passphrase, hint, &e) == 0)
		return 0;
	if (err_class(e) != ERR_BADKEY && !text_eq(err_id(e), "keyslot-absent"))
		return err_propagate(err, TAKE_PTR(e));
	return unlock_with(run, job, passphrase, -1, err);
}

static int obtain_key(struct run *run, struct job *job, const struct secret *passphrase, const struct secret_document *doc,
		      const struct sealed_answer *sealed, struct err **err)
{
	int keyslot = job->conf->keyslot >= 0 ? job->conf->keyslot : doc ? doc->keyslot : -1;

	if (check_sector_size(job, job->conf->sector_size, err) < 0 || (doc && check_sector_size(job, doc->sector_size, err) < 0))
		return -1;
	if (keyslot < 0 && sealed ? unlock_with_hint(run, job, passphrase, sealed->keyslot, err) < 0 :
				    unlock_with(run, job, passphrase, keyslot, err) < 0)
		return -1;
	if (check_identity(job, doc, err) < 0)
		return -1;
	if (run->opt->key && secret_from(secret_cdata(passphrase), secret_len(passphrase), &job->passphrase, err) < 0)
		return -1;
	return sealed ? check_sealed_identity(job, sealed, err) : 0;
}

/* A mapping under a random name that nothing looks for, read back and removed again: proof before publication. */
static int trial(struct run *run, struct job *job, struct err **err)
{
	const struct mapper *m = run->env->platform->mapper;
	char name[32];
	struct luks_activation a = { .name = name, .private_name = true, .discard = job->conf->discard };

	if (device_recheck(&job->dev, err) < 0 || mapper_private_name(name, err) < 0)
		return -1;
	if (luks_volume_activate(job->volume, m, job->key, &a, err) < 0)
		return -1;
	return luks_volume_deactivate(job->volume, m, name, err);
}

/* The keyslot of the vTPM is opened by base64 of the sealed bytes (tpm-sealing.md 2.4). */
static int obtain_from_sealed(struct run *run, struct job *job, const struct sealed_answer *sealed, struct err **err)
{
	_cleanup_secret_ struct secret *passphrase = NULL;

	if (secret_base64(sealed->payload.secret, &passphrase, err) < 0)
		return -1;
	return obtain_key(run, job, passphrase, NULL, sealed, err);
}

/* The token names the keyslot, and no other is tried: its passphrase is as good as the token, which is the host's. */
static int obtain_from_foreign(struct run *run, struct job *job, const struct foreign_answer *a, struct err **err)
{
	if (check_sector_size(job, job->conf->sector_size, err) < 0 || unlock_with(run, job, a->passphrase, a->keyslot, err) < 0)
		return -1;
	return check_identity(job, NULL, err);
}

static int obtain_from_both(struct run *run, struct job *job, const struct secret_document *doc, const struct sealed_answer *sealed,
			    struct err **err)
{
	_cleanup_secret_ struct secret *passphrase = NULL;

	if (both_parts_passphrase(doc->passphrase, sealed->payload.secret, luks_volume_uuid(job->volume), job->conf->name, &passphrase, err) < 0)
		return -1;
	return obtain_key(run, job, passphrase, doc, sealed, err);
}

/* For job_reseal(). A broker that escrows the sealed part of kbs+vtpm would hold both factors: not with our help. */
static void keep_for_resealing(struct job *job, struct secret_document *doc)
{
	if (job->conf->mode == MODE_KBS_AND_VTPM && doc->may_reseal)
		log_warning("%s: the secret document says may_reseal, which mode = kbs+vtpm ignores: the broker must not hold both parts",
			    job->conf->name);
	if (job->conf->mode != MODE_KBS_OR_VTPM)
		return;
	job->may_reseal = doc->may_reseal;
	job->sealed_slot = doc->sealed_keyslot;
	job->sealed_passphrase = TAKE_PTR(doc->sealed_passphrase);
}

static int obtain_from_document(struct run *run, struct job *job, const struct key_offer *offer, struct err **err)
{
	static const enum secret_form forms[] = {
		[CONF_FORM_AUTO] = FORM_AUTO, [CONF_FORM_RAW] = FORM_RAW, [CONF_FORM_DOCUMENT] = FORM_DOCUMENT
	};
	struct secret_document doc = { .keyslot = -1, .sealed_keyslot = -1 };
	int rc = secret_document_parse(offer->secret, offer->pushed ? FORM_DOCUMENT : forms[job->conf->form], offer->provisioner, &doc, err);

	if (rc == 0)
		rc = check_document(job, &doc, err);
	if (rc == 0)
		rc = offer->sealed ? obtain_from_both(run, job, &doc, offer->sealed, err) :
				     obtain_key(run, job, doc.passphrase, &doc, NULL, err);
	if (rc == 0)
		keep_for_resealing(job, &doc);
	secret_document_clear(&doc);
	return rc;
}

static int open_volume(struct run *run, struct job *job, const struct key_offer *offer, struct err **err)
{
	struct events *ev = run->env->events;
	int rc;

	job->step = "open";
	events_start(ev, "open", job->conf->name);
	if (run->opt->recover)
		rc = obtain_key(run, job, offer->secret, NULL, NULL, err);
	else if (offer->foreign)
		rc = obtain_from_foreign(run, job, offer->foreign, err);
	else if (offer->secret)
		rc = obtain_from_document(run, job, offer, err);
	else
		rc = obtain_from_sealed(run, job, offer->sealed, err);
	if (events_done(ev, "open", job->conf->name, rc, err) < 0)
		return -1;
	job->step = "verify";
	events_start(ev, "verify", job->conf->name);
	return events_done(ev, "verify", job->conf->name, trial(run, job, err), err);
}

void job_open(struct run *run, struct job *job, const struct key_offer *offer)
{
	struct err *err = NULL;

	if (open_volume(run, job, offer, &err) < 0) {
		job_fail(job, err);
		return;
	}
	job->stage = JOB_VERIFIED;
}

/* What a later run of this boot compares before it calls the mapping ours. */
static int remember_dm_uuid(const struct mapper *m, struct job *job, struct err **err)
{
	struct mapper_info info = { 0 };

	if (m->query(m->ctx, job->conf->name, &info, err) < 0)
		return -1;
	snprintf(job->dm_uuid, sizeof(job->dm_uuid), "%s", info.uuid);
	mapper_info_clear(&info);
	return 0;
}

void job_publish(struct run *run, struct job *job)
{
	const struct mapper *m = run->env->platform->mapper;
	struct luks_activation a = { .name = job->conf->name, .discard = job->conf->discard };
	struct events *ev = run->env->events;
	struct err *err = NULL;
	int rc;

	job->step = "publish";
	events_start(ev, "publish", job->conf->name);
	/* After SIGTERM nothing more becomes public. */
	if (clock_cancelled())
		rc = err_set(&err, ERR_TIMEOUT, "cancelled", "cancelled before the volume was made public");
	else
		rc = device_recheck(&job->dev, &err);
	if (rc == 0)
		rc = guardian_expect(run->env->guardian, job->conf->name, job->header.uuid, &err);
	if (rc == 0)
		rc = luks_volume_activate(job->volume, m, job->key, &a, &err);
	if (rc == 0)
		rc = remember_dm_uuid(m, job, &err);
	events_done(ev, "publish", job->conf->name, rc, &err);
	secret_free(TAKE_PTR(job->key));
	if (rc < 0)
		job_fail(job, err);
	else
		job->stage = JOB_OPEN;
}
