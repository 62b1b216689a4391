/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Unsealing what other programs sealed (C7). Their objects do not prove where they come from, so the caller has a vk_id in the measured
 * configuration to compare with (C4); their policies do not hold the cap register.
 *
 * Every command rides the session that vtpm_trust() salted to the storage primary of known Name. A legacy primary is made inside that
 * session, so its public area is this TPM's word, too, and needs no Name of its own in the configuration.
 */
#ifndef CRYPTATTEST_VTPM_FOREIGN_H
#define CRYPTATTEST_VTPM_FOREIGN_H

#include "vtpm/foreign_token.h"
#include "vtpm/vtpm.h"

/*
 * Does the token claim a policy that is at least the rules'? All literal PCRs, in the rules' bank; the same signer and signed PCRs; a PIN
 * exactly when the rules have one; never no PCR at all. cap_pcr and the indices of the rules do not count. Pure. ERR_TPM
 * "foreign-policy", "sealed-pin"; ERR_CONFIG "signer".
 */
int foreign_check(const struct foreign_token *k, const struct vtpm_rules *r, struct err **err);
/* The rules that the token itself claims, for taking them over: borrows from the token; bank when it names none. */
void foreign_rules(const struct foreign_token *k, enum pcr_bank bank, struct vtpm_rules *ret);

struct foreign_object;

/*
 * foreign_check(), the object's public area, its policy against the current PCRs, then loads it. ERR_TPM "policy", "policy-signature",
 * "sealed-attributes", "tpm-replaced"; ERR_INTEGRITY "sealed-object", "foreign-token".
 */
int foreign_load(struct vtpm *v, const struct foreign_token *k, const struct vtpm_rules *r, struct foreign_object **ret, struct err **err);
/* The passphrase of the token's keyslot. pin: exactly when the token has one. ERR_TPM "tpm-auth", "tpm-lockout"; ERR_INTEGRITY
 * "foreign-secret". */
int foreign_open(struct foreign_object *o, const struct secret *pin, struct secret **ret, struct err **err);
void foreign_free(struct foreign_object *o); /* takes NULL */
void foreign_freep(struct foreign_object **o);
#define _cleanup_foreign_ __attribute__((cleanup(foreign_freep)))

#endif
