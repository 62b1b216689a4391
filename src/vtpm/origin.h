/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Where a sealed object comes from (C4). fixedTPM, fixedParent and the right policy can be produced by any system that once ran on this
 * TPM: it needs to know the PCR values, not to have them. What it cannot produce is the TPM's own word that the PCRs had these values,
 * the cap register at zero among them, when the object was made.
 */
#ifndef CRYPTATTEST_VTPM_ORIGIN_H
#define CRYPTATTEST_VTPM_ORIGIN_H

#include "vtpm/blob.h"
#include "vtpm/policy.h"
#include "vtpm/tpm_impl.h"

#define ORIGIN_LABEL "cryptattest:sealed:v1" /* outsideInfo of our objects */

/*
 * Judges the creation data by themselves: our label, exactly these PCRs with these values (pass the cap register as zero), made at
 * locality 0 under this primary. ERR_TPM "sealed-origin" with what differs.
 */
int origin_check_data(const struct sealed_bytes *creation_data, const struct pcr_values *want, uint32_t mask,
		      const struct tpm_name *primary, struct err **err);
/*
 * Asks the TPM whether these creation data are the object's: TPM2_CertifyCreation without a signing key (the answer is authenticated by
 * the salted session instead). ERR_TPM "sealed-origin" when it says no.
 */
int origin_certify(struct tpm *t, const struct tpm_loaded *object, const struct tpm_name *name, const struct sealed_bytes *creation_data,
		   const struct sealed_bytes *ticket, struct err **err);

#endif
