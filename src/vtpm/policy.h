/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The policy of a sealed object: one struct says what must hold, one function computes its digest (tpm-sealing.md 5.3), another
 * (policy_run.c) makes the TPM check it. Always in this order, each part but the second optional:
 *
 *   PolicyAuthorize(signer) over an approved policy, PolicyPCR(signed PCRs) [+ PolicyNV(version counter <= version)]
 *   PolicyPCR(literal PCRs and the cap register, which must be zero: C6)
 *   PolicyNV(offline counter <= limit)
 *   PolicyAuthValue (PIN)
 *
 * Digests are SHA-256 throughout: that is the nameAlg of every object with such a policy, whatever the bank of the PCRs.
 */
#ifndef CRYPTATTEST_VTPM_POLICY_H
#define CRYPTATTEST_VTPM_POLICY_H

#include "vtpm/pcr.h"
#include "vtpm/pcr_sig.h"
#include "vtpm/signer.h"

#define POLICY_DIGEST 32

/* counter <= limit, unsigned. index 0 = no such part. */
struct policy_nv {
	uint32_t index;
	struct tpm_name name; /* of the counter as it must be, and WRITTEN: another index of that number gives another digest */
	uint64_t limit;
};

struct policy {
	enum pcr_bank bank;
	const struct pcr_signer *signer; /* NULL = no signed part */
	uint32_t signed_pcrs;
	uint8_t signed_digest[POLICY_DIGEST]; /* over the values now; for policy_approved() and running only */
	struct policy_nv version;	      /* the same; limit = version of the signed entry */
	const struct pcr_sig *signature;      /* for running only */
	uint32_t pcrs;			      /* literal PCRs and the cap register; 0, no such part, in other programs' policies alone */
	uint8_t pcr_digest[POLICY_DIGEST];
	struct policy_nv offline;
	bool pin;
};

/* SHA-256 over the values of the PCRs in mask, ascending. ERR_INTERNAL when v lacks one. */
int policy_pcr_digest(const struct pcr_values *v, uint32_t mask, uint8_t out[static POLICY_DIGEST], struct err **err);
/* What the object's authPolicy must be. */
int policy_digest(const struct policy *p, uint8_t out[static POLICY_DIGEST], struct err **err);
/* What the signer must have signed. */
int policy_approved(const struct policy *p, uint8_t out[static POLICY_DIGEST], struct err **err);
/* Sets p->signature to the entry that approves this state, and p->version.limit to its version; the entry with the highest version when
 * several do. Leaves p as it is when none is better than what it has. Entries without a version do not count when p->version.index is
 * set. */
int policy_find_signature(struct policy *p, const struct pcr_sigs *sigs, struct err **err);

#endif
