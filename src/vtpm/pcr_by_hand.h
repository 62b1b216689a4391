/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * TPM2_PCR_Extend without libtss2's marshalling, which knows no SHA-3 (TPM 2.0 Part 3, 22.2). It rides no session: that the TPM took it
 * is seen by reading the register back, which does. vtpm/ only.
 */
#ifndef CRYPTATTEST_VTPM_PCR_BY_HAND_H
#define CRYPTATTEST_VTPM_PCR_BY_HAND_H

#include "vtpm/tpm_impl.h"

/* Algorithms that pcr.h knows. ERR_TPM. */
int pcr_extend_by_hand(struct tpm *t, unsigned int pcr, const TPML_DIGEST_VALUES *digests, struct err **err);

#endif
