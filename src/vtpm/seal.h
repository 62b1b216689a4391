/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Sealed objects in the TPM: making one, judging its public area, loading, unsealing. What the policy must be is the caller's matter
 * (vtpm.c). Everything rides the salted session under the trusted primary (session.h): ERR_INTERNAL without one.
 */
#ifndef CRYPTATTEST_VTPM_SEAL_H
#define CRYPTATTEST_VTPM_SEAL_H

#include "base/secret.h"
#include "vtpm/blob.h"
#include "vtpm/policy.h"
#include "vtpm/tpm_impl.h"

#define SEAL_DATA_MAX 128 /* what every TPM can seal (tpm-sealing.md 2.2) */

/*
 * The value that authorizes the object when a PIN is needed (5.1): p = PBKDF2(pin, salt, 10000), s = base64(p), value = SHA-256(s) without
 * trailing zero bytes; without a salt (older systemd tokens) s = pin.
 */
int seal_pin_value(const struct secret *pin, const uint8_t *salt, size_t salt_len, struct secret **ret, struct err **err);

/* TPML_PCR_SELECTION of one bank. */
void seal_selection(enum pcr_bank bank, uint32_t mask, TPML_PCR_SELECTION *ret);

/* The object and the TPM's word on the state that it was made in, as marshalled; the caller frees the parts (sealed_blob_clear). */
struct seal_result {
	struct sealed_bytes pub, priv, creation_data, creation_ticket;
};
void seal_result_clear(struct seal_result *r);

/*
 * TPM2_Create: data (at most SEAL_DATA_MAX bytes, else ERR_CONFIG "seal-size") under this authPolicy, with the PIN's value or NULL;
 * attributes fixedTPM, fixedParent, and noDA when there is no PIN. The creation data name the PCRs of creation_mask and origin_label.
 */
int seal_create(struct tpm *t, const uint8_t policy[static POLICY_DIGEST], const struct secret *data, const struct secret *pin_value,
		enum pcr_bank bank, uint32_t creation_mask, struct seal_result *ret, struct err **err);

/*
 * E5, before the TPM sees the object: a keyed hash with SHA-256 Name, fixedTPM and fixedParent (an imported object cannot have them),
 * opened by its policy alone (no userWithAuth), counted against a PIN exactly when there is one. ERR_INTEGRITY "sealed-object" when it
 * does not parse, ERR_TPM "sealed-attributes" when it is something else.
 */
int seal_check_public(const struct sealed_bytes *pub, bool pin, TPM2B_PUBLIC *ret, struct err **err);
/* ERR_TPM "tpm-replaced": not an object of this TPM's primary; ERR_INTEGRITY "sealed-object": no object at all. */
int seal_load(struct tpm *t, const TPM2B_PUBLIC *pub, const struct sealed_bytes *priv, struct tpm_loaded *ret, struct err **err);
/* The same under another parent, which is loaded already. */
int seal_load_under(struct tpm *t, ESYS_TR parent, const TPM2B_PUBLIC *pub, const struct sealed_bytes *priv, struct tpm_loaded *ret,
		    struct err **err);
/* In a policy session in which the policy ran; success uses it up. ERR_TPM "tpm-auth" (wrong PIN), "pcr-changed", "tpm-lockout". */
int seal_unseal(struct tpm *t, ESYS_TR object, struct tpm_loaded *policy, const struct secret *pin_value, struct secret **ret,
		struct err **err);

#endif
