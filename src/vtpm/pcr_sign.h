/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The signer's side of pcr_sig.h: approve a state of the PCRs. Needs no TPM. */
#ifndef CRYPTATTEST_VTPM_PCR_SIGN_H
#define CRYPTATTEST_VTPM_PCR_SIGN_H

#include "crypto/keypair.h"
#include "vtpm/pcr_sig.h"

struct pcr_sign_params {
	uint32_t pcrs;		/* signed PCRs; all in values */
	uint32_t version_index; /* 0: no PolicyNV in the approved policy */
	bool has_version;
	uint64_t version;
	const struct keypair *key;
};

/* The policy is PolicyPCR(values), and PolicyNV(version counter <= version) with version_index. ERR_CONFIG "version": an index needs a
 * version; "signer" for a key that the agent would not take. */
int pcr_sign(const struct pcr_sign_params *p, const struct pcr_values *values, struct pcr_sig *ret, struct err **err);
/* The file's text, with a newline; caller frees. */
int pcr_sigs_text(const struct pcr_sigs *s, enum pcr_bank bank, char **ret, struct err **err);

#endif
