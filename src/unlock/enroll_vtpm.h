/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * `enroll --source=vtpm`: a keyslot whose secret is sealed to this machine's TPM, for the boot states that the [vtpm] section names.
 *
 * On the disk in this order: the document (the caller's), the sealed file beside its place (".new"), the header, the older sealed file
 * beside it (".old"), the new one in its place; then the older one's keyslot goes. Whatever is killed in between leaves either the older
 * or the new sealed file working, and every keyslot that is of no use any more is named by ".new" or ".old": the next call removes it.
 */
#ifndef CRYPTATTEST_UNLOCK_ENROLL_VTPM_H
#define CRYPTATTEST_UNLOCK_ENROLL_VTPM_H

#include "unlock/enroll.h"
#include "unlock/machine_tpm.h"
#include "vtpm/vtpm.h"

struct enroll_sealed {
	const struct secret *owner_auth, *pin; /* the caller's; may be NULL */
	const struct secret *kbs_part;	       /* mode kbs+vtpm: what the broker holds; else NULL */
	const struct pcr_values *next;	       /* the literal PCRs to seal for; NULL: as they are now */
	struct secret *bytes, *passphrase;     /* what is sealed; what opens the keyslot */
	struct luks_edit *edit;
	char *text;	   /* of the sealed file */
	bool proven;	/* its origin: it can be used without a vk-id in the configuration */
	int superseded; /* keyslot of the older sealed file, -1: none */
};
void enroll_sealed_clear(struct enroll_sealed *s);
#define _cleanup_enroll_sealed_ __attribute__((cleanup(enroll_sealed_clear)))

/* The TPM that the configuration or the hardware report names. ERR_CONFIG "srk-name": nothing names it; the hint holds the line for the
 * configuration. Makes the storage primary persistent. */
int enroll_trust(const struct unlock_env *env, struct machine_tpm *m, const struct secret *owner_auth, struct vtpm **ret, struct err **err);
/* First of all: what a killed call left. *ret_changed: the header is another one now. What the files say is the host's word, so only a
 * keyslot that the volume key vouches for is removed (slot_mac.h), which is one that was made for a sealed secret, and never the one that the
 * passphrase opens. */
int enroll_clean(const struct unlock_env *env, const struct config_volume *conf, const struct secret *passphrase, bool *ret_changed,
		 struct err **err);
/* New secret, keyslot in the copy, sealed file as text; nothing is written yet. The header's device is locked from here on. */
int enroll_seal(const struct unlock_env *env, struct vtpm *vtpm, const struct enroll *e, int keyslot, struct enroll_sealed *s,
		struct err **err);
/* What the broker has to hold from now on, out of the document that it holds (is_document may be false: a raw passphrase, or a fresh
 * one). kbs-or-vtpm: that document with may_reseal and the escrowed passphrase. kbs+vtpm: its passphrase is the broker's part, and no
 * keyslot is named, because the sealed file names it. The header id of the new keyslot joins those that are pinned. ERR_INTEGRITY
 * "document-uuid", "document-name", "K4" for a document of another volume, ERR_BADKEY when its passphrase opens nothing. */
int enroll_extend(const struct enroll *e, const struct enroll_sealed *s, struct secret_document *doc, struct err **err);
/* ".new", header, sealed file. When the header stays as it was, so does everything else. */
int enroll_sealed_write(const struct unlock_env *env, const struct enroll *e, struct enroll_sealed *s, struct err **err);
/* Removes the keyslot of the file that was replaced, as enroll_clean() would; the edit must be gone (luks_edit_free). */
int enroll_finish(const struct unlock_env *env, const struct config_volume *conf, const struct secret *passphrase,
		  const struct enroll_sealed *s, struct err **err);

/* What a sealed file says of its keyslot. */
struct sealed_slot {
	int number; /* -1: it names none */
	char mac[65];
};
#define SEALED_SLOT_NONE { .number = -1 }
/* `wipe --source=vtpm`: the keyslot that the sealed file names. ERR_TPM "sealed-absent", ERR_INTEGRITY. */
int enroll_sealed_slot(const struct unlock_env *env, const struct config_volume *v, struct sealed_slot *ret, struct err **err);
/* Was that keyslot made for a sealed secret of this volume? */
bool enroll_sealed_vouched(const struct enroll *e, const struct sealed_slot *s);
/* The sealed file, and what killed calls left beside it. */
int enroll_sealed_remove(const struct unlock_env *env, const struct config_volume *v, struct err **err);

#endif
