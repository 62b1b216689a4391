/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What the cap says to a TPM, without libtss2 (TPM 2.0 Part 3, 9.3, 22 and 30.2): for machines whose image does not hold it because none of
 * their volumes uses the TPM, and for banks of SHA-3, which its marshalling does not know. These ride no session; that the TPM took an
 * extension is seen by reading the register back. A TSS2_RC each, to be called through TPM_CALL(). vtpm/ only.
 */
#ifndef CRYPTATTEST_VTPM_PCR_BY_HAND_H
#define CRYPTATTEST_VTPM_PCR_BY_HAND_H

#include "vtpm/tpm_impl.h"

TSS2_RC by_hand_startup(struct tpm *t);

/* All banks, in one answer. */
TSS2_RC by_hand_banks(struct tpm *t, TPML_PCR_SELECTION *ret);

/* Of what is selected, as many as the TPM gives at a time. */
TSS2_RC by_hand_read(struct tpm *t, const TPML_PCR_SELECTION *in, uint32_t *ret_counter, TPML_PCR_SELECTION *ret_out, TPML_DIGEST *ret);

/* Of algorithms that pcr.h knows. */
TSS2_RC by_hand_extend(struct tpm *t, unsigned int pcr, const TPML_DIGEST_VALUES *digests);

/* The TPM hashes the event, for all its banks. */
TSS2_RC by_hand_event(struct tpm *t, unsigned int pcr, const TPM2B_EVENT *event);

#endif
