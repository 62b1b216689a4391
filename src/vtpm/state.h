/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The configuration's rules in the light of the PCRs as they are: which policy an object must have, and whether it can hold now. */
#ifndef CRYPTATTEST_VTPM_STATE_H
#define CRYPTATTEST_VTPM_STATE_H

#include "vtpm/policy.h"
#include "vtpm/vtpm.h"

struct vtpm {
	struct tpm *t;
	struct secret *owner_auth; /* what vtpm_provision() was given; NULL = empty */
	bool counted;		   /* this boot's offline use is in the counter already */
};

/* Do not move one that is in use: the policy points into it. */
struct vtpm_state {
	struct pcr_values now;	/* all PCRs that the rules name */
	struct pcr_values want; /* of the literal PCRs as the policy wants them, and the cap register at zero */
	struct pcr_signer signer;
	struct pcr_sigs *sigs; /* one per file */
	size_t n_sigs;
	struct policy policy;
	uint32_t creation_mask; /* literal, cap and signed PCRs */
};

/*
 * Reads the PCRs once. next: literal values to want instead of the current ones, or NULL. baseline: see struct sealed_blob. ERR_CONFIG
 * "pcrs-empty" when the rules name no PCR at all, "signer" for a key that cannot sign policies. A signature file that does not parse
 * does not count; when none approves this state, policy.signature is NULL.
 */
int vtpm_state_read(struct vtpm *v, const struct vtpm_rules *r, const struct pcr_values *next, uint64_t baseline, struct vtpm_state *ret,
		    struct err **err);
/* The same for values that are supposed instead of read: all of vtpm_rules_pcrs(). Asks no TPM. */
int vtpm_state_suppose(const struct vtpm_rules *r, const struct pcr_values *values, uint64_t baseline, struct vtpm_state *ret, struct err **err);
void vtpm_state_clear(struct vtpm_state *s);
#define _cleanup_vtpm_state_ __attribute__((cleanup(vtpm_state_clear)))

bool vtpm_state_capped(const struct vtpm_state *s, const struct vtpm_rules *r);
/* Does the offline counter take part in the policy? */
bool vtpm_has_budget(const struct vtpm_rules *r);

#endif
