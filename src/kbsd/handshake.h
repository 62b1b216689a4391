/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The three requests of the protocol, as functions from bytes and state to a reply (kbs-protocol.md 2). No sockets, no
 * files, no clock: server.c brings those. Every reply is made here, so here is also decided what a client may learn: the
 * status, one of the documented type names and a fixed text. The cause goes to the audit log.
 *
 * A session certifies one key. /attest on a session that is attested already is answered with the token it was given when
 * the body is the same byte for byte (a reply was lost), and refused otherwise: neither is a new key taken over without a
 * new nonce, nor is a token returned for a key that was never looked at.
 */
#ifndef CRYPTATTEST_KBSD_HANDSHAKE_H
#define CRYPTATTEST_KBSD_HANDSHAKE_H

#include "kbsd/assets.h"
#include "kbsd/cookie.h"
#include "kbsd/sessions.h"

#define ATTEST_FAILURES_MAX 5 /* refused bodies of one session; the next one needs a new nonce */

struct handshake {
	struct sessions *sessions;
	const struct assets *assets;
	bool protocol[KBS_0_4_0 + 1]; /* spoken here */
};

struct caller {
	const char *address; /* for the log */
	struct peer *peer;
	const char *cookie; /* header values as received; NULL: none */
	const char *authorization;
	struct moment now;
};

struct reply {
	unsigned int status;
	char *body;	  /* JSON; NULL: empty */
	char cookie[COOKIE_TEXT]; /* Set-Cookie; "": none */
};

/* Always fill *ret; a reply without memory is an empty 500. */
void handshake_auth(struct handshake *h, const struct caller *c, const char *body, size_t len, struct reply *ret);
void handshake_attest(struct handshake *h, const struct caller *c, const char *body, size_t len, struct reply *ret);
/* path: what follows "/kbs/v0/resource/", undecoded, with its query if it had one. */
void handshake_resource(struct handshake *h, const struct caller *c, const char *path, struct reply *ret);
/* One of the fixed refusals of kbs-protocol.md 2.4. */
void reply_error(struct reply *ret, unsigned int status, const char *name, const char *detail);
void reply_clear(struct reply *r);

#endif
