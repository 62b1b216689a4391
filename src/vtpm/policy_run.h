/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A policy in a session of the TPM. */
#ifndef CRYPTATTEST_VTPM_POLICY_RUN_H
#define CRYPTATTEST_VTPM_POLICY_RUN_H

#include "vtpm/policy.h"
#include "vtpm/tpm_impl.h"

/*
 * Runs all parts in a policy session (or a trial session, for tests). ERR_TPM "pcr-changed": the PCRs are not those of p any more: read
 * them again; "policy-signature": the TPM does not accept the signature; "policy-version": the signed policy is older than the version
 * counter allows; "offline-budget".
 */
int policy_run(struct tpm *t, ESYS_TR session, const struct policy *p, struct err **err);
/* For tests and diagnosis: what the session's digest is. */
int policy_session_digest(struct tpm *t, ESYS_TR session, uint8_t out[static POLICY_DIGEST], struct err **err);

#endif
