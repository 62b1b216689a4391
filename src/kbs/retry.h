/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Which URL is tried next, and when: rotation, back-off, Retry-After, the paced handshakes after AttestationError, one more
 * chance after an identity failure (contracts.md 4). Pure: time comes in as an argument. kbs/ only.
 */
#ifndef CRYPTATTEST_KBS_RETRY_H
#define CRYPTATTEST_KBS_RETRY_H

#include "kbs/classify.h"
#include "kbs/session.h"

#define RETRY_URLS_MAX 16

struct retry {
	const struct kbs_intervals *intervals;
	struct deadline deadline;
	size_t n_urls, cur; /* cur = the URL to try */
	struct {
		uint64_t not_before_ns; /* Retry-After */
		bool wrong_identity;
	} url[RETRY_URLS_MAX];
	size_t tried; /* of this round: the pause comes after every URL had its turn */
	struct backoff backoff;
	unsigned int refusals;
	bool once_used; /* the one extra handshake of this fetch */
	bool identity_seen;
	size_t identity_left; /* attempts that remain after the first identity failure */
	struct err *worst;    /* gravest failure so far, the newest of its class */
	struct err *last;     /* the newest failure, when it is not the gravest */
};

void retry_init(struct retry *r, size_t n_urls, const struct kbs_intervals *intervals, struct deadline deadline);
void retry_free(struct retry *r);
/* After a failed attempt at r->cur; takes *e over (sets it to NULL). True: wait *ret_wait_ms, then try r->cur. False: no further
 * try, *e is the session's result. */
bool retry_note(struct retry *r, const struct kbs_verdict *v, uint64_t retry_after_ms, uint64_t now_ns, struct err **e,
		uint64_t *ret_wait_ms);
/* Counts for the result at the deadline, and changes nothing else. Takes *e over. */
void retry_remember(struct retry *r, uint64_t now_ns, struct err **e);
/* The newest failure, for the user; NULL before the first. */
const struct err *retry_last(const struct retry *r);
/* The network has become another: what could not be reached before is tried at once, and pauses begin short again. */
void retry_new_network(struct retry *r);
/* A new fetch: it may use its own extra handshake. */
void retry_begin(struct retry *r);
/* An attestation was accepted: refusals before it count no more. */
void retry_attested(struct retry *r);
/* A secret was obtained: all is forgotten but the URL that works. */
void retry_succeeded(struct retry *r);
/* The deadline has passed: the session's result. */
int retry_deadline(struct retry *r, struct err **err);

#endif
