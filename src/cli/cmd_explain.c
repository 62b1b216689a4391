/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* explain: the plan for one volume, with the reason of each step; no side effects, no network. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/explain.h"
#include "evidence/evidence.h"
#include "luks/volume.h"
#include "tee/tee.h"
#include "unlock/exitcode.h"
#include "unlock/header_policy.h"
#include "wire/json.h"

void plan_add(struct plan *p, const char *step, bool ok, const char *text, const char *hint)
{
	struct finding *f = &p->items[p->n];

	if (p->n == ARRAY_SIZE(p->items))
		return;
	p->n++;
	f->step = step;
	f->ok = ok;
	snprintf(f->text, sizeof(f->text), "%s", text);
	snprintf(f->hint, sizeof(f->hint), "%s", hint);
}

void plan_add_err(struct plan *p, const char *step, struct err *err)
{
	plan_add(p, step, false, err_message(err), err_hint_text(err));
	err_free(err);
}

static void explain_header(struct plan *p, const struct config_volume *v, const struct luks_device *dev)
{
	struct luks_policy policy = header_policy_of(v);
	struct luks_findings found = { 0 };
	struct luks_header h = { .memfd = -1 };
	struct err *err = NULL;
	char text[160];

	if (luks_inspect(dev, &policy, &h, &found, &err) < 0) {
		plan_add_err(p, "header", err);
	} else {
		snprintf(text, sizeof(text), "passes profile %s (UUID %s)", policy.profile == LUKS_STRICT ? "strict" : "compat", h.uuid);
		plan_add(p, "header", true, text, "");
		snprintf(p->uuid, sizeof(p->uuid), "%s", h.uuid);
	}
	luks_findings_clear(&found);
	luks_header_clear(&h);
}

static void explain_device(struct cli *cli, struct plan *p, const struct config_volume *v)
{
	struct luks_device dev = { .fd = -1 };
	struct err *err = NULL;
	char text[sizeof(((struct finding *)0)->text)];

	if (device_find(cli->root_fd, v->device, cli->platform->allow_file_devices, &dev, &err) < 0) {
		plan_add_err(p, "device", err);
		return;
	}
	snprintf(text, sizeof(text), "%.120s is %.240s", v->device, dev.path);
	plan_add(p, "device", true, text, "");
	explain_header(p, v, &dev);
	device_close(&dev);
}

/* The broker's addresses and what it is trusted by; what happens without an answer is said by explain_rules(). */
static void explain_broker(struct plan *p, const struct config *c, const struct config_volume *v)
{
	_cleanup_buf_ struct buf t = BUF_INIT(4096);
	const struct config_kbs *k = config_find_kbs(c, v->source_name);

	buf_printf(&t, "%s from %s:%u: ", v->secret, v->file, v->line);
	if (!k) {
		buf_printf(&t, "%s",
			   text_eq(v->source_name, "file") ? "a key file on this system" :
			   text_eq(v->source_name, "push") ? "what an operator pushes" :
							     "asked on the terminal, never at boot");
	} else {
		buf_printf(&t, "key broker%s", strv_len(k->urls) > 1 ? "s, in this order:" : "");
		for (char **u = k->urls; *u; u++)
			buf_printf(&t, " %s", *u);
		buf_printf(&t, "; trusted by %s%s", k->pins && *k->pins ? "pinned key" : "CA file and server name",
			   v->mode == MODE_KBS && !v->push ?
				   "; no fallback: when it says no, or cannot be reached by the deadline, the volume stays closed" :
				   "");
	}
	plan_add(p, "source", true, buf_cstr(&t) ? buf_cstr(&t) : "", "");
}

static void explain_rules(struct plan *p, const struct config *c, const struct config_volume *v)
{
	char text[400];

	switch (v->mode) {
	case MODE_KBS_AND_VTPM:
		plan_add(p, "rule", true, "mode = kbs+vtpm: both halves are needed, neither alone opens the volume", "");
		return;
	case MODE_KBS_OR_VTPM:
		snprintf(text, sizeof(text),
			 "mode = kbs-or-vtpm: the broker first; the vTPM only when no broker is reached for %llu s, never after a refusal",
			 (unsigned long long)c->vtpm.fallback_after_ms / 1000);
		plan_add(p, "rule", true, text, "");
		if (c->vtpm.offline_index && c->vtpm.offline_boots) {
			snprintf(text, sizeof(text), "at most %llu boots by the vTPM after a sealing (offline-boots, %s:%u)",
				 (unsigned long long)c->vtpm.offline_boots, c->vtpm.file, c->vtpm.line);
			plan_add(p, "rule", true, text, "");
		}
		return;
	case MODE_VTPM:
		plan_add(p, "rule", true, "mode = vtpm: no broker is asked; what the TPM releases opens the volume", "");
		return;
	default:
		return;
	}
}

static void explain_push(struct plan *p, const struct config *c, const struct config_volume *v)
{
	char text[400];

	if (v->push)
		snprintf(text, sizeof(text), "push = yes: an operator is waited for when no broker is reached for %llu s, never after a refusal",
			 (unsigned long long)c->push.after_ms / 1000);
	else if (text_eq(v->source_name, "push"))
		snprintf(text, sizeof(text), "secret = push: an operator is waited for, nothing opens the volume by itself");
	else
		return;
	plan_add(p, "rule", true, text, "");
	snprintf(text, sizeof(text), "the operator has one of %zu keys ([push] at %s:%u), comes to %s port %u within %llu s", strv_len(c->push.operators),
		 c->push.file, c->push.line, c->push.host ? c->push.host : "any address,", c->push.port,
		 (unsigned long long)c->push.window_ms / 1000);
	plan_add(p, "rule", true, text, "");
}

static void explain_source(struct plan *p, const struct config *c, const struct config_volume *v)
{
	if (v->mode == MODE_MANUAL) {
		plan_add(p, "source", true, "mode = manual: only `cryptattest recover` opens it", "");
		return;
	}
	if (v->secret)
		explain_broker(p, c, v);
	explain_rules(p, c, v);
	explain_push(p, c, v);
}

static void explain_tee(struct cli *cli, struct plan *p)
{
	struct tee_env te = { .root_fd = cli->root_fd, .may_mount = false };
	_cleanup_buf_ struct buf why = BUF_INIT(16384);
	const struct tee_provider *tee;
	struct err *err = NULL;
	char text[200];

	if (tee_detect(cli->platform->tees, &te, &tee, &why, &err) < 0) {
		plan_add_err(p, "evidence", err);
		return;
	}
	snprintf(text, sizeof(text), "%s: %s", tee->name, tee->summary);
	plan_add(p, "evidence", true, text, "");
}

static void explain_identity(struct plan *p, const struct config_volume *v)
{
	if (v->vk_id)
		plan_add(p, "identity", true, "vk-id pinned in the configuration", "");
	else if (v->mode == MODE_MANUAL || text_eq(v->source_name, "prompt"))
		plan_add(p, "identity", true, "nothing but the passphrase says which volume this is",
			 "pin vk-id (cryptattest document --pins)");
	else if (v->form == CONF_FORM_RAW && text_eq(v->source_name, "file"))
		plan_add(p, "identity", true, "nothing but the key file says which volume this is",
			 "use a secret document, or pin vk-id (cryptattest document --pins)");
	else if (v->form == CONF_FORM_RAW)
		plan_add(p, "identity", true, "nothing pins this volume: whoever can answer as the key broker can swap the disk",
		    "use a secret document, or pin vk-id (cryptattest document --pins)");
	else if (v->mode == MODE_VTPM)
		plan_add(p, "identity", true, "the volume is the one that the sealed secret names", "");
	else
		plan_add(p, "identity", true,
			 text_eq(v->source_name, "file") ? "pinned by the secret document, if the key file is one" :
			 text_eq(v->source_name, "push") ? "pinned by the secret document, which the operator signs" :
							   "pinned by the secret document, if the broker holds one",
			 "");
}

static int print_json(const struct config_volume *v, const struct plan *p, bool usable)
{
	json_t *steps = json_array(), *root;

	for (size_t i = 0; steps && i < p->n; i++)
		json_array_append_new(steps, json_pack("{s:s, s:b, s:s, s:s}", "step", p->items[i].step, "ok", p->items[i].ok, "text",
						       p->items[i].text, "hint", p->items[i].hint));
	root = json_pack("{s:i, s:s, s:b, s:o}", "version", 1, "volume", v->name, "usable", usable, "steps", steps);
	return cli_put_json(root);
}

static void print_text(const struct config_volume *v, const struct plan *p)
{
	printf("%s (%s:%u), mode %s, phase %s\n", v->name, v->file, v->line, config_mode_name(v->mode),
	       v->phase == PHASE_INITRD ? "initrd" : "system");
	for (size_t i = 0; i < p->n; i++)
		printf("  %-9s %s %s%s%s\n", p->items[i].step, p->items[i].ok ? "ok  " : "FAIL", p->items[i].text,
		       *p->items[i].hint ? "; to do: " : "", p->items[i].hint);
}

int cmd_explain(struct cli *cli)
{
	const struct config_volume *v;
	struct plan p = { .n = 0 };
	struct err *err = NULL;
	bool usable = true;

	if (cli_need_config(cli, &err) < 0 || config_need_volume(cli->config, cli->opts.args[0], &v, &err) < 0)
		return cli_fail(err);
	if (cli->opts.remits)
		return explain_remits(cli, v);
	explain_device(cli, &p, v);
	explain_source(&p, cli->config, v);
	if (v->mode != MODE_MANUAL && (config_find_kbs(cli->config, v->source_name) || text_eq(v->source_name, "push")))
		explain_tee(cli, &p);
	if (config_mode_uses_vtpm(v->mode))
		explain_vtpm(cli, &p, v);
	explain_identity(&p, v);
	for (size_t i = 0; i < p.n; i++)
		usable &= p.items[i].ok;
	if (cli->opts.json)
		return print_json(v, &p, usable);
	print_text(v, &p);
	return fflush(stdout) == 0 ? EXIT_OK : EXIT_INTERNAL;
}
