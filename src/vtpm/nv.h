/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * NV indices of ours: the pin (C4) and the counters of versions and of offline boots.
 *
 * Whoever has the owner authorization (by default everybody who is root in any system on this TPM) can remove an index and define
 * another in its place, so an index counts only when its whole public area is the one we would have made (nv_same()).
 *
 * That area is read outside the session, for one command instead of the two that ESYS makes of it inside. It needs no more: the Name of
 * what we were told goes into the HMAC of every later command on the index, so the TPM performs none of them when it was a lie, and
 * nobody else can answer. Until such a command has succeeded, nothing about the index is proven; that it is absent never is.
 *
 * Counters are hygiene (C6): the host can restore an older state.
 */
#ifndef CRYPTATTEST_VTPM_NV_H
#define CRYPTATTEST_VTPM_NV_H

#include "base/secret.h"
#include "vtpm/tpm_impl.h"

#define NV_DATA_MAX 512

/* Written under a policy and by nothing else, read by everybody. */
#define NV_PIN_ATTRIBUTES (TPMA_NV_POLICYWRITE | TPMA_NV_AUTHREAD | TPMA_NV_OWNERREAD | TPMA_NV_NO_DA | TPM2_NT_ORDINARY << TPMA_NV_TPM2_NT_SHIFT)
/* Counts for everybody: the only thing that a stranger can do is to use the allowance up. */
#define NV_COUNTER_ATTRIBUTES                                                                                         \
	(TPMA_NV_AUTHWRITE | TPMA_NV_AUTHREAD | TPMA_NV_OWNERREAD | TPMA_NV_NO_DA | TPM2_NT_COUNTER << TPMA_NV_TPM2_NT_SHIFT)

struct nv {
	struct tpm_loaded index; /* tr == ESYS_TR_NONE: not defined */
	TPM2B_NV_PUBLIC pub;
	struct tpm_name name; /* computed from pub */
};
#define NV_INIT(tpm) { .index = { .t = (tpm), .tr = ESYS_TR_NONE, .persistent = true } }
void nv_release(struct nv *n);
#define _cleanup_nv_ __attribute__((cleanup(nv_release)))

/* Public areas as we make them, nameAlg SHA-256. Pure. */
void nv_pin_public(uint32_t index, uint16_t size, const uint8_t policy[static 32], TPM2B_NV_PUBLIC *ret);
void nv_counter_public(uint32_t index, TPM2B_NV_PUBLIC *ret);
bool nv_written(const TPM2B_NV_PUBLIC *pub);
/* The Name that the index has once it was written. */
int nv_name_written(const TPM2B_NV_PUBLIC *pub, struct tpm_name *ret, struct err **err);
/* ERR_TPM "nv-attributes", which names both, unless found is wanted, WRITTEN aside. Pure. */
int nv_same(const TPM2B_NV_PUBLIC *found, const TPM2B_NV_PUBLIC *wanted, struct err **err);

/* One command, nothing proven. An index that is not defined is no error (index.tr == ESYS_TR_NONE). */
int nv_find(struct tpm *t, uint32_t index, struct nv *ret, struct err **err);
/* nv_find() that wants exactly this index: ERR_TPM "nv-absent", "nv-attributes". */
int nv_get(struct tpm *t, const TPM2B_NV_PUBLIC *wanted, struct nv *ret, struct err **err);
/* Defines it, or finds it defined like this already. A new counter is counted up once, so that it can be read.
 * ERR_TPM "nv-attributes", "nv-space", "tpm-auth". owner_auth may be NULL. */
int nv_define(struct tpm *t, const TPM2B_NV_PUBLIC *wanted, const struct secret *owner_auth, struct nv *ret, struct err **err);
int nv_undefine(struct tpm *t, struct nv *n, const struct secret *owner_auth, struct err **err);

/* All of it, from offset 0, by the index's (empty) authorization; encrypted on its way. ERR_TPM "nv-unwritten". */
int nv_read(struct tpm *t, struct nv *n, uint8_t *out, size_t len, struct err **err);
/* Under a policy session that fulfils the index's authPolicy; the session is used up. Updates n's public area and Name. */
int nv_write(struct tpm *t, struct nv *n, ESYS_TR policy, const uint8_t *data, size_t len, struct err **err);
int nv_increment(struct tpm *t, struct nv *n, struct err **err);
int nv_counter(struct tpm *t, struct nv *n, uint64_t *ret, struct err **err);

#endif
