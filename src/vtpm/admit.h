/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Judging a sealed file before anything is spent on it: no PIN, no offline boot, no unsealing (luks-untrusted-host.md E5, C4). The file
 * comes from the host's disk.
 */
#ifndef CRYPTATTEST_VTPM_ADMIT_H
#define CRYPTATTEST_VTPM_ADMIT_H

#include "vtpm/state.h"
#include "vtpm/tpm_impl.h"

struct admitted {
	struct vtpm_state state;
	TPM2B_PUBLIC pub;
	struct tpm_name name; /* of the object */
	struct tpm_loaded object;
	enum sealed_origin origin;
	char pin_vk_id[65]; /* with ORIGIN_NV_PIN: of the volume that the pin names */
};
void admitted_clear(struct admitted *a);
#define _cleanup_admitted_ __attribute__((cleanup(admitted_clear)))

/*
 * In this order, one step's failure ending it: the public area, what the file and the rules say of a PIN, PCRs, cap register, the
 * software's policy digest against the object's, a signature for this state, the origin when asked for, loading. Errors as
 * vtpm_unseal().
 */
int vtpm_admit(struct vtpm *v, const struct vtpm_rules *r, const struct sealed_blob *b, bool need_origin, struct admitted *ret,
	       struct err **err);
/* Reads the PCRs again and compares the policy again: for when they changed under us. */
int vtpm_admit_again(struct vtpm *v, const struct vtpm_rules *r, const struct sealed_blob *b, struct admitted *a, struct err **err);

#endif
