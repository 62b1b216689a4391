/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * tpm2-pcr-signature.json (tpm-sealing.md 5.2): signed policies over PCR values, one entry per boot phase, bank and key. The file comes
 * from where the host can write; an entry is a hint which the TPM judges. Pure.
 *
 * {"sha256":[{"pcrs":[11],"pkfp":hex,"pol":hex,"sig":base64,"version"?:N}]}; "version" is ours: the policy of that entry also holds
 * PolicyNV(version counter <= N).
 */
#ifndef CRYPTATTEST_VTPM_PCR_SIG_H
#define CRYPTATTEST_VTPM_PCR_SIG_H

#include "vtpm/pcr.h"

#define PCR_SIG_FILE_MAX (256 * 1024)
#define PCR_SIG_ENTRIES_MAX 256 /* of one bank */
#define PCR_SIG_MAX 512		/* a signature: RSA-4096, or DER of ECDSA */

struct pcr_sig {
	uint32_t pcrs;
	uint8_t fingerprint[32]; /* SHA-256 of RSAPublicKey, or of the EC point */
	uint8_t policy[32];	 /* the approved policy digest */
	bool has_version;
	uint64_t version;
	uint8_t sig[PCR_SIG_MAX];
	size_t sig_len;
};
struct pcr_sigs {
	struct pcr_sig *entry;
	size_t n;
};

/* The entries of one bank; a file without that bank has none. ERR_INTEGRITY "pcr-signature" for what is not such a file, also in
 * the other banks; unknown members of an entry are ignored. */
int pcr_sigs_parse(const char *text, size_t len, enum pcr_bank bank, struct pcr_sigs *ret, struct err **err);
void pcr_sigs_clear(struct pcr_sigs *s);
#define _cleanup_pcr_sigs_ __attribute__((cleanup(pcr_sigs_clear)))

#endif
