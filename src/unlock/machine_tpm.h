/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * This machine's TPM in one run: opened once, when first needed; trusted once, by the Name in the measured configuration or by the
 * hardware report. Sealed secrets need trust; the cap does without where there is none to have.
 */
#ifndef CRYPTATTEST_UNLOCK_MACHINE_TPM_H
#define CRYPTATTEST_UNLOCK_MACHINE_TPM_H

#include "unlock/binding.h"

struct machine_tpm {
	struct vtpm *vtpm;
	bool trusted;
	bool proved; /* trusted by the hardware report, in this boot */
	struct binding_result binding; /* what it is trusted by */
};

/* Without side effects. */
bool machine_tpm_present(const struct unlock_env *env);
/* ERR_TPM. */
int machine_tpm_open(const struct unlock_env *env, struct machine_tpm *m, struct err **err);
/*
 * Opens and trusts. On profile cvm the hardware report must prove the vTPM unless allow-untrusted-vtpm says otherwise; what srk-name says
 * must hold besides. ERR_CONFIG "srk-name" when nothing says which primary is ours; ERR_TPM, and what the binding gives.
 */
int machine_tpm_trust(const struct unlock_env *env, struct machine_tpm *m, struct err **err);
/* For the cap, which needs no trust: a session to the primary that the configuration states, when it states one; proves nothing about
 * whose vTPM that is. The TPM must be open. */
int machine_tpm_salt(const struct unlock_env *env, struct machine_tpm *m, struct err **err);
/* A new connection in the place of one that broke. A TPM that was trusted must be the same one: ERR_TPM "tpm-replaced". On failure it is
 * closed. */
int machine_tpm_reopen(const struct unlock_env *env, struct machine_tpm *m, struct err **err);
void machine_tpm_close(struct machine_tpm *m);

#endif
