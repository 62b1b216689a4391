/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Whose vTPM is this, and which storage primary of it may be trusted? (tpm-sealing.md 1 and 4, C5.) Asked before sealing and again at
 * every unseal. [vtpm] binding, allow-untrusted-vtpm, srk-name, vek and binding-measurement decide:
 *
 * - profile = bare-metal: srk-name says it; the TPM is the machine's.
 * - azure, SNP: the HCL report in the vTPM (NV 0x01400001) is made anew for 64 random bytes of ours, its SNP report verified with the
 *   chip's certificate (vek =), and the attestation key in its claims certifies the primary (azure-ak); a vTPM that does not let it
 *   certify shows the primary in a session salted to the endorsement key in the claims (azure-ek).
 * - azure, TDX: the TDREPORT inside carries only a MAC for the machine that made it. A quote over it comes from a service on the host's
 *   link, which is not asked at boot: vek = names an evidence object, {"hcl_report","td_quote"} in base64url as az-tdx-vtpm attesters
 *   send it, that was stored when the machine was set up. That it is old takes nothing from the proof: the attestation key that it names
 *   was made in a genuine paravisor and cannot leave it, so whoever certifies the primary with that key now, over a fresh nonce, is
 *   that paravisor. What it does not show is what the machine was made of in this boot; the PCRs in every policy do.
 * - svsm: the SVSM attests its vTPM service in a report of its own over a fresh nonce; the session is salted to the endorsement key in
 *   the manifest (svsm). Certificates come from the host's table or from vek =.
 * - none, or auto where the vTPM shows none of this: a vTPM that the host runs. Its operator can unseal at will and set any PCR, so
 *   it is refused unless allow-untrusted-vtpm = yes and srk-name accept that (config).
 *
 * A report must be of VMPL 0, without debug, migration, a provider's signing key or a masked chip, have at least the TCB of min-tcb if
 * there is one, and one of the launch measurements if some are given. A proof that is begun and fails is never replaced by another way to say yes. A srk-name in the
 * configuration must be the proven one in any case: genuine paravisors are for rent, and only the Name says that it is this machine's.
 *
 * A vTPM behind a paravisor is refused where this kernel can ask the processor itself ("vtpm-elsewhere"): then nobody stands between
 * them who could run it, and the host may be relaying to a machine of its own.
 */
#ifndef CRYPTATTEST_UNLOCK_BINDING_H
#define CRYPTATTEST_UNLOCK_BINDING_H

#include "unlock/unlock.h"
#include "vtpm/vtpm.h"

/* Do its keys outlive a reset? */
enum binding_persistence { BINDING_PERSISTENCE_UNKNOWN, BINDING_FORGETS, BINDING_PERSISTS };

struct binding_result {
	struct tpm_name srk; /* for vtpm_trust() */
	bool proved; /* by the hardware */
	const char *method; /* "azure-ak", "azure-ek", "svsm"; "config": nothing was proven, the configuration says so */
	enum binding_persistence persistence;
	char summary[512]; /* one sentence for `explain` */
};

/*
 * Before vtpm_trust(); the caller holds the state lock (NV 0x01400002 is one place for all). Waits at most 10 s for a fresh HCL report.
 * ERR_CONFIG "srk-name" (needed, not there). ERR_TPM: "vtpm-untrusted"; "hcl-absent", "hcl-stale" and the ids of hcl_report.h;
 * "vtpm-elsewhere"; "svsm-absent", "svsm-refused", "svsm-ek", "svsm-manifest"; "vtpm-vek" (no certificate), "vtpm-quote" (no stored
 * quote, or of another machine), "vtpm-report" (the report does not verify; the verifier's id is in the message), "vtpm-vmpl",
 * "vtpm-debug", "vtpm-migration", "vtpm-vlek", "vtpm-masked-chip", "vtpm-tcb" (below min-tcb), "vtpm-measurement"; those of vtpm/binding.h; "vtpm-srk-name" (proven,
 * but not the configured one), "vtpm-forgets" (the same where the vTPM's keys do not outlive a reset). ERR_TIMEOUT when cancelled, and
 * what the TEE says.
 */
int vtpm_prove(const struct unlock_env *env, struct vtpm *v, struct deadline d, struct binding_result *ret, struct err **err);

/* Was this sealed by the same primary? sealed: the Name that a sidecar notes, len 0 = none. ERR_TPM "vtpm-srk-name", "vtpm-forgets". */
int binding_check_sealed(const struct binding_result *r, const struct tpm_name *sealed, struct err **err);

#endif
