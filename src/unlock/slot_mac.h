/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Which keyslot a sealed file belongs to, in words that only an owner of the volume key can write: the file lies on the host's disk, and
 * a number in it must never lead to the removal of another keyslot than one that was made for a sealed secret.
 *
 * lower-case hex of HMAC-SHA256(key = volume key, data = "cryptattest:sealed-slot:v1:" || volume name || ":" || header id of the keyslot).
 * The header id covers key material and parameters of that keyslot, so the words are of no use for another one in its place.
 */
#ifndef CRYPTATTEST_UNLOCK_SLOT_MAC_H
#define CRYPTATTEST_UNLOCK_SLOT_MAC_H

#include "luks/volume.h"

int slot_mac(const struct secret *volume_key, const struct luks_header *h, int slot, const char *name, char out[static 65], struct err **err);
/* False also when the header has no such keyslot. Constant time over the digits. */
bool slot_mac_holds(const struct secret *volume_key, const struct luks_header *h, int slot, const char *name, const char *mac);

#endif
