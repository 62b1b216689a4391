/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The NV pin (C4): an index that nobody can write but a system in this boot state before its cap, because its only write right is the
 * policy of the sealed objects themselves (without budget and PIN): PolicyPCR over the literal PCRs and the cap register at zero, and the
 * signer's word where the rules have one. Whoever owns the TPM can remove it and define it again, but not write it.
 *
 * Content: "CAN2", then NV_PIN_ENTRIES of { vk_id[32], SHA-256 of the object's Name[32], the same of the one before it[32], offline baseline
 * u64be }; unused ones are zero. The index is written before the sealed file is: until the new file is in its place, and whatever
 * is cut in between, the object before it is named as well, so one of the two is always usable. Both were sealed by us in a state that fulfils
 * the write policy.
 */
#ifndef CRYPTATTEST_VTPM_NV_PIN_H
#define CRYPTATTEST_VTPM_NV_PIN_H

#include "vtpm/state.h"

#define NV_PIN_ENTRIES 4
#define NV_PIN_ENTRY (32 + 32 + 32 + 8)
#define NV_PIN_SIZE (4 + NV_PIN_ENTRIES * NV_PIN_ENTRY)

/* Puts an entry in, over an older one of the same volume. in_place: the object whose file is in its place, which stays named if it was; NULL
 * or another: the one that was named last. ERR_CONFIG "pin-full". Pure; data of another magic count as empty. */
int nv_pin_put(uint8_t data[static NV_PIN_SIZE], const char *vk_id, const struct tpm_name *object, const struct tpm_name *in_place,
	       uint64_t baseline, struct err **err);
/* The volume of the entry for this object; false when there is none. Pure. */
bool nv_pin_get(const uint8_t data[static NV_PIN_SIZE], const struct tpm_name *object, char ret_vk_id[static 65]);

/* Does the index have the right public area for this state, and does it name the object? ERR_TPM "sealed-origin" when not. */
int nv_pin_check(struct vtpm *v, const struct vtpm_rules *r, const struct vtpm_state *s, const struct tpm_name *object,
		 char ret_vk_id[static 65], struct err **err);
/* Names the object in the index, which is defined, or defined again for this state, when it must be. The state must fulfil its own
 * policy: current values, uncapped, a signature when there is a signer. */
int nv_pin_write(struct vtpm *v, const struct vtpm_rules *r, const struct vtpm_state *s, const struct tpm_name *object,
		 const struct tpm_name *in_place, const char *vk_id, uint64_t baseline, struct err **err);

#endif
