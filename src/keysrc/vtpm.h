/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The secret that is sealed to this machine's TPM, as a source of passphrases. The engine gives the rules of the measured configuration
 * and the text of the sidecar file, which is the host's; what comes back says how it was proved to be ours (C4).
 */
#ifndef CRYPTATTEST_KEYSRC_VTPM_H
#define CRYPTATTEST_KEYSRC_VTPM_H

#include "keysrc/pin.h"
#include "vtpm/vtpm.h"

struct sealed_request {
	struct vtpm *vtpm; /* trusted (vtpm_trust) */
	const struct vtpm_rules *rules;
	const char *text; /* of the sidecar file */
	size_t text_len;
	const char *name, *uuid; /* of the volume that it must be for; uuid in lower case */
	bool need_origin;	 /* no vk_id in the measured configuration (C4) */
	bool offline;		 /* counts against the budget */
	/* Asks for the PIN; called only when the rules have one and the TPM is not locked out. */
	int (*ask_pin)(void *ctx, const struct tpm_lockout *lockout, struct secret **ret, struct err **err);
	void *ctx;
};

struct sealed_answer {
	struct sealed_payload payload;
	enum sealed_origin origin;
	int keyslot; /* the file's hint, -1 = none */
};

/*
 * Those of vtpm_unseal() and sealed_blob_parse(), and: ERR_INTEGRITY "sealed-volume" (a file of another volume), ERR_TPM "sealed-pin"
 * (the file and the configuration do not agree on a PIN), "tpm-lockout" before a PIN is asked for, and what ask_pin returns. A wrong PIN
 * is asked for again, PIN_TRIES times in all and never the one that would lock the TPM.
 */
int keysrc_sealed(const struct sealed_request *r, struct sealed_answer *ret, struct err **err);
void sealed_answer_clear(struct sealed_answer *a);

#endif
