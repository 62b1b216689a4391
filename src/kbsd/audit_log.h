/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What an administrator reads after "it did not boot": one line per decision on standard error (the journal), with the
 * exact cause that the client is never told. A policy refusal is followed by the rule that would accept the evidence,
 * without any prefix, to be pasted into the policy. Session ids are cut to eight digits: the rest is a password. Every refusal
 * has its line; those of one address beyond some a second are told in short, without what follows the line.
 */
#ifndef CRYPTATTEST_KBSD_AUDIT_LOG_H
#define CRYPTATTEST_KBSD_AUDIT_LOG_H

#include "kbsd/sessions.h"
#include "verify/policy.h"

struct audit_who {
	const char *address;	       /* of the client, without port */
	const struct session *session; /* NULL: none yet */
};

/* "refused attest: 192.0.2.7 session 3f2b9c01: snp-signature: ..." */
void audit_refused(const struct audit_who *who, const char *step, const char *id, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void audit_refused_err(const struct audit_who *who, const char *step, const struct err *why);
/* Verification failed: reason, what is missing and where it could be had. */
void audit_refused_verdict(const struct audit_who *who, const struct verdict *v);
/* Policy said no: every candidate rule with both values, then the rule to paste. */
void audit_refused_policy(const struct audit_who *who, const char *resource, const struct policy_decision *d);
void audit_attested(const struct audit_who *who);
void audit_released(const struct audit_who *who, const char *resource, const struct policy_decision *d);

#endif
