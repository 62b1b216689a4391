/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The signer of PCR policies: a PEM public key of the measured configuration, as the TPM sees it. Its Name is part of every policy
 * that it may approve, so the public area must come out the same on every system (tpm-sealing.md 5.2). Pure.
 */
#ifndef CRYPTATTEST_VTPM_SIGNER_H
#define CRYPTATTEST_VTPM_SIGNER_H

#include "crypto/keypair.h"
#include "vtpm/tpm.h"

#define SIGNER_AREA_MAX 640 /* TPMT_PUBLIC of RSA-4096 */

struct pcr_signer {
	struct public_key key;
	uint8_t fingerprint[32];	/* "pkfp" of tpm2-pcr-signature.json */
	uint8_t area[SIGNER_AREA_MAX];	/* TPMT_PUBLIC as marshalled */
	size_t area_len;
	struct tpm_name name;
};

/*
 * RSA of 2048, 3072 or 4096 bits with exponent 65537, or EC on P-256: ERR_CONFIG "signer" for others. exponent_zero: some writers of
 * systemd-tpm2 tokens put the TPM's word for 65537, zero, into the public area, which changes the Name (5.1); ours say 65537.
 */
int pcr_signer_parse(const char *pem, bool exponent_zero, struct pcr_signer *ret, struct err **err);

#endif
