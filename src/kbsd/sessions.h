/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The table of sessions, in memory only (kbs-protocol.md 2.1, 6). A session begins at /auth, certifies at most one key at
 * /attest and ends by its age, which no request extends. The table is bounded twice: one address may hold only so many
 * sessions that are not attested (its own oldest gives way), and the whole table only so many (the oldest that is not
 * attested gives way, else the oldest). What attested sessions keep of their clients' making is bounded as well (the oldest
 * gives way: an honest one is done within moments). An id is HMAC(table key, nonce), so that a token, which names the nonce, leads to
 * its session while the nonce tells nobody the cookie.
 */
#ifndef CRYPTATTEST_KBSD_SESSIONS_H
#define CRYPTATTEST_KBSD_SESSIONS_H

#include "evidence/evidence.h"
#include "kbsd/peers.h"
#include "verify/verify.h"
#include "wire/init_data.h"
#include "wire/kbs_messages.h"

#define SESSION_ID_LEN 32   /* hexadecimal digits */
#define SESSION_NONCE_LEN 44 /* base64 of 32 bytes */

/* What verified evidence left behind; the verdict points into evidence. */
struct attested {
	struct jwk jwk;
	struct verdict verdict;
	struct evidence evidence;
	struct init_data init_data;
	bool has_init_data;
	char *token;
	uint8_t body_digest[32]; /* of the /attest body, to know a repeated one */
};

struct session {
	char id[SESSION_ID_LEN + 1], nonce[SESSION_NONCE_LEN + 1];
	enum tee_kind tee;
	enum kbs_protocol protocol;
	uint64_t expires_ns;  /* monotonic */
	int64_t expires_wall; /* for the cookie */
	unsigned int failures; /* refused /attest bodies */
	struct attested *attested; /* NULL: nonce given out, nothing certified */
	size_t kept; /* bytes of it that the client chose */
	struct peer *peer;
	struct session *next; /* same bucket */
	TAILQ_ENTRY(session) by_age, by_peer;
};

struct sessions;

struct sessions_limits {
	unsigned int total, per_peer;
	uint64_t ttl_ms;
};

/* The moment of a request: pure functions are given the time. */
struct moment {
	uint64_t mono_ns;
	int64_t wall;
};

int sessions_new(struct peers *peers, const struct sessions_limits *limits, struct sessions **ret, struct err **err);
void sessions_free(struct sessions *t);
int sessions_create(struct sessions *t, struct peer *peer, enum tee_kind tee, enum kbs_protocol protocol,
		    struct moment now, struct session **ret, struct err **err);
/* By the cookie's text of any origin; NULL: no such session, or its time is over. */
struct session *sessions_find(struct sessions *t, const char *id, size_t len, struct moment now);
struct session *sessions_find_by_nonce(struct sessions *t, const char *nonce, struct moment now);
/* Takes a (also when it is refused for being the second). May drop older attested sessions, never s. */
int session_attest(struct sessions *t, struct session *s, struct attested *a, struct err **err);
void sessions_drop(struct sessions *t, struct session *s);
void sessions_expire(struct sessions *t, struct moment now);
size_t sessions_count(const struct sessions *t);
void attested_free(struct attested *a); /* takes NULL */

#endif
