/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Which TPM answers? Proofs over a TPM that nobody trusts yet, from a key that the hardware report names (tpm-sealing.md 4): either it
 * holds the attestation key, which certifies the storage primary (binding_certify), or it holds the endorsement key, to which a session
 * is salted in which the primary is read (binding_read_salted). Either way the primary's Name is proven: its public area lies in the
 * TPM of that key. What the report itself is worth is unlock/binding.c's to say.
 *
 * Nothing here uses a session of session_trust() or leaves one behind; struct tpm must not be trusted yet.
 *
 * Errors: those of tpm.h, and ERR_TPM "vtpm-ak" and "vtpm-ek" (this TPM has no such key), "vtpm-certify" (the certificate is not by that
 * key, not about our question, or not about that primary), "srk-type" and "vtpm-srk-kind" (the primary is not one that the TPM made and keeps).
 */
#ifndef CRYPTATTEST_VTPM_BINDING_H
#define CRYPTATTEST_VTPM_BINDING_H

#include "crypto/keypair.h"
#include "vtpm/tpm.h"

/* Azure's NV indices and handles (tee-evidence.md 2.5). */
#define NV_HCL_REPORT UINT32_C(0x01400001)
#define NV_HCL_USER_DATA UINT32_C(0x01400002)
#define HANDLE_AZURE_AK UINT32_C(0x81000003)
#define HANDLE_EK_RSA UINT32_C(0x81010001)

/* The generic proof: works with every version of the paravisor. *ret is the primary's Name. */
int binding_certify(struct tpm *t, const struct public_key *ak, struct tpm_name *ret, struct err **err);
/* A key is looked for by its Name when that is known, else by its modulus; as a persistent one, and as the primary of the TCG's default
 * template for RSA-2048 endorsement keys. */
int binding_read_salted(struct tpm *t, const struct public_key *ek, const struct tpm_name *ek_name, struct tpm_name *ret, struct err **err);

/* Is there such an NV index? */
int binding_nv_exists(struct tpm *t, uint32_t index, bool *ret, struct err **err);
/* All of it, at most max bytes; caller frees. ERR_TPM "nv-absent", or "nv-range" when it is larger. */
int binding_nv_read(struct tpm *t, uint32_t index, size_t max, uint8_t **ret, size_t *ret_len, struct err **err);
/* Makes the index when it is not there or has another size. With the owner's authorization, which must be empty. */
int binding_nv_write(struct tpm *t, uint32_t index, const uint8_t *data, size_t len, struct err **err);

/*
 * A TPMS_ATTEST of TPM2_Certify, as signed: what it says about whom. Pure (binding_attest.c). ERR_TPM "vtpm-certify": not made by a TPM,
 * not of that kind, cut off, or not an answer to this nonce.
 */
struct binding_attest {
	struct tpm_name name, qualified_name;
};
int binding_attest_parse(const uint8_t *raw, size_t len, const uint8_t *nonce, size_t nonce_len, struct binding_attest *ret,
			 struct err **err);
/* The qualified Name of a primary of the owner hierarchy with this Name: no other key has it (TPM 2.0 Part 1, 26.5). */
int binding_qualified_name(const struct tpm_name *name, struct tpm_name *ret, struct err **err);

#endif
