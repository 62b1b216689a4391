/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Between the files of binding.h. */
#ifndef CRYPTATTEST_UNLOCK_BINDING_IMPL_H
#define CRYPTATTEST_UNLOCK_BINDING_IMPL_H

#include "evidence/evidence.h"
#include "unlock/binding.h"

/* binding_report.c: verified by the built-in roots (and the platform's, in tests), report data as wanted, and nothing about it that a
 * vTPM must not rest on. summary: root, TCB, measurement, for people. vek = serves SNP alone. */
int binding_appraise(const struct unlock_env *env, const struct evidence *ev, const uint8_t report_data[static TEE_REPORT_DATA],
		     char *summary, size_t cap, struct err **err);

/* binding_azure.c, binding_svsm.c */
int binding_azure(const struct unlock_env *env, struct tpm *t, struct deadline d, struct binding_result *ret, struct err **err);
int binding_svsm(const struct unlock_env *env, struct tpm *t, struct deadline d, struct binding_result *ret, struct err **err);
/* The TEE provider that knows of an SVSM below this kernel; NULL: there is none. */
const struct tee_provider *binding_svsm_provider(const struct unlock_env *env);

#endif
