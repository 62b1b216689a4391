/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * `enroll --from`: taking over what systemd-cryptenroll or clevis enrolled. What the token claims is taken as it is, since a person asked
 * for it; the TPM has to be the trusted one nevertheless, and the PCRs those of the sealing. Nothing is written.
 */
#ifndef CRYPTATTEST_UNLOCK_ENROLL_FROM_H
#define CRYPTATTEST_UNLOCK_ENROLL_FROM_H

#include "keysrc/foreign.h"
#include "luks/header.h"
#include "unlock/machine_tpm.h"
#include "unlock/unlock.h"

struct enroll_from {
	enum foreign_kind kind;
	struct luks_header h; /* audited, tokens allowed whatever the configuration says */
	unsigned int others;  /* further tokens of that kind */
};
#define ENROLL_FROM_INIT { .h = LUKS_HEADER_INIT }
void enroll_from_clear(struct enroll_from *f);
#define _cleanup_enroll_from_ __attribute__((cleanup(enroll_from_clear)))

/* Device, audit. ERR_TPM "foreign-absent" when there is no token of that kind. */
int enroll_from_open(const struct unlock_env *env, const struct config_volume *conf, enum foreign_kind kind, struct enroll_from *ret,
		     struct err **err);
/* The first token that parses, else why the first one does not. Clear *ret. */
int enroll_from_token(const struct enroll_from *f, struct foreign_token *ret, struct err **err);
/* The passphrase of the first keyslot that can be unsealed; a PIN is asked for on the terminal. Errors of machine_tpm_trust() and
 * keysrc_foreign(). */
int enroll_from_unseal(const struct unlock_env *env, const struct enroll_from *f, struct foreign_answer *ret, struct err **err);

#endif
