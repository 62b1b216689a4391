/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * From an audited header to a mapping (K1-K6, architecture.md 3 steps 5-6). The only door to libcryptsetup for the engine: never
 * activation by passphrase, never tokens, never format, no header writes.
 *
 * Nothing here knows a deadline. libcryptsetup and libdevmapper wait for udev without limit (boot-integration.md 14.6), so
 * whoever calls activate or deactivate owns a timer that acts by itself. One thread per process may call these functions.
 * The library puts the volume key into the thread's keyring for the kernel and leaves it there until the process ends: be
 * short-lived.
 */
#ifndef CRYPTATTEST_LUKS_VOLUME_H
#define CRYPTATTEST_LUKS_VOLUME_H

#include "base/secret.h"
#include "luks/header.h"
#include "luks/mapper.h"

struct luks_volume; /* libcryptsetup context over the sealed copy + the data device */

#define LUKS_SECRET_MIN 16 /* K1 */

/* Audits again (0.5 ms), so that no volume exists without it: classes of luks_inspect(). h and dev must outlive the volume. */
int luks_volume_new(const struct luks_header *h, const struct luks_device *dev, const struct luks_policy *policy,
		    struct luks_volume **ret, struct err **err);
/* Copy, audit and volume in one: luks_inspect() whose library context becomes the volume's. *ret_header and *ret_findings are the
 * caller's to clear in every case. */
int luks_volume_open(const struct luks_device *dev, const struct luks_policy *policy, struct luks_header *ret_header,
		     struct luks_findings *ret_findings, struct luks_volume **ret, struct err **err);
void luks_volume_free(struct luks_volume *v);
void luks_volume_freep(struct luks_volume **v);
#define _cleanup_luks_volume_ __attribute__((cleanup(luks_volume_freep)))

/* Volume key from keyslot (-1: PBKDF2 slots first, then argon2; preferred slots first within each). K1 (min_len: 16, or 1 for
 * recover; ERR_INTEGRITY "K1"), K2 (ERR_INTEGRITY "K2"), K3 by the library in the same call (C11). ERR_BADKEY "badkey" when no
 * keyslot takes it; ERR_INTEGRITY "keyslot-absent"; ERR_NOMEM when a memory-hard slot had no memory. */
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
 * ERR_INTEGRITY "K6". ERR_DEVICE "name-taken" (or its inner <name>_dif), "activation-failed", "device-changed"; ERR_CONFIG when
 * discard is asked for on a volume with integrity. */
int luks_volume_activate(struct luks_volume *v, const struct mapper *m, const struct secret *key,
			 const struct luks_activation *a, struct err **err);
/* K6 alone, on an existing mapping (writable or not). ERR_INTEGRITY "K6", ERR_DEVICE when there is none. */
int luks_volume_check_table(struct luks_volume *v, const struct mapper *m, const char *name, bool discard, struct err **err);
/* Through the context of the sealed copy. For a mapping without one (`lock`): mapper_remove_volume(). */
int luks_volume_deactivate(struct luks_volume *v, const struct mapper *m, const char *name, struct err **err);

const char *luks_volume_uuid(const struct luks_volume *v);
unsigned int luks_volume_sector_size(const struct luks_volume *v);
bool luks_volume_has_integrity(const struct luks_volume *v);

#endif
