/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* doctor: the TPM, its cap register, the event log, and each sealed file as it would be used now. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "unlock/boot_log.h"
#include "unlock/doctor.h"
#include "unlock/foreign_look.h"
#include "unlock/machine_tpm.h"
#include "unlock/pcr_cause.h"
#include "unlock/rules.h"
#include "unlock/sidecar.h"

struct patient {
	const struct unlock_env *env;
	struct doctor *d;
	struct machine_tpm m;
	struct vtpm *vtpm; /* its connection; NULL: no TPM answers */
	struct rules rules;
	bool capped;
};

static bool wanted(const struct config *c)
{
	for (struct config_volume **v = c->volumes; v && *v; v++)
		if (config_mode_uses_vtpm((*v)->mode))
			return true;
	return false;
}

static void check_banks(struct patient *p)
{
	const enum pcr_bank bank = p->rules.vtpm.bank;
	_cleanup_buf_ struct buf names = BUF_INIT(256);
	struct err *err = NULL;
	uint32_t banks;

	if (pcr_active_banks(vtpm_tpm(p->vtpm), &banks, &err) < 0) {
		doctor_add_err(p->d, "tpm-banks", NULL, DOCTOR_FAIL, err);
		return;
	}
	for (int b = 0; b < PCR_BANKS; b++)
		if (banks >> b & 1)
			buf_printf(&names, "%s%s", names.len ? " " : "", pcr_bank_name((enum pcr_bank)b));
	if (banks >> bank & 1) {
		doctor_add(p->d, "tpm-banks", NULL, DOCTOR_OK, NULL, "%s", buf_cstr(&names) ? buf_cstr(&names) : "");
		return;
	}
	err_set(&err, ERR_TPM, "pcr-bank", "bank %s is configured, the TPM keeps %s", pcr_bank_name(bank),
		names.len ? buf_cstr(&names) : "none");
	err_hint(&err, "set bank = to one that the firmware measures into");
	doctor_add_err(p->d, "tpm-banks", NULL, DOCTOR_FAIL, err);
}

static void check_lockout(struct patient *p)
{
	struct tpm_lockout l;
	struct err *err = NULL;

	if (tpm_lockout(vtpm_tpm(p->vtpm), &l, &err) < 0) {
		doctor_add_err(p->d, "tpm-lockout", NULL, DOCTOR_WARN, err);
	} else if (l.locked) {
		err_set(&err, ERR_TPM, "tpm-lockout", "locked after %u wrong tries; one more is allowed every %u s", l.failed, l.interval_s);
		err_hint(&err, "wait, or tpm2_dictionarylockout --clear-lockout with the lockout authorization");
		doctor_add_err(p->d, "tpm-lockout", NULL, DOCTOR_FAIL, err);
	} else if (!l.max_tries) {
		doctor_add(p->d, "tpm-lockout", NULL, DOCTOR_WARN, NULL, "this TPM does not count wrong tries: a short PIN can be guessed");
	} else {
		doctor_add(p->d, "tpm-lockout", NULL, l.failed ? DOCTOR_WARN : DOCTOR_OK, NULL, "%u of %u tries left",
			   l.max_tries > l.failed ? l.max_tries - l.failed : 0, l.max_tries);
	}
}

static void check_primary(struct patient *p)
{
	const struct config_vtpm *t = &p->env->config->vtpm;
	char text[2 * TPM_NAME_MAX + 1];
	struct tpm_name name, stated;
	struct err *err = NULL;

	if (vtpm_primary_name(p->vtpm, &name, &err) < 0) {
		doctor_add_err(p->d, "tpm-srk", NULL, DOCTOR_FAIL, err);
		return;
	}
	tpm_name_text(&name, text);
	if (!t->srk_name && t->binding == BINDING_NONE) {
		err_set(&err, ERR_CONFIG, "srk-name", "nothing says which TPM is this machine's");
		err_hint(&err, "if the one that answers now is, put into [vtpm]: srk-name = %s", text);
		doctor_add_err(p->d, "tpm-srk", NULL, DOCTOR_FAIL, err);
	} else if (!t->srk_name)
		doctor_add(p->d, "tpm-srk", NULL, DOCTOR_OK, NULL, "storage primary %s (no srk-name: the hardware report must prove it)", text);
	else if (tpm_name_parse(t->srk_name, &stated, &err) == 0 && tpm_name_equal(&name, &stated))
		doctor_add(p->d, "tpm-srk", NULL, DOCTOR_OK, NULL, "storage primary is the one of srk-name");
	else {
		err_clear(&err);
		err_set(&err, ERR_TPM, "tpm-replaced", "storage primary is %s, srk-name says %s: another TPM, or it was cleared", text, t->srk_name);
		err_hint(&err, "if you replaced it: enroll again, and put the new srk-name into the image");
		doctor_add_err(p->d, "tpm-srk", NULL, DOCTOR_FAIL, err);
	}
}

static void check_cap(struct patient *p)
{
	const unsigned int pcr = p->rules.vtpm.cap_pcr;
	struct err *err = NULL;

	if (vtpm_capped(p->vtpm, &p->rules.vtpm, &p->capped, &err) < 0)
		doctor_add_err(p->d, "cap-register", NULL, DOCTOR_FAIL, err);
	else if (p->capped)
		doctor_add(p->d, "cap-register", NULL, DOCTOR_OK, NULL, "PCR %u has moved: no sealed secret can be unsealed until the next boot", pcr);
	else
		doctor_add(p->d, "cap-register", NULL, DOCTOR_WARN, "after the boot phase: cryptattest cap",
			   "PCR %u is at zero: whoever is root now can unseal", pcr);
}

static void check_log(struct patient *p)
{
	const struct vtpm_rules *r = &p->rules.vtpm;
	const uint32_t mask = r->pcrs | r->signed_pcrs | (UINT32_C(1) << 7) | (UINT32_C(1) << 4);
	_cleanup_boot_log_ struct boot_log log = { 0 };
	uint32_t explained = 0, missing;
	struct pcr_values live;
	struct err *err = NULL;
	char text[80];

	if (boot_log_load(p->env->root_fd, r->bank, &log, &err) < 0) {
		doctor_add_err(p->d, "event-log", NULL, DOCTOR_WARN, err);
		return;
	}
	if (pcr_read(vtpm_tpm(p->vtpm), r->bank, mask, &live, &err) < 0 || boot_log_explains(&log, &live, r->cap_pcr, &explained, &err) < 0) {
		doctor_add_err(p->d, "event-log", NULL, DOCTOR_WARN, err);
		return;
	}
	missing = mask & ~explained & ~(UINT32_C(1) << 11 | UINT32_C(1) << r->cap_pcr); /* phases of the boot: not in every log */
	pcr_mask_text(missing, text, sizeof(text));
	if (missing)
		doctor_add(p->d, "event-log", NULL, DOCTOR_WARN, "predict cannot tell these PCRs; seal by a boot instead",
			   "%zu events, which do not lead to PCR %s", log.n, text);
	else
		doctor_add(p->d, "event-log", NULL, DOCTOR_OK, NULL, "%zu events, which lead to the TPM's values", log.n);
}

/* What differs apart from the cap register, which is meant to. */
static void judge_values(struct patient *p, const struct config_volume *v, const struct sealed_blob *b)
{
	_cleanup_buf_ struct buf cause = BUF_INIT(1024);
	_cleanup_boot_log_ struct boot_log log = { 0 };
	bool have_log = boot_log_load(p->env->root_fd, p->rules.vtpm.bank, &log, NULL) == 0;
	struct pcr_values now;
	uint32_t differing;
	struct err *err = NULL;

	if (vtpm_explain(p->vtpm, &p->rules.vtpm, b, &differing, &now, &err) < 0) {
		doctor_add_err(p->d, "sealed", v->name, DOCTOR_FAIL, err);
		return;
	}
	differing &= ~(UINT32_C(1) << p->rules.vtpm.cap_pcr);
	if (!differing && !v->vk_id && !p->rules.vtpm.pin_index && !b->creation_data.len) {
		err_set(&err, ERR_TPM, "sealed-origin", "sealed for the PCR values of this boot, but nothing proves by whom: it will not be used");
		err_hint(&err, "set vk-id in the configuration (cryptattest document ... --name %s --pins), or let a boot by the key broker seal anew",
			 v->name);
		doctor_add_err(p->d, "sealed", v->name, DOCTOR_FAIL, err);
		return;
	}
	if (!differing) {
		doctor_add(p->d, "sealed", v->name, DOCTOR_OK, NULL, "sealed at %s for the PCR values of this boot",
			   text_eq(b->sealed_at, "boot") ? "boot" : "enrolment");
		return;
	}
	pcr_cause_likely(differing, have_log ? &log : NULL, &cause);
	err_set(&err, ERR_TPM, "policy", "sealed for other PCR values: %s", buf_cstr(&cause) ? buf_cstr(&cause) : "");
	err_hint(&err, "`cryptattest explain %s` has every value; %scryptattest enroll %s --source=vtpm seals for this boot", v->name,
		 v->mode == MODE_KBS_OR_VTPM ? "a boot by the key broker may seal anew, " : "", v->name);
	doctor_add_err(p->d, "sealed", v->name, DOCTOR_FAIL, err);
}

static void judge_uncapped(struct patient *p, const struct config_volume *v, const struct sealed_blob *b)
{
	struct err *err = NULL;
	bool current = false;

	if (machine_tpm_trust(p->env, &p->m, &p->vtpm, &err) < 0 || vtpm_current(p->vtpm, &p->rules.vtpm, b, &current, &err) < 0)
		doctor_add_err(p->d, "sealed", v->name, DOCTOR_FAIL, err);
	else if (current)
		doctor_add(p->d, "sealed", v->name, DOCTOR_OK, NULL, "its policy holds now, and its origin is proven");
	else
		judge_values(p, v, b);
}

static void check_sealed(struct patient *p, const struct config_volume *v)
{
	_cleanup_free_ char *text = NULL;
	struct sealed_blob b = { 0 };
	struct err *err = NULL;
	size_t len = 0;

	if (sidecar_read(p->env, v, deadline_in_ms(1), &text, &len, &err) < 0 || sealed_blob_parse(text, len, &b, &err) < 0)
		doctor_add_err(p->d, "sealed", v->name, DOCTOR_FAIL, err);
	else if (!p->vtpm)
		doctor_add(p->d, "sealed", v->name, DOCTOR_SKIP, NULL, "the file is there and parses; without a TPM it opens nothing");
	else if (p->capped)
		judge_values(p, v, &b);
	else
		judge_uncapped(p, v, &b);
	sealed_blob_clear(&b);
}

/* After the cap it is not used any more, but another program's would still be. */
static void check_foreign(struct patient *p, const struct config_volume *v)
{
	_cleanup_free_ char *text = NULL;
	struct err *err = NULL;

	if (!p->vtpm)
		doctor_add(p->d, "sealed", v->name, DOCTOR_SKIP, NULL, "without a TPM the keyslot of another program opens nothing");
	else if (foreign_look(p->env, &p->m, v, &text, &err) < 0)
		doctor_add_err(p->d, "sealed", v->name, DOCTOR_FAIL, err);
	else
		doctor_add(p->d, "sealed", v->name, DOCTOR_WARN, "cryptattest enroll --from makes a keyslot that only this program uses, and only "
			   "before the cap", "%s", text);
}

static void check_device(struct patient *p, bool needed)
{
	struct tpm_info info;
	struct err *err = NULL;

	if (!machine_tpm_present(p->env)) {
		if (needed) {
			err_set(&err, ERR_TPM, "tpm-absent", "no TPM: %s is not there", p->env->platform->tpm ? p->env->platform->tpm->name : "/dev/tpmrm0");
			err_hint(&err, "give the machine a TPM 2.0; the drivers are tpm_crb and tpm_tis");
			doctor_add_err(p->d, "tpm", NULL, DOCTOR_FAIL, err);
		} else {
			doctor_add(p->d, "tpm", NULL, DOCTOR_SKIP, NULL, "no TPM, and no volume needs one");
		}
		return;
	}
	if (machine_tpm_open(p->env, &p->m, &p->vtpm, &err) < 0 || tpm_info(vtpm_tpm(p->vtpm), &info, &err) < 0) {
		doctor_add_err(p->d, "tpm", NULL, needed ? DOCTOR_FAIL : DOCTOR_WARN, err);
		return;
	}
	doctor_add(p->d, "tpm", NULL, DOCTOR_OK, NULL, "%s: %s %s, firmware %x.%x", p->env->platform->tpm->name, info.manufacturer, info.vendor,
		   info.firmware[0], info.firmware[1]);
}

void doctor_tpm(const struct unlock_env *env, struct doctor *d)
{
	struct patient p = { .env = env, .d = d };
	const bool needed = wanted(env->config);
	struct err *err = NULL;

	if (rules_load(env->config, env->root_fd, false, &p.rules, &err) < 0) {
		doctor_add_err(d, "tpm", NULL, needed ? DOCTOR_FAIL : DOCTOR_WARN, err);
		return;
	}
	check_device(&p, needed);
	if (p.vtpm && needed) {
		check_banks(&p);
		check_lockout(&p);
		check_primary(&p);
		check_cap(&p);
		check_log(&p);
	}
	for (struct config_volume **v = env->config->volumes; v && *v; v++)
		if (config_mode_uses_vtpm((*v)->mode))
			(foreign_wanted(*v) ? check_foreign : check_sealed)(&p, *v);
	machine_tpm_close(&p.m);
	rules_clear(&p.rules);
}
