/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The agent's ephemeral key of one session: made in a thread while link and handshake take their time, replaced once its
 * public half has been sent in an attempt that came to nothing (architecture.md 4 "agent key"). kbs/ only.
 */
#ifndef CRYPTATTEST_KBS_AGENT_KEY_H
#define CRYPTATTEST_KBS_AGENT_KEY_H

#include "base/clock.h"
#include "kbs/session.h"
#include "wire/jwk.h"

struct keygen;

struct agent_key {
	struct key_choice choice;
	struct keygen *gen;   /* an RSA key on its way, or NULL */
	struct keypair *pair; /* the key of this attempt, or NULL */
	bool sent;
};

/* Starts the thread when the choice is an RSA key. ERR_INTERNAL, ERR_NOMEM. */
int agent_key_start(struct agent_key *k, struct key_choice choice, struct err **err);
/* Makes k->pair the key of this attempt and describes it. rsa1_5: the protocol is 0.1.x, which takes nothing else. ERR_CONFIG
 * (0.1.x and an EC key), ERR_TIMEOUT (also id "cancelled"), ERR_INTERNAL, ERR_NOMEM. */
int agent_key_get(struct agent_key *k, bool rsa1_5, struct deadline d, struct jwk *ret, struct err **err);
/* The public half has left. */
void agent_key_mark_sent(struct agent_key *k);
/* An attempt is over: destroys a key that was sent, and starts the next one at once so that it is made during the pause. */
int agent_key_renew(struct agent_key *k, struct err **err);
void agent_key_clear(struct agent_key *k);

#endif
