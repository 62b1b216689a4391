/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * This machine's TPM in one run: opened once, when first needed; trusted once, by the Name in the measured configuration or by the
 * hardware report. Sealed secrets need trust; the cap does without where there is none to have.
 */
#ifndef CRYPTATTEST_UNLOCK_MACHINE_TPM_H
#define CRYPTATTEST_UNLOCK_MACHINE_TPM_H

#include "unlock/binding.h"

struct machine_tpm {
	struct vtpm *connection; /* NULL: none, or none any more. Only machine_tpm.c looks at it; the functions below give it. */
	bool trusted; /* the TPM; a connection need not be there */
	bool proved; /* trusted by the hardware report, in this boot */
	bool salted; /* the cap's session, by the Name that the configuration states */
	bool counted; /* vtpm_counted() of a connection before this one */
	unsigned int reopened; /* how often a connection that broke was replaced */
	struct binding_result binding; /* what it is trusted by */
};

/* Without side effects. */
bool machine_tpm_present(const struct unlock_env *env);
/*
 * The connection, opened when there is none. ERR_TPM. When this run knew the TPM on an earlier connection, it must be that one:
 * "tpm-replaced". *ret is valid until machine_tpm_again() or machine_tpm_close(): who tries again asks again.
 */
int machine_tpm_open(const struct unlock_env *env, struct machine_tpm *m, struct vtpm **ret, struct err **err);
/*
 * The same, and the TPM is trusted on it. On profile cvm the hardware report must prove the vTPM unless allow-untrusted-vtpm says otherwise; what srk-name says
 * must hold besides. ERR_CONFIG "srk-name" when nothing says which primary is ours; ERR_TPM, and what the binding gives.
 */
int machine_tpm_trust(const struct unlock_env *env, struct machine_tpm *m, struct vtpm **ret, struct err **err);
/*
 * For the cap, which needs no trust: a session to the primary that the configuration states, when it states one; proves nothing about
 * whose vTPM that is. With with_proof a machine that seals, or says how its vTPM is to be proved, gets that proof as well. Opens the TPM
 * when it is not. On failure the connection is as before.
 */
int machine_tpm_salt(const struct unlock_env *env, struct machine_tpm *m, bool with_proof, struct err **err);
/* Something is sealed to the TPM, or the configuration says by what hardware it is to be proved: whose TPM was capped matters. */
bool machine_tpm_proof_due(const struct config *c);
/*
 * After an error: a new connection in the place of one that broke, or whose answer was not the TPM's, which is the end of the connection
 * (tpm_impl.h) and not of the TPM. Twice in a run, so that one that is silent does not hold up the boot for long, and twice more for the cap. 0: try again. -1:
 * *why is the reason as it was; or what went wrong with the new one, which must be the same TPM when the old one was known
 * (ERR_TPM "tpm-replaced"), and then it is closed:
 * who asks for it next gets a new connection, or the reason why there is none.
 */
int machine_tpm_again(const struct unlock_env *env, struct machine_tpm *m, bool cap, struct err **why);
void machine_tpm_close(struct machine_tpm *m);

#endif
