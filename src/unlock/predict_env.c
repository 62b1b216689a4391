/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/predict_env.h"

#include "base/log.h"
#include "unlock/rules.h"

#define TPM_WAIT_MS 5000

uint32_t predict_mask(const struct config *c)
{
	const struct config_vtpm *t = &c->vtpm;

	if (!t->present)
		return t->signed_pcrs;
	return t->pcrs | UINT32_C(1) << t->cap_pcr | (t->signer_pem ? t->signed_pcrs : 0);
}

int predict_live(const struct unlock_env *env, enum pcr_bank bank, uint32_t mask, struct pcr_values *ret, struct err **err)
{
	_cleanup_tpm_ struct tpm *t = NULL;

	if (tpm_open(env->platform->tpm, env->root_fd, deadline_in_ms(TPM_WAIT_MS), &t, err) < 0)
		return -1;
	return pcr_read(t, bank, mask, ret, err);
}

int predict_here(const struct unlock_env *env, const struct predict_input *next, uint32_t mask, struct prediction *ret, struct err **err)
{
	const struct config_vtpm *t = &env->config->vtpm;
	const enum pcr_bank bank = rules_bank(env->config);
	_cleanup_boot_log_ struct boot_log log = { 0 };
	_cleanup_err_ struct err *no_log = NULL, *no_tpm = NULL;
	struct pcr_values live;
	struct predict_params p = { .root_fd = env->root_fd, .bank = bank, .mask = mask, .cap_pcr = (unsigned int)t->cap_pcr, .next = *next };

	if (boot_log_load(env->root_fd, bank, &log, &no_log) == 0)
		p.log = &log;
	else
		p.no_log = err_message(no_log);
	if (predict_live(env, bank, mask, &live, &no_tpm) == 0)
		p.live = &live;
	else
		log_debug("%s", err_message(no_tpm));
	return predict_run(&p, ret, err);
}
