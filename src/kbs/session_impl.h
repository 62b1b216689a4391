/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What session.c and handshake.c share. kbs/ only. */
#ifndef CRYPTATTEST_KBS_SESSION_IMPL_H
#define CRYPTATTEST_KBS_SESSION_IMPL_H

#include "kbs/agent_key.h"
#include "kbs/classify.h"
#include "kbs/retry.h"

struct kbs_session {
	struct kbs_params p;
	const struct kbs_intervals *intervals;
	struct retry retry;
	enum kbs_protocol protocol[RETRY_URLS_MAX]; /* what each server speaks, as far as known */
	struct agent_key key;
	struct jwk jwk;		 /* public half of the key of this attempt */
	unsigned int generation; /* of the transport's configuration when we last set it */
	bool attested;
	char *token;
	char peer[64];
};

/* An attempt's failure: with the verdict the session knows what to do next; an error alone (verdict->action ACT_FINAL) is the
 * result. */
struct kbs_failure {
	struct kbs_verdict verdict;
	uint64_t retry_after_ms;
};

static inline void kbs_phase(const struct kbs_session *s, const char *phase, bool start, bool ok, const char *id)
{
	if (s->p.events.phase)
		s->p.events.phase(s->p.events.ctx, phase, start, ok, id);
}

/* One request at the current URL, classified. 0: *ret holds the reply that the step wants. -1: *f says what it means. */
int kbs_ask(struct kbs_session *s, enum kbs_step step, const char *path, const char *body, struct transport_reply *ret,
	    struct kbs_failure *f, struct err **err);
/* auth, evidence, attest at the current URL, with the version it wants. */
int kbs_handshake(struct kbs_session *s, struct kbs_failure *f, struct err **err);
void kbs_forget_token(struct kbs_session *s);

#endif
