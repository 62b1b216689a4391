/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The attestation token of a session: an EAR JWT signed with ES256 (kbs-protocol.md 6). Its ear.status is always "none":
 * the hardware was verified, what runs on it is judged only when a resource is asked for, by the policy, and a token must
 * not claim more than was looked at.
 */
#ifndef CRYPTATTEST_KBSD_TOKEN_H
#define CRYPTATTEST_KBSD_TOKEN_H

#include "kbsd/sessions.h"

/* For evidence that was verified; fills a->token. */
int token_make(const struct keypair *signer, const struct session *s, struct attested *a, struct moment now,
	       struct err **err);
/* A Bearer token leads to the session it was made for, while that lives. ERR_REFUSED, ids "token-signature",
 * "token-expired", "token-session", "token-key". */
int token_session(const struct keypair *signer, struct sessions *t, const char *jwt, struct moment now,
		  struct session **ret, struct err **err);

#endif
