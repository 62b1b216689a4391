/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* next-boot: does a sealed file fit the PCR values that the next boot will have before its cap? Unseals nothing, counts nothing. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "unlock/machine_tpm.h"
#include "unlock/next_boot.h"
#include "unlock/sidecar.h"
#include "vtpm/counter.h"

struct next_sealed {
	const struct unlock_env *env;
	struct prediction p;
	struct machine_tpm m;
	struct vtpm *vtpm; /* its connection, trusted */
	char *signature; /* of the next image, NULL: none in it */
};

void next_sealed_free(struct next_sealed *s)
{
	if (!s)
		return;
	machine_tpm_close(&s->m);
	free(s->signature);
	free(s);
}

static int prepare(struct next_sealed *s, const struct predict_input *next, struct err **err)
{
	const struct unlock_env *env = s->env;

	if (!machine_tpm_present(env)) {
		err_set(err, ERR_TPM, "tpm-absent", "no TPM: %s is not there", env->platform->tpm ? env->platform->tpm->name : "/dev/tpmrm0");
		return err_hint(err, "give the machine a TPM 2.0; the drivers are tpm_crb and tpm_tis");
	}
	if (machine_tpm_trust(env, &s->m, &s->vtpm, err) < 0 || predict_here(env, next, predict_mask(env->config), &s->p, err) < 0)
		return -1;
	return next->uki ? predict_uki_text(next->uki, ".pcrsig", &s->signature, err) : 0;
}

int next_sealed_new(const struct unlock_env *env, const struct predict_input *next, struct next_sealed **ret, struct err **err)
{
	struct next_sealed *s = calloc(1, sizeof(*s));

	if (!s)
		return err_nomem(err);
	s->env = env;
	if (prepare(s, next, err) < 0) {
		next_sealed_free(s);
		return -1;
	}
	*ret = s;
	return 0;
}

void next_sealed_predict(const struct next_sealed *s, struct next_way *ret)
{
	const uint32_t mask = predict_mask(s->env->config);
	_cleanup_buf_ struct buf changes = BUF_INIT(300);
	struct pcr_values values;
	struct err *err = NULL;
	char pcrs[80];

	if (predict_values(&s->p, mask, &values, &err) < 0) {
		next_way_bad(ret, err);
		return;
	}
	for (unsigned int i = 0; i < PCR_COUNT; i++)
		if (mask >> i & 1 && s->p.pcr[i].state == PREDICT_CHANGES)
			buf_printf(&changes, "; PCR %u %.100s", i, s->p.pcr[i].why);
	pcr_mask_text(mask, pcrs, sizeof(pcrs));
	next_way_good(ret, "PCR %s of the next boot are known%s", pcrs, !changes.len ? ", the same as now" : buf_ok(&changes) ? buf_cstr(&changes) : "; some change");
}

/* The signature in the image that will boot comes before those that lie around now. */
static int load_rules(const struct next_sealed *s, const struct config_volume *v, struct rules *ret, struct err **err)
{
	if (rules_load(s->env->config, s->env->root_fd, v->pin, ret, err) < 0)
		return -1;
	if (!s->signature || !ret->vtpm.signer_pem)
		return 0;
	free(ret->texts[RULES_SIGNATURES_MAX - 1]);
	memmove(ret->texts + 1, ret->texts, (RULES_SIGNATURES_MAX - 1) * sizeof(*ret->texts));
	ret->texts[0] = text_dup(s->signature);
	return ret->texts[0] ? 0 : err_nomem(err);
}

/* Which PCRs the file says it was sealed for, and what becomes of those. */
static void tell_differing(const struct next_sealed *s, const struct vtpm_rules *r, const struct sealed_blob *b, struct err **err)
{
	const uint32_t mask = r->pcrs | UINT32_C(1) << r->cap_pcr;
	_cleanup_buf_ struct buf t = BUF_INIT(1024);

	if (!text_eq(err_id(*err), "policy"))
		return;
	for (unsigned int i = 0; i < PCR_COUNT; i++)
		if (mask & UINT32_C(1) << i && (b->values.bank != r->bank || !(b->pcrs & UINT32_C(1) << i) ||
						memcmp(b->values.value[i], s->p.pcr[i].value, pcr_bank_size(r->bank)) != 0))
			buf_printf(&t, "%sPCR %u (%s)", t.len ? ", " : "", i, s->p.pcr[i].why);
	err_clear(err);
	err_set(err, ERR_TPM, "policy", "sealed for other %s than the next boot will have%s%s", t.len ? "PCR values" : "rules or a PCR bank",
		t.len ? ": " : "", t.len && buf_cstr(&t) ? buf_cstr(&t) : "");
	err_hint(err, "seal for it: cryptattest enroll %s --source=vtpm --predicted, with the same options", b->name);
}

/* The counter is compared by the policy itself, and counts up before each unsealing without the broker. */
static int check_budget(const struct next_sealed *s, const struct vtpm_rules *r, const struct sealed_blob *b, struct err **err)
{
	uint64_t now;

	if (!r->offline_index || !r->offline_boots)
		return 0;
	if (counter_read(vtpm_tpm(s->vtpm), r->offline_index, &now, err) < 0)
		return -1;
	if (now < b->baseline || now - b->baseline < r->offline_boots)
		return 0;
	err_set(err, ERR_TPM, "offline-budget", "the allowance of %llu boots without the key broker is used up", (unsigned long long)r->offline_boots);
	return err_hint(err, "a boot with the key broker in reach seals anew and restores it");
}

static int fits(const struct next_sealed *s, const struct config_volume *v, const struct vtpm_rules *r, const struct sealed_blob *b,
		struct pcr_values *values, struct err **err)
{
	if (vtpm_forecast(r, b, !v->vk_id, values, &s->m.binding.srk, err) == 0)
		return 0;
	if (err)
		tell_differing(s, r, b, err);
	return -1;
}

static int judge_values(const struct next_sealed *s, const struct config_volume *v, const struct vtpm_rules *r, const struct sealed_blob *b,
			struct err **err)
{
	_cleanup_err_ struct err *with = NULL, *without = NULL;
	struct pcr_values values;

	if (predict_values(&s->p, vtpm_rules_pcrs(r), &values, err) < 0)
		return -1;
	fits(s, v, r, b, &values, &with);
	if (!(vtpm_rules_pcrs(r) >> 11 & 1) || s->p.phases != PHASES_UNKNOWN)
		return with ? err_propagate(err, TAKE_PTR(with)) : 0;
	memcpy(values.value[11], s->p.before_phase, sizeof(values.value[11]));
	fits(s, v, r, b, &values, &without);
	if (!with && !without)
		return 0;
	if (with && without)
		return err_propagate(err, TAKE_PTR(with));
	err_set(err, ERR_TPM, "predict-unknown", "fits only if systemd-pcrphase %s in the initrd, and this boot does not tell",
		with ? "does not run" : "runs");
	return err_hint(err, "sign both states: cryptattest predict --sign does");
}

static int judge(const struct next_sealed *s, const struct config_volume *v, struct sealed_blob *b, struct rules *rules, struct err **err)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;

	if (load_rules(s, v, rules, err) < 0 || sidecar_read(s->env, v, deadline_in_ms(1), &text, &len, err) < 0 ||
	    sealed_blob_parse(text, len, b, err) < 0 || binding_check_sealed(&s->m.binding, &b->srk_name, err) < 0 ||
	    check_budget(s, &rules->vtpm, b, err) < 0)
		return -1;
	return judge_values(s, v, &rules->vtpm, b, err);
}

void next_sealed_judge(struct next_sealed *s, const struct config_volume *v, struct next_way *ret)
{
	_cleanup_rules_ struct rules rules = { 0 };
	struct sealed_blob b = { 0 };
	struct err *err = NULL;
	char pcrs[80];

	if (!v->sealed) {
		err_set(&err, ERR_TPM, "predict-unknown", "opened by a token that another program sealed: whether it fits cannot be known from here");
		err_hint(&err, "enroll with --source=vtpm and set sealed =");
	} else {
		judge(s, v, &b, &rules, &err);
	}
	if (err) {
		next_way_bad(ret, err);
	} else {
		pcr_mask_text(vtpm_rules_pcrs(&rules.vtpm), pcrs, sizeof(pcrs));
		next_way_good(ret, "fits the values that PCR %s will have before the cap%s%s", pcrs,
			      v->pin ? "; not proved: that somebody types the PIN" : "",
			      rules.vtpm.pin_index && !v->vk_id ? "; not proved: its origin, by the NV index of pin-index" : "");
	}
	sealed_blob_clear(&b);
}
