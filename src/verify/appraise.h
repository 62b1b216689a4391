/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* One function per TEE, for verify.c. Private to verify/. */
#ifndef CRYPTATTEST_VERIFY_APPRAISE_H
#define CRYPTATTEST_VERIFY_APPRAISE_H

#include "verify/certs.h"

/* 0 = everything holds. ERR_REFUSED and ERR_INTEGRITY are verdicts (verify.c turns them into one), all else is an error.
 * Facts found on the way are filled in in either case. */
int appraise_snp(const struct verify_input *in, struct verdict *v, struct err **err);
int appraise_tdx(const struct verify_input *in, struct verdict *v, struct err **err);

/* Appends to v->missing (printf style; the fifth and later are dropped). */
void verdict_missing(struct verdict *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Name of the root as the verdict states it. */
void verdict_root(struct verdict *v, const char *cn, bool test);
/* r and s big-endian, n bytes each: ECDSA over data with an EC public key. ERR_REFUSED with this id and text. */
int ecdsa_check(EVP_PKEY *key, const EVP_MD *md, const void *data, size_t len, const uint8_t *r, const uint8_t *s, int n,
		const char *id, const char *what, struct err **err);

#endif
