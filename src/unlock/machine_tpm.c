/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/machine_tpm.h"

#include "base/log.h"

#define TPM_MS 60000 /* for all that a run asks of it; a command takes 20 to 200 ms */
#define PROVE_MS 30000

bool machine_tpm_present(const struct unlock_env *env)
{
	const struct tpm_access *a = env->platform->tpm;

	return a && a->present(a, env->root_fd);
}

int machine_tpm_open(const struct unlock_env *env, struct machine_tpm *m, struct err **err)
{
	if (m->vtpm)
		return 0;
	/* Not the run's deadline: the cap comes after it too. */
	return vtpm_open(env->platform->tpm, env->root_fd, deadline_in_ms(TPM_MS), &m->vtpm, err);
}

int machine_tpm_trust(const struct unlock_env *env, struct machine_tpm *m, struct err **err)
{
	struct binding_result *r = &m->binding;

	if (m->trusted)
		return 0;
	if (machine_tpm_open(env, m, err) < 0 || vtpm_prove(env, m->vtpm, deadline_in_ms(PROVE_MS), r, err) < 0 ||
	    vtpm_trust(m->vtpm, &r->srk, err) < 0)
		return -1;
	log_debug("the TPM is trusted: %s", r->summary);
	m->trusted = true;
	m->proved = r->proved;
	return 0;
}

int machine_tpm_salt(const struct unlock_env *env, struct machine_tpm *m, struct err **err)
{
	const char *stated = env->config->vtpm.srk_name;
	struct tpm_name name;

	if (m->trusted || !stated)
		return 0;
	return tpm_name_parse(stated, &name, err) < 0 ? -1 : vtpm_trust(m->vtpm, &name, err);
}

void machine_tpm_close(struct machine_tpm *m)
{
	vtpm_close(m->vtpm);
	*m = (struct machine_tpm){ 0 };
}

int machine_tpm_reopen(const struct unlock_env *env, struct machine_tpm *m, struct err **err)
{
	struct machine_tpm again = { .trusted = m->trusted, .proved = m->proved, .binding = m->binding };

	machine_tpm_close(m);
	if (machine_tpm_open(env, &again, err) < 0)
		return -1;
	if (again.trusted && vtpm_trust(again.vtpm, &again.binding.srk, err) < 0) {
		machine_tpm_close(&again);
		return -1;
	}
	*m = again;
	return 0;
}
