/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Release policy (contracts.md 7, architecture.md 5, C13): default deny; sections for the same resource are
 * alternatives; built-in defaults that a rule must override by name. May include what verify/ may; pure. Callers: kbsd,
 * verify_options.
 *
 * Where the contracts are silent, this is how it is:
 * - A rule pins what runs: measurement or id-key-digest (the owner signed the measurement) for snp, mrtd for tdx.
 * - All-zero values are what a machine has that was launched without them: they bind to nothing, and pinning what is never
 *   zero on a real machine (measurement, mrtd, key digests, report-id, chip-id) to zero is an error.
 * - min-tcb is compared with REPORTED_TCB, which the signing certificate vouches for; every component must be named.
 * - `bind = init-data`: some value of `[data]` is the resource's name or kbs:///NAME, whole.
 * - A resource is a test resource when all sections that match it say `test = yes`; where some do and some do not, nobody
 *   gets it.
 * - `X-` keys and sections are skipped, as in the configuration.
 */
#ifndef CRYPTATTEST_VERIFY_POLICY_H
#define CRYPTATTEST_VERIFY_POLICY_H

#include "base/buf.h"
#include "verify/verify.h"
#include "wire/init_data.h"

struct policy;

/* ERR_CONFIG with file:line and the nearest key name. */
int policy_parse(const char *file, const char *text, size_t len, struct policy **ret, struct err **err);
void policy_free(struct policy *p);
size_t policy_rules(const struct policy *p);
/* The name in the i-th section, in file order, possibly with `*`; NULL past the last. */
const char *policy_pattern(const struct policy *p, size_t i);

/* Does any section count for this resource? */
bool policy_has_section(const struct policy *p, const char *resource);

struct policy_request {
	const char *resource;	     /* "default/web-042/root" */
	const struct verdict *verdict; /* must be verified */
	const struct init_data *init_data; /* as sent and matching the report; NULL */
	bool test_server; /* the anchors hold a test root */
};

struct policy_decision {
	bool allow;
	char rule[128];	  /* "FILE:LINE" of the section that allowed */
	char covers[64];
	/* When denied: one line per section and key: what was found, what is wanted; then a rule to paste. */
	struct buf explanation;
};

/* 0 when it was decided; ERR_NOMEM. *ret holds nothing to free before; policy_decision_clear() it after. */
int policy_evaluate(const struct policy *p, const struct policy_request *rq, struct policy_decision *ret, struct err **err);
void policy_decision_clear(struct policy_decision *d);
/* A rule that would accept this evidence, with `covers = FILL-IN`. Signatures are the verdict's business: a refused verdict
 * still gives a rule (the caller says so), one whose evidence did not decode is ERR_REFUSED. */
int policy_from_evidence(const char *resource, const struct verdict *v, struct buf *out, struct err **err);

#endif
