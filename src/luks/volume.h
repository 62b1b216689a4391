/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * From an audited header to a mapping (K1-K6, architecture.md 3 steps 5-6). The only door to libcryptsetup for the engine: never
 * activation by passphrase, never tokens, never format, no header writes.
 */
#ifndef CRYPTATTEST_LUKS_VOLUME_H
#define CRYPTATTEST_LUKS_VOLUME_H

#include "base/secret.h"
#include "luks/header.h"
#include "luks/mapper.h"

struct luks_volume; /* libcryptsetup context over the sealed copy + the data device */

int luks_volume_new(const struct luks_header *h, const struct luks_device *dev, const struct luks_policy *policy,
		    struct luks_volume **ret, struct err **err);
void luks_volume_free(struct luks_volume *v);

/* Volume key from keyslot (-1: PBKDF2 slots first, then argon2). K1 (min_len: 16, or 1 for recover), K2, K3 by the library.
 * ERR_BADKEY when no keyslot takes it. */
int luks_volume_unlock(struct luks_volume *v, const struct secret *passphrase, size_t min_len, int keyslot,
		       struct secret **ret_key, int *ret_slot, struct err **err);
/* contracts.md 1. */
int luks_vk_id(const struct secret *key, const char *uuid, const char *name, char out[static 65], struct err **err);
int luks_header_id(const struct luks_header *h, int slot, char out[static 65], struct err **err);

struct luks_activation {
	const char *name;
	bool private_name; /* hidden from udev rules */
	bool discard, read_only;
};

/* Activates under the name with the given key and reads the kernel table back (K6); on any mismatch deactivates and fails
 * ERR_INTEGRITY "K6". ERR_DEVICE when activation fails or the name exists. */
int luks_volume_activate(struct luks_volume *v, const struct mapper *m, const struct secret *key,
			 const struct luks_activation *a, struct err **err);
/* K6 alone, on an existing mapping. */
int luks_volume_check_table(struct luks_volume *v, const struct mapper *m, const char *name, bool discard, struct err **err);
int luks_volume_deactivate(struct luks_volume *v, const struct mapper *m, const char *name, struct err **err);

const char *luks_volume_uuid(const struct luks_volume *v);
unsigned int luks_volume_sector_size(const struct luks_volume *v);

#endif
