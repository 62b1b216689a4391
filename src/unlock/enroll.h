/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What `enroll` and `wipe` do to a volume, without device-mapper and on any system that the owner trusts: an existing passphrase opens
 * it in memory, a keyslot is added or removed in a copy of the header (luks/edit.h), and the secret's document or sealed file is made.
 * The verbs decide when what is written.
 */
#ifndef CRYPTATTEST_UNLOCK_ENROLL_H
#define CRYPTATTEST_UNLOCK_ENROLL_H

#include "luks/edit.h"
#include "luks/volume.h"
#include "unlock/unlock.h"
#include "wire/document.h"

/* A configured volume, opened in memory. */
struct enroll {
	const struct config_volume *conf; /* the configuration's */
	struct luks_policy policy;
	struct luks_device dev;
	struct luks_header h;
	struct luks_volume *v;
	struct secret *key;
	int slot; /* the one that the passphrase opened */
	char vk_id[65];
};

#define ENROLL_INIT { .dev = LUKS_DEVICE_INIT, .h = LUKS_HEADER_INIT, .slot = -1 }

/* Device, audit under the configuration's profile, vk-id when the configuration pins it. The passphrase is of any length. The slot
 * `except` (-1: none) is not tried: ERR_BADKEY "badkey" then says that no other one takes it, ERR_CONFIG "keyslot-last" that there is none. Clear *ret in every case. */
int enroll_open(const struct unlock_env *env, const struct config_volume *conf, const struct secret *passphrase, int except,
		struct enroll *ret, struct err **err);
void enroll_clear(struct enroll *e);
#define _cleanup_enroll_ __attribute__((cleanup(enroll_clear)))

/* 32 random bytes, and their padded base64, which is the passphrase (tpm-sealing.md 2.4). */
int enroll_secret(struct secret **ret_bytes, struct secret **ret_passphrase, struct err **err);
/* A keyslot for the passphrase, in the copy; the device is locked and still holds what was read. */
int enroll_add(const struct enroll *e, const struct secret *passphrase, int keyslot, struct luks_edit **ret, struct err **err);
/* The document of a keyslot that was added; passphrase is what the broker will hold. */
int enroll_document(const struct enroll *e, const struct luks_edit *edit, const struct secret *passphrase, struct secret_document *ret,
		    struct err **err);
/* Lines of the configuration that would keep the new keyslot from being used: one warning each. */
void enroll_warn_pins(const struct enroll *e, const struct luks_edit *edit);

/* A keyslot, in the copy; the device is locked. Never the last one: ERR_CONFIG "keyslot-last". */
int enroll_wipe(const struct enroll *e, int keyslot, struct luks_edit **ret, struct err **err);
bool enroll_has_slot(const struct enroll *e, int keyslot);
/* Of the shape that enroll makes (PBKDF2-SHA512, 1000 iterations): no person's passphrase is behind it. */
bool enroll_made_slot(const struct enroll *e, int keyslot);

#endif
