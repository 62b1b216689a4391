/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* contracts.md 4 as one pure table: what a reply at a step means, and what the session does next. kbs/ only. */
#ifndef CRYPTATTEST_KBS_CLASSIFY_H
#define CRYPTATTEST_KBS_CLASSIFY_H

#include "base/err.h"
#include "http/transport.h"

enum kbs_step { STEP_AUTH, STEP_ATTEST, STEP_GET };

enum kbs_action {
	ACT_PROCEED,	    /* the reply that this step wants */
	ACT_FINAL,	    /* no further try */
	ACT_PACED,	    /* AttestationError: the paced handshakes on the same URL, then final */
	ACT_REPEAT_GET,	    /* PluginInternalError: the same GET again for a while, then final */
	ACT_HANDSHAKE_ONCE, /* one new handshake, then final */
	ACT_VERSION,	    /* speak the version that the server names */
	ACT_NEXT_URL,	    /* next URL, back-off, to the deadline */
	ACT_OTHER_SERVER,   /* identity: the remaining URLs once, then final */
};

struct kbs_verdict {
	enum kbs_action action;
	enum err_class cls; /* meaningless with ACT_PROCEED */
	const char *id;
	const char *hint; /* or NULL */
};

struct kbs_verdict kbs_classify(enum kbs_step step, const struct transport_reply *r);
/* The same verdict as an error object: "STEP: what the server or the wire said". Returns -1. */
int kbs_verdict_error(const struct kbs_verdict *v, enum kbs_step step, const struct transport_reply *r, struct err **err);

#endif
