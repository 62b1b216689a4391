/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Release policy (contracts.md 7, architecture.md 5, C13): default deny; sections for the same resource are
 * alternatives; built-in defaults that a rule must override by name.
 */
#ifndef CRYPTATTEST_VERIFY_POLICY_H
#define CRYPTATTEST_VERIFY_POLICY_H

#include "base/buf.h"
#include "verify/verify.h"
#include "wire/init_data.h"

struct policy;

/* ERR_CONFIG with file:line and the nearest key name. test_server: anchors hold a test root. */
int policy_parse(const char *file, const char *text, size_t len, struct policy **ret, struct err **err);
void policy_free(struct policy *p);
size_t policy_rules(const struct policy *p);

struct policy_request {
	const char *resource;	     /* "default/web-042/root" */
	const struct verdict *verdict; /* must be verified */
	const struct init_data *init_data; /* as sent and matching the report; NULL */
	bool test_server;
};

struct policy_decision {
	bool allow;
	char rule[128];	  /* "FILE:LINE" of the section that allowed */
	char covers[64];
	/* When denied: one line per candidate section: what failed, both values, and the rule to paste. */
	struct buf explanation;
};

int policy_evaluate(const struct policy *p, const struct policy_request *rq, struct policy_decision *ret, struct err **err);
void policy_decision_clear(struct policy_decision *d);
/* A rule that would accept this evidence, with `covers = FILL-IN`. */
int policy_from_evidence(const char *resource, const struct verdict *v, struct buf *out, struct err **err);

#endif
