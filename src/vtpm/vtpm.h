/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Sealing volumes' secrets to this machine's TPM, as the engine sees it. tpm-sealing.md as corrected by architecture.md 8 (C4-C7, C10,
 * C15); luks-untrusted-host.md E5, P1-P2.
 *
 * Order of use: vtpm_open (nothing is trusted yet), vtpm_trust (the primary's Name is the one that the measured configuration or the
 * hardware report names; from here on every command rides a session salted to it, parameters encrypted), then seal, unseal, cap.
 * Nothing here reads a file or a configuration.
 */
#ifndef CRYPTATTEST_VTPM_VTPM_H
#define CRYPTATTEST_VTPM_VTPM_H

#include "vtpm/blob.h"

/* The measured configuration's word on the policy that every sealed object must have. All pointers are the caller's. */
struct vtpm_rules {
	enum pcr_bank bank;
	uint32_t pcrs;	      /* literal PCRs, without cap_pcr */
	unsigned int cap_pcr; /* always in the policy, at zero (C6) */
	/* Signed PCR policy (tpm-sealing.md 5.2): PEM SubjectPublicKeyInfo of the signer, NULL = none. */
	const char *signer_pem;
	uint32_t signed_pcrs; /* e.g. 1 << 11 */
	const char *const *signatures; /* texts of tpm2-pcr-signature.json files, in order of preference; NULL-terminated or NULL */
	uint32_t version_index; /* NV counter: a signed policy older than its value is refused by the TPM itself (PolicyNV); 0 = none */
	uint32_t pin_index;	/* NV pin (C4); 0 = none */
	uint32_t offline_index; /* NV counter of offline boots; 0 = none */
	uint64_t offline_boots; /* how many after a sealing; 0 = without limit */
	bool pin;		/* PolicyAuthValue */
	bool insecure;		/* the owner accepts PCRs that nothing was measured into */
};

struct vtpm;

int vtpm_open(const struct tpm_access *access, int root_fd, struct deadline d, struct vtpm **ret, struct err **err);
void vtpm_close(struct vtpm *v);
void vtpm_closep(struct vtpm **v);
#define _cleanup_vtpm_ __attribute__((cleanup(vtpm_closep)))
struct tpm *vtpm_tpm(struct vtpm *v);
/* Was this boot counted (vtpm_unseal(), offline)? For who opens it a second time in one run. */
bool vtpm_counted(const struct vtpm *v);
void vtpm_set_counted(struct vtpm *v);

/* Name of the storage primary as this TPM shows it now, with no proof: for `enroll` to print, and for messages. */
int vtpm_primary_name(struct vtpm *v, struct tpm_name *ret, struct err **err);
/* Opens the salted session to the primary of that Name: persistent 0x81000001 if it has it, else a transient one of the TCG template
 * (made persistent only by vtpm_provision()). ERR_TPM "tpm-replaced" when this TPM has no such primary. */
int vtpm_trust(struct vtpm *v, const struct tpm_name *primary, struct err **err);
/* For `enroll`: CreatePrimary + EvictControl when 0x81000001 is empty. owner_auth may be NULL; it is kept for the indices that later calls
 * define. */
int vtpm_provision(struct vtpm *v, const struct secret *owner_auth, struct err **err);
/* Defines the counters of the rules where they are absent (vtpm_seal() does so too), with the owner authorization that
 * vtpm_provision() was given. */
int vtpm_define_counters(struct vtpm *v, const struct vtpm_rules *r, struct err **err);

/* For `wipe`: removes the indices that the rules name, those that are there. Each is shared by all volumes of the machine. ERR_TPM
 * "nv-attributes" for one that is not ours. */
int vtpm_forget(struct vtpm *v, const struct vtpm_rules *r, const struct secret *owner_auth, unsigned int *ret, struct err **err);

/* Is the cap register past its uncapped value? */
int vtpm_capped(struct vtpm *v, const struct vtpm_rules *r, bool *ret, struct err **err);

/*
 * Seals for the PCR values that the next boot will have before its cap: `next` (the literal PCRs, in the rules' bank), or the current ones
 * with the cap register at zero when NULL. At boot, uncapped, with next == NULL, creation data prove the origin, a trial unsealing
 * follows and the NV pin is written when the rules have one; with a signer this also takes a signature for the current state. The
 * pin goes on naming in_place too, the object of the file that is to be replaced (NULL: not known), so that a power cut before it is
 * replaced costs nothing. Else the object has no proof of origin, and only a vk_id in the measured configuration makes it usable. The payload's secret stays the
 * caller's; its baseline is filled in here. name, uuid and sealed_at of the result are the caller's to set. ERR_CONFIG "pcrs-unmeasured"
 * when the selected PCRs are all zero or all FF and the rules do not accept that, "pcrs-empty", "pin-needed".
 */
int vtpm_seal(struct vtpm *v, const struct vtpm_rules *r, const struct sealed_payload *payload, const struct secret *pin,
	      const struct pcr_values *next, const struct sealed_blob *in_place, struct sealed_blob *ret, struct err **err);

/* C4: how we know that this object was sealed by us in this machine's boot state. */
enum sealed_origin {
	ORIGIN_UNPROVEN, /* only a vk_id in the measured configuration can make it usable */
	ORIGIN_CREATION, /* certified creation data: right PCRs, cap register at zero */
	ORIGIN_NV_PIN,	 /* the index that only this boot state can write names this object */
};

/*
 * Checks the public area (fixedTPM, fixedParent, no userWithAuth: E5), the policy digest for the current PCRs, with need_origin the proof of
 * origin; only then looks at the lockout, counts the offline boot when `offline` (once per vtpm_open()), and unseals. *ret_origin is what
 * was proven: ORIGIN_UNPROVEN when need_origin was false.
 *
 * ERR_CAP "capped". ERR_TPM "policy": other PCRs or rules, vtpm_explain() tells which; "policy-signature": no signature of the signer for
 * this state; "policy-version": the signed policy is retired; "sealed-origin", "sealed-attributes", "tpm-replaced": not our object;
 * "offline-budget": the allowance is used up; "pin-needed", "tpm-auth", "tpm-lockout". ERR_INTEGRITY "sealed-object", "sealed-payload".
 */
int vtpm_unseal(struct vtpm *v, const struct vtpm_rules *r, const struct sealed_blob *b, const struct secret *pin, bool need_origin,
		bool offline, struct sealed_payload *ret, enum sealed_origin *ret_origin, struct err **err);

/* Everything that vtpm_unseal() checks before it needs the PIN or counts a boot: for asking nobody for a PIN that cannot help. */
int vtpm_ready(struct vtpm *v, const struct vtpm_rules *r, const struct sealed_blob *b, bool need_origin, struct err **err);

/* Would vtpm_unseal() with need_origin find policy, primary and origin right, and is the baseline the counter's value? false: time to
 * seal anew. An error when that would not help (capped, no signature, no TPM). Changes nothing. */
int vtpm_current(struct vtpm *v, const struct vtpm_rules *r, const struct sealed_blob *b, bool *ret, struct err **err);

/* Literal, cap and signed PCRs. */
uint32_t vtpm_rules_pcrs(const struct vtpm_rules *r);
/*
 * Would these checks of vtpm_unseal() pass in a boot with these PCR values (of all vtpm_rules_pcrs(), the cap register as it is before the
 * cap)? The public area, the policy, a signature for that state, with need_origin the creation data, for the storage primary of that
 * Name. No TPM is asked: that it takes the object, and the NV pin, is not proved. Errors as vtpm_unseal(); "sealed-origin" is no error
 * when the rules have an NV pin.
 */
int vtpm_forecast(const struct vtpm_rules *r, const struct sealed_blob *b, bool need_origin, const struct pcr_values *values,
		  const struct tpm_name *primary, struct err **err);

/* The literal PCRs and the cap register whose values are not those of the sealing, as the file tells them: a hint for people. A PCR that
 * only the file or only the rules name differs too. */
int vtpm_explain(struct vtpm *v, const struct vtpm_rules *r, const struct sealed_blob *b, uint32_t *ret_differing,
		 struct pcr_values *ret_now, struct err **err);

/* In the boot after an update, before the cap: counts the version counter up to the version of the signed policy in use, once the TPM
 * accepted its signature. Nothing to do without version_index. ERR_CONFIG "version-gap": more than 256 steps. */
int vtpm_raise_version(struct vtpm *v, const struct vtpm_rules *r, struct err **err);

#endif
