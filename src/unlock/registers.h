/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The run-time registers that the cap extends: one PCR in all active banks of the TPM, one RTMR of a TDX machine whose kernel offers it
 * (Linux >= 6.16, measurements/rtmrN:sha384 of tdx_guest). Their values alone say whether the cap is in place: a record can be lost.
 */
#ifndef CRYPTATTEST_UNLOCK_REGISTERS_H
#define CRYPTATTEST_UNLOCK_REGISTERS_H

#include "unlock/machine_tpm.h"

#define RTMR_LEN 48

struct registers {
	bool has_pcr, has_rtmr;
	bool pcr_moved, rtmr_moved; /* past the uncapped value */
	char rtmr[96];		    /* path below our root */
	unsigned int pcr;
	struct machine_tpm *tpm;
};

/*
 * What there is, and whether it moved. Errors are ERR_CAP, with the id of the cause: a register that exists and does not work. With
 * *ret_unproven set (ERR_CAP "cap-unproven") nothing shows that the TPM that answers is this machine's: it may be an interposer, which
 * swallows what it is told and shows what is expected.
 */
int registers_read(const struct unlock_env *env, struct machine_tpm *m, struct registers *ret, struct err **ret_unproven, struct err **err);
static inline bool registers_any(const struct registers *r)
{
	return r->has_pcr || r->has_rtmr;
}
static inline bool registers_all_moved(const struct registers *r)
{
	return (!r->has_pcr || r->pcr_moved) && (!r->has_rtmr || r->rtmr_moved);
}
/* One event into those registers, read back; also when the connection to the TPM breaks over it, and the answer alone was lost. ERR_CAP
 * "cap-readback" and those above. */
int registers_extend(const struct unlock_env *env, const struct registers *r, bool pcr, bool rtmr, const void *event, size_t len,
		     struct err **err);

/* Of the registers that have moved: which of them these events alone, one after the other, have moved. One that cannot be read is not. */
void registers_hold(const struct unlock_env *env, const struct registers *r, const char *const *events, size_t n, bool *ret_pcr, bool *ret_rtmr);
/* No TPM was capped, or it is the one that the configuration names or the hardware proves. */
static inline bool registers_known(const struct registers *r)
{
	return !r->has_pcr || r->tpm->trusted || r->tpm->salted;
}

#endif
