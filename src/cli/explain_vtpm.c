/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* explain: the sealed secret of one volume as unlock would find it now. Unseals nothing. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/explain.h"
#include "state/state.h"
#include "unlock/foreign_look.h"
#include "unlock/machine_tpm.h"
#include "unlock/pcr_cause.h"
#include "unlock/rules.h"
#include "unlock/sidecar.h"

struct look {
	struct unlock_env env;
	const struct config_volume *v;
	struct plan *p;
	struct machine_tpm m;
	struct vtpm *vtpm; /* its connection */
	struct rules rules;
	struct sealed_blob blob;
};

static void explain_rule_lines(const struct look *l)
{
	const struct config_vtpm *t = &l->env.config->vtpm;
	char literal[80], text[400];

	pcr_mask_text(t->pcrs, literal, sizeof(literal));
	snprintf(text, sizeof(text), "PCRs %s as they were at the sealing, %sPCR %d at zero, bank %s (%.120s:%u)",
		 *literal ? literal : "none literally", foreign_wanted(l->v) ? "for this program " : "", t->cap_pcr, pcr_bank_name(l->rules.vtpm.bank), t->file, t->line);
	plan_add(l->p, "policy", true, text, "");
	if (t->signer) {
		pcr_mask_text(t->signed_pcrs, literal, sizeof(literal));
		snprintf(text, sizeof(text), "PCRs %s as the holder of %.120s signed them%s", literal, t->signer,
			 t->version_index ? ", in a version that is not retired" : "");
		plan_add(l->p, "policy", l->rules.texts[0] != NULL, text,
			 l->rules.texts[0] ? "" : "no tpm2-pcr-signature.json is found: see pcr-signature in cryptattest.conf(5)");
	}
}

static bool explain_foreign(struct look *l)
{
	_cleanup_free_ char *text = NULL;
	struct err *err = NULL;

	if (foreign_look(&l->env, &l->m, l->v, &text, &err) < 0)
		plan_add_err(l->p, "token", err);
	else
		plan_add(l->p, "token", true, text, "");
	if (!l->v->vk_id)
		plan_add(l->p, "origin", false, "nothing proves that the owner's system made this keyslot", "set vk-id in the configuration");
	return false;
}

static bool explain_file(struct look *l)
{
	_cleanup_free_ char *text = NULL;
	struct err *err = NULL;
	char line[400];
	size_t len = 0;

	if (sidecar_read(&l->env, l->v, deadline_in_ms(1), &text, &len, &err) < 0 || sealed_blob_parse(text, len, &l->blob, &err) < 0) {
		plan_add_err(l->p, "sealed", err);
		return false;
	}
	snprintf(line, sizeof(line), "%.250s, written at %s, keyslot %d", l->v->sealed, text_eq(l->blob.sealed_at, "boot") ? "boot" : "enrolment",
		 l->blob.keyslot);
	plan_add(l->p, "sealed", true, line, "");
	return true;
}

/* One finding per line of the story; the last line, the likely cause, is the hint of all. */
static void explain_differing(struct look *l)
{
	_cleanup_buf_ struct buf story = BUF_INIT(16384);
	_cleanup_free_ char *text = NULL;
	struct err *err = NULL;
	uint32_t differing;
	char *save = NULL;

	if (pcr_cause_explain(&l->env, l->vtpm, &l->rules.vtpm, &l->blob, &differing, &story, &err) < 0) {
		plan_add_err(l->p, "pcrs", err);
		return;
	}
	text = buf_take_str(&story);
	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save))
		plan_add(l->p, "pcrs", false, line, "");
}

/* The cap register is left out: after the boot phase it has moved, as it should. */
static bool same_pcrs(struct look *l, struct err **err)
{
	struct pcr_values now;
	uint32_t differing;

	if (vtpm_explain(l->vtpm, &l->rules.vtpm, &l->blob, &differing, &now, err) < 0)
		return false;
	return !(differing & ~(UINT32_C(1) << l->rules.vtpm.cap_pcr));
}

static void explain_state(struct look *l, bool capped)
{
	struct err *err = NULL;
	bool current = false;

	if (capped && same_pcrs(l, &err))
		plan_add(l->p, "pcrs", true, "as they were at the sealing; capped, so nothing can be unsealed before the next boot", "");
	else if (!err && !capped && vtpm_current(l->vtpm, &l->rules.vtpm, &l->blob, &current, &err) == 0 && current)
		plan_add(l->p, "pcrs", true, "the policy holds now", "");
	else if (err)
		plan_add_err(l->p, "pcrs", err);
	else
		explain_differing(l);
}

static void explain_origin(const struct look *l)
{
	if (l->v->vk_id)
		plan_add(l->p, "origin", true, "vk-id in the configuration: a secret that another system sealed opens nothing else", "");
	else if (l->rules.vtpm.pin_index)
		plan_add(l->p, "origin", true, "proved by the NV index of pin-index, which only this boot state can write", "");
	else if (l->blob.creation_data.len)
		plan_add(l->p, "origin", true, "proved by the TPM's certificate of the state in which it was sealed", "");
	else
		plan_add(l->p, "origin", false, "nothing proves that this system sealed it",
			 "set vk-id in the configuration, or let a boot by the key broker seal anew");
}

static void explain_pin(const struct look *l)
{
	struct tpm_lockout lock;
	struct err *err = NULL;
	char text[200];

	if (!l->v->pin)
		return;
	if (tpm_lockout(vtpm_tpm(l->vtpm), &lock, &err) < 0) {
		plan_add_err(l->p, "pin", err);
		return;
	}
	snprintf(text, sizeof(text), "a PIN is asked for; %u of %u tries are left%s", lock.max_tries > lock.failed ? lock.max_tries - lock.failed : 0,
		 lock.max_tries, lock.locked ? ": the TPM is locked" : "");
	plan_add(l->p, "pin", !lock.locked, text, "");
}

/* Whose TPM it is, and what says so. */
static bool explain_binding(struct look *l)
{
	struct err *err = NULL;

	if (machine_tpm_trust(&l->env, &l->m, &l->vtpm, &err) == 0) {
		plan_add(l->p, "binding", true, l->m.binding.summary, "");
		return true;
	}
	plan_add_err(l->p, "binding", err);
	return false;
}

/* What the cap of this boot was worth, as the run that made it knew. */
static void explain_cap(const struct look *l)
{
	struct state *st = NULL;

	if (state_load(l->env.root_fd, &st, NULL) == 0 && text_eq(st->cap, "unproven"))
		plan_add(l->p, "tpm", false, "when this boot's cap was made, nothing showed that the TPM which was told is this machine's",
			 "set srk-name in [vtpm], or cap = required, which proves it or fails");
	state_free(st);
}

static void explain_tpm(struct look *l, bool have_file)
{
	struct err *err = NULL;
	bool capped, trusted;

	if (machine_tpm_open(&l->env, &l->m, &l->vtpm, &err) < 0 || vtpm_capped(l->vtpm, &l->rules.vtpm, &capped, &err) < 0) {
		plan_add_err(l->p, "tpm", err);
		return;
	}
	plan_add(l->p, "tpm", true, capped ? "there; its cap register has moved in this boot" : "there, not capped yet", "");
	explain_cap(l);
	trusted = explain_binding(l);
	if (have_file && (trusted || capped))
		explain_state(l, capped);
	if (have_file)
		explain_origin(l);
	explain_pin(l);
}

void explain_vtpm(struct cli *cli, struct plan *p, const struct config_volume *v)
{
	struct look l = { .env = cli_env(cli), .v = v, .p = p };
	struct err *err = NULL;
	bool have_file;

	if (rules_load(cli->config, cli->root_fd, v->pin, &l.rules, &err) < 0) {
		plan_add_err(p, "policy", err);
		return;
	}
	have_file = foreign_wanted(v) ? explain_foreign(&l) : explain_file(&l);
	explain_rule_lines(&l);
	explain_tpm(&l, have_file);
	sealed_blob_clear(&l.blob);
	machine_tpm_close(&l.m);
	rules_clear(&l.rules);
}
