/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The failure report for report-url: one JSON object of at most FAILURE_MAX bytes, and its way there. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/text.h"
#include "unlock/exitcode.h"
#include "unlock/failure.h"
#include "unlock/sources.h"
#include "wire/json.h"

#define FIELD_MAX 600 /* of one message or hint */

/* Printable and bounded; jansson escapes no more than quotes and backslashes of it. */
static json_t *text_json(const char *text)
{
	char safe[FIELD_MAX];

	if (!text || !*text)
		return json_null();
	text_sanitise(text, strlen(text), safe, sizeof(safe));
	return json_string(safe);
}

static json_t *error_json(const struct err *e)
{
	return json_pack("{s:s, s:s, s:o, s:o}", "class", err_class_name(err_class(e)), "id", err_id(e), "message", text_json(err_message(e)), "hint",
			 text_json(err_hint_text(e)));
}

static json_t *volume_json(const struct job *job)
{
	const bool failed = job->stage == JOB_FAILED;

	return json_pack("{s:s, s:s, s:o, s:o, s:s, s:o, s:o}", "name", job->conf->name, "mode", config_mode_name(job->conf->mode), "uuid",
			 text_json(job->header.uuid), "device", text_json(job->dev.path), "state",
			 failed						    ? "failed" :
			 job->stage == JOB_OPEN || job->stage == JOB_ALREADY ? "open" :
									       "unfinished",
			 "step", text_json(failed ? job->step : NULL), "error", failed ? error_json(job->err) : json_null());
}

/* Which machine it is. The host may have made it up: it tells reports apart, no more. */
static json_t *smbios_json(const struct unlock_env *env)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (file_read(env->root_fd, "sys/class/dmi/id/product_uuid", 64, ERR_CONFIG, &text, &len, NULL) < 0)
		return json_null();
	text[strcspn(text, "\n ")] = '\0';
	return text_json(text);
}

static json_t *head_json(const struct run *run, int code)
{
	struct failure_facts f;

	failure_facts(run, &f);
	return json_pack("{s:s, s:i, s:s, s:o, s:o, s:i, s:s, s:s, s:b, s:I, s:[o,o,o,o], s:o, s:[], s:i}", "type", "cryptattest-failure-report", "version",
			 1, "program", "cryptattest " VERSION, "boot_id", text_json(run->state ? run->state->boot_id : NULL), "smbios_uuid",
			 smbios_json(run->env), "exit", code, "meaning", exit_code_text(code) ? exit_code_text(code) : "?", "cap", run->cap,
			 "initramfs", run->in_initrd, "total_ms", (json_int_t)events_total_ms(run->env->events), "facts", text_json(f.machine),
			 text_json(f.evidence), text_json(f.network), text_json(f.time), "error", run->err ? error_json(run->err) : json_null(), "volumes",
			 "left_out", 0);
}

static size_t length(const json_t *o)
{
	return json_dumpb(o, NULL, 0, JSON_COMPACT);
}

/* Those that failed come first: there may be no room for all. */
static void add_volumes(json_t *root, const struct run *run)
{
	json_t *list = json_object_get(root, "volumes"), *left = json_object_get(root, "left_out");

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < run->n_jobs; i++) {
			if ((run->jobs[i].stage == JOB_FAILED) != !pass)
				continue;
			if (json_array_append_new(list, volume_json(&run->jobs[i])) < 0 || length(root) > FAILURE_MAX - 8) {
				json_array_remove(list, json_array_size(list) - 1);
				json_integer_set(left, json_integer_value(left) + 1);
			}
		}
}

char *failure_json(const struct run *run, int code)
{
	json_t *root = run->env->config->report.url ? head_json(run, code) : NULL;
	char *text = NULL;

	if (root) {
		add_volumes(root, run);
		text = json_dumps(root, JSON_COMPACT);
	}
	json_decref(root);
	return text;
}

/* Any answer of the 2xx kind will do. The transport knows what a broker says; of another server's answer it keeps the status. */
static bool taken(const struct transport_reply *r)
{
	return r->kind != TREPLY_FAIL && (r->kind != TREPLY_ERROR || r->status / 100 == 2);
}

void failure_send(const struct unlock_env *env, const char *json)
{
	const struct config_report *rep = &env->config->report;
	const char *const urls[] = { rep->origin, NULL };
	const struct transport_config conf = source_report_transport(rep, urls);
	_cleanup_(transport_reply_clear) struct transport_reply r = { 0 };
	_cleanup_err_ struct err *err = NULL;

	if (transport_configure(env->transport, &conf, &err) < 0 ||
	    transport_request(env->transport, 0, "POST", rep->path, json, true, deadline_in_ms(FAILURE_SEND_MS), &r, &err) < 0)
		log_warning("report: not sent to %s: %s [report-send]", rep->url, err_message(err));
	else if (taken(&r))
		log_info("report: sent to %s", rep->url);
	else if (r.kind == TREPLY_ERROR)
		log_warning("report: not taken by %s: HTTP status %u [report-status]", rep->url, r.status);
	else if (r.fail == TFAIL_IDENTITY)
		log_warning("report: not sent to %s: %s [report-identity]; to do: compare report-pin and report-ca with the certificate of that server", rep->url, r.what);
	else
		log_warning("report: not sent to %s: %s [report-send]", rep->url, r.what[0] ? r.what : transport_fail_name(r.fail));
}
