/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Steps before any packet leaves: the device, the sealed header copy, the audit, and what already bears the name. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "unlock/header_policy.h"
#include "unlock/job.h"

void job_init(struct job *job, const struct config_volume *conf)
{
	*job = (struct job){ .conf = conf, .dev.fd = -1, .header.memfd = -1, .slot = -1 };
}

void job_fail(struct job *job, struct err *err)
{
	err_free(job->err);
	job->err = err;
	job->stage = JOB_FAILED;
	secret_free(TAKE_PTR(job->key));
	secret_free(TAKE_PTR(job->passphrase));
}

void job_clear(struct job *job)
{
	secret_free(job->key);
	secret_free(job->passphrase);
	luks_volume_free(job->volume);
	luks_header_clear(&job->header);
	device_close(&job->dev);
	free(job->source);
	free(job->sealed_note);
	secret_free(job->sealed_passphrase);
	err_free(job->fallback);
	err_free(job->err);
}

static int find_device(struct run *run, struct job *job, struct err **err)
{
	struct deadline d = run->deadline;

	if (!run->opt->boot)
		return device_find(run->env->root_fd, job->conf->device, run->env->platform->allow_file_devices, &job->dev, err);
	if (!job->conf->required)
		d = deadline_earlier(d, (struct deadline){ run->start_ns + job->conf->wait_ms * NSEC_PER_MSEC });
	return device_wait(run->env->root_fd, job->conf->device, run->env->platform->allow_file_devices, d, &job->dev, err);
}

static int copy_and_audit(struct job *job, struct err **err)
{
	struct luks_findings findings = { 0 };
	int rc = luks_volume_open(&job->dev, &job->policy, &job->header, &findings, &job->volume, err);

	if (rc < 0 && findings.n > 1)
		err_hint(err, "%zu checks failed; `cryptattest check %s` lists them all", findings.n, job->conf->name);
	luks_findings_clear(&findings);
	return rc;
}

/*
 * Only a mapping that our own record of this boot names, and whose kernel table passes K6 again, counts as done. Any other
 * mapping of that name was made by somebody else (E9).
 */
static int look_at_existing(struct run *run, struct job *job, struct err **err)
{
	const struct mapper *m = run->env->platform->mapper;
	struct mapper_info info = { 0 };
	const struct state_volume *sv;
	bool ours;

	if (m->query(m->ctx, job->conf->name, &info, err) < 0)
		return -1;
	if (!info.exists) {
		mapper_info_clear(&info);
		return 0;
	}
	sv = state_volume_get(run->state, job->conf->name, false);
	ours = sv && text_eq(sv->state, "open") && text_eq(sv->dm_uuid, info.uuid) && text_eq(sv->uuid, job->header.uuid);
	mapper_info_clear(&info);
	if (!ours) {
		err_set(err, ERR_INTEGRITY, "mapping-exists", "a mapping called \"%s\" exists and was not made by us in this boot",
			job->conf->name);
		return err_hint(err, "find out who made it (dmsetup table %s), remove it, then unlock again", job->conf->name);
	}
	if (luks_volume_check_table(job->volume, m, job->conf->name, job->conf->discard, err) < 0)
		return -1;
	job->source = text_dup("unlocked earlier in this boot");
	job->stage = JOB_ALREADY;
	return 0;
}

static int prepare(struct run *run, struct job *job, struct err **err)
{
	struct events *ev = run->env->events;

	job->step = "device";
	events_start(ev, "device", job->conf->name);
	if (events_done(ev, "device", job->conf->name, find_device(run, job, err), err) < 0)
		return -1;
	job->step = "header";
	events_start(ev, "header", job->conf->name);
	if (events_done(ev, "header", job->conf->name, copy_and_audit(job, err), err) < 0)
		return -1;
	job->step = "mapping";
	job->stage = JOB_AUDITED;
	return look_at_existing(run, job, err);
}

void job_prepare(struct run *run, struct job *job)
{
	struct err *err = NULL;

	job->policy = header_policy_of(job->conf);
	if (prepare(run, job, &err) < 0)
		job_fail(job, err);
	else
		log_debug("%s: header of %s passed, %zu bytes copied", job->conf->name, job->dev.path, job->header.copied);
}
