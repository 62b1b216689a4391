/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A prediction for this machine, as the configuration has its PCRs. */
#ifndef CRYPTATTEST_UNLOCK_PREDICT_ENV_H
#define CRYPTATTEST_UNLOCK_PREDICT_ENV_H

#include "unlock/predict.h"
#include "unlock/unlock.h"

/* Literal PCRs, the cap register, and the signed PCRs when there is a signer; without [vtpm] the PCRs that are signed by default. */
uint32_t predict_mask(const struct config *c);
/* Reads log and TPM; neither has to be there (then what follows from files alone is known: PCR 11 of next->uki). */
int predict_here(const struct unlock_env *env, const struct predict_input *next, uint32_t mask, struct prediction *ret, struct err **err);
/* All of these PCRs of the machine's TPM, without a salted session: for people and comparisons. */
int predict_live(const struct unlock_env *env, enum pcr_bank bank, uint32_t mask, struct pcr_values *ret, struct err **err);

#endif
