/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/machine_tpm.h"

#include "base/text.h"

#define TPM_MS 30000 /* for all that a run asks of it; a command takes 20 to 200 ms */

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

/* The Name that the configuration states; false when it states none. */
static bool stated_name(const struct config_vtpm *t, struct tpm_name *ret)
{
	return t->srk_name && tpm_name_parse(t->srk_name, ret, NULL) == 0;
}

static int prove(const struct unlock_env *env, struct machine_tpm *m, struct tpm_name *ret, struct err **err)
{
	err_set(err, ERR_TPM, "vtpm-unproven", "no hardware report proves that the host does not run this vTPM");
	return err_hint(err, "allow-untrusted-vtpm = yes and srk-name accept that a host can read what is sealed");
}

int machine_tpm_trust(const struct unlock_env *env, struct machine_tpm *m, struct err **err)
{
	const struct config_vtpm *t = &env->config->vtpm;
	struct tpm_name name;

	if (m->trusted)
		return 0;
	if (machine_tpm_open(env, m, err) < 0)
		return -1;
	if (env->config->profile == PROFILE_CVM && !t->allow_untrusted) {
		if (prove(env, m, &name, err) < 0)
			return -1;
	} else if (!stated_name(t, &name)) {
		err_set(err, ERR_CONFIG, "srk-name", "%s:%u: [vtpm] has no srk-name, and nothing else says which TPM is ours", t->file, t->line);
		return err_hint(err, "`cryptattest enroll` prints it");
	}
	if (vtpm_trust(m->vtpm, &name, err) < 0)
		return -1;
	m->trusted = true;
	return 0;
}

void machine_tpm_close(struct machine_tpm *m)
{
	vtpm_close(m->vtpm);
	*m = (struct machine_tpm){ 0 };
}
