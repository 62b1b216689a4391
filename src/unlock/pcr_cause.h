/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Why PCRs are not what a secret was sealed for: what this boot's log says went into them, and which change that most likely was. For
 * people; nothing decides by it. No side effects.
 */
#ifndef CRYPTATTEST_UNLOCK_PCR_CAUSE_H
#define CRYPTATTEST_UNLOCK_PCR_CAUSE_H

#include "unlock/boot_log.h"
#include "unlock/unlock.h"
#include "vtpm/vtpm.h"

/* "probably the initrd (PCR 9)": for the end of one console line. log may be NULL: then by the PCRs' meaning alone. */
void pcr_cause_likely(uint32_t differing, const struct boot_log *log, struct buf *out);
/* Names of what was measured into one PCR, separators and the like left out: "/vmlinuz, /boot/initrd.img"; at most max_len bytes. */
void pcr_cause_measured(const struct boot_log *log, unsigned int pcr, size_t max_len, struct buf *out);

/*
 * The whole story of a secret that the TPM does not unseal: a line per differing PCR with expected and actual value and what was
 * measured there, and a last one with the likely cause. Lines end in newlines. *ret_differing may be 0: then it was the rules that
 * changed, and the text says so.
 */
int pcr_cause_explain(const struct unlock_env *env, struct vtpm *v, const struct vtpm_rules *r, const struct sealed_blob *b,
		      uint32_t *ret_differing, struct buf *out, struct err **err);
/* After a failed unseal: with id "policy" logs that story line by line for this volume, and puts the likely cause into *err. */
void pcr_cause_hint(const struct unlock_env *env, const char *volume, struct vtpm *v, const struct vtpm_rules *r, const char *sealed,
		    size_t sealed_len, struct err **err);

#endif
