/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Keyslots that systemd-cryptenroll or clevis sealed to this machine's TPM, as a source of passphrases: which of the header's tokens, and
 * the PIN. The tokens are the host's.
 */
#ifndef CRYPTATTEST_KEYSRC_FOREIGN_H
#define CRYPTATTEST_KEYSRC_FOREIGN_H

#include "vtpm/foreign.h"

/* More tokens than this are not looked at: each may cost the TPM half a second. */
#define FOREIGN_TOKENS_MAX 8

struct foreign_request {
	struct vtpm *vtpm;	/* trusted (vtpm_trust) */
	const json_t *tokens;	/* the member of the audited header */
	const enum foreign_kind *kind; /* only these; NULL = both */
	int keyslot;		/* only of this one; -1 = any */
	/* What a token's policy must be at least; with `claimed` it is as the token says, and these give bank and signatures alone. */
	const struct vtpm_rules *rules;
	bool claimed;
	bool look; /* only whether it could be unsealed now; the answer has no passphrase, no PIN is asked for */
	int (*ask_pin)(void *ctx, const struct tpm_lockout *lockout, struct secret **ret, struct err **err);
	void *ctx;
};

struct foreign_answer {
	enum foreign_kind kind;
	struct secret *passphrase;
	int keyslot; /* which it opens */
};
void foreign_answer_clear(struct foreign_answer *a);
#define _cleanup_foreign_answer_ __attribute__((cleanup(foreign_answer_clear)))

/* Is there a token of such a type at all, usable or not? */
bool keysrc_has_foreign(const json_t *tokens, enum foreign_kind *ret);

/*
 * In the order of the header, the first that can be unsealed; the error is that of the first that cannot, with its number and type, or
 * ERR_TPM "foreign-absent" when there is none. A PIN is asked for once the policy fits, then no other token is tried any more: PIN_TRIES
 * times, never the one that would lock the TPM. Errors of foreign_load(), foreign_open() and ask_pin.
 */
int keysrc_foreign(const struct foreign_request *r, struct foreign_answer *ret, struct err **err);

#endif
