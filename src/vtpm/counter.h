/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The two counters of ours, by index: which Name a policy must see, and their values. They may be counted up by anybody (nv.h): a
 * policy for that would have to name the boot state and be made anew with every update, and all that it could prevent is that a system
 * on this TPM uses an allowance up or retires signed policies, which the same system can do by removing the index.
 */
#ifndef CRYPTATTEST_VTPM_COUNTER_H
#define CRYPTATTEST_VTPM_COUNTER_H

#include "vtpm/nv.h"

/* Of a counter as we define it, written. Pure. */
int counter_name(uint32_t index, struct tpm_name *ret, struct err **err);
/* ERR_TPM "nv-absent", "nv-attributes". */
int counter_open(struct tpm *t, uint32_t index, struct nv *ret, struct err **err);
int counter_read(struct tpm *t, uint32_t index, uint64_t *ret, struct err **err);
/* Defines it where it is absent. */
int counter_define(struct tpm *t, uint32_t index, const struct secret *owner_auth, struct err **err);

#endif
