/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Changes to a header on a disk, for `enroll` and `wipe` alone; the boot never writes one (architecture.md 4, C10).
 *
 * The change is made by libcryptsetup in a private copy of the audited header. The copy is audited like any header from a disk and
 * compared with the old one: nothing but the keyslot and the lists of keyslots may differ. Then, and only if the device still holds
 * what was read (A16), it is written in an order in which a power cut at any moment leaves one whole header copy whose keyslots'
 * material is on the disk: at worst `check` says H2-torn, which `cryptsetup repair` mends, and every older passphrase still opens.
 *
 * No root and no device-mapper; a volume may be in use. Order of use: luks_edit_add() or luks_edit_wipe(), luks_edit_hold(),
 * luks_edit_write(), luks_edit_free(). Until luks_edit_write() nothing is written.
 */
#ifndef CRYPTATTEST_LUKS_EDIT_H
#define CRYPTATTEST_LUKS_EDIT_H

#include "base/secret.h"
#include "luks/header.h"

struct luks_edit;

/* All are the caller's and outlive the edit. key: the volume key, from luks_volume_unlock(). */
struct luks_edit_params {
	const struct luks_header *h;
	const struct luks_device *dev;
	const struct luks_policy *policy;
	const struct secret *key;
};

/* A further keyslot for a passphrase that needs no stretching (PBKDF2-SHA512, 1000 iterations: S8); keyslot -1: the first that is
 * free. The passphrase is tried on the copy. ERR_CONFIG "keyslot-taken", "keyslot-number", "keyslots-full"; ERR_INTEGRITY "edit"
 * when the library changed anything else; classes of luks_volume_new(). */
int luks_edit_add(const struct luks_edit_params *p, const struct secret *passphrase, int keyslot, struct luks_edit **ret,
		  struct err **err);
/* ERR_INTEGRITY "keyslot-absent"; ERR_CONFIG "keyslot-last": a volume without a keyslot is lost. */
int luks_edit_wipe(const struct luks_edit_params *p, int keyslot, struct luks_edit **ret, struct err **err);

/* Opens the device for writing, takes the lock that cryptsetup takes, compares the device with what was read. ERR_DEVICE
 * "device-read-only", "device-unreadable", ERR_BUSY "header-lock", ERR_INTEGRITY "header-changed". Idempotent. */
int luks_edit_hold(struct luks_edit *e, struct err **err);
/* ERR_DEVICE "header-write" (written back to what it was where that is possible: luks_edit_untouched()), "header-readback". */
int luks_edit_write(struct luks_edit *e, struct err **err);
/* The device is known to hold the old header. */
bool luks_edit_untouched(const struct luks_edit *e);

int luks_edit_keyslot(const struct luks_edit *e); /* the one that was added or wiped */
/* The header as it will be, for luks_header_id(). */
const struct luks_header *luks_edit_header(const struct luks_edit *e);

void luks_edit_free(struct luks_edit *e); /* takes NULL; lets the lock go */
void luks_edit_freep(struct luks_edit **e);
#define _cleanup_luks_edit_ __attribute__((cleanup(luks_edit_freep)))

#endif
