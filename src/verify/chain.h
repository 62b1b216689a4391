/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Leaf <- one intermediate <- pinned root, with the vendor's names, keys and signature algorithms. Private to verify/. */
#ifndef CRYPTATTEST_VERIFY_CHAIN_H
#define CRYPTATTEST_VERIFY_CHAIN_H

#include "verify/certs.h"

struct chain_request {
	enum tee_kind tee; /* SNP: RSA-4096 with RSASSA-PSS (SHA-384, salt 48); TDX: P-256 with SHA-256 */
	X509 *leaf;
	const char *intermediate; /* common names; those of the leaf are the caller's to check */
	const char *root;
	const struct cert_pool *pool; /* candidates; roots among them count only when pinned */
	const struct trust_anchors *anchors;
	int64_t at;
};

/* ERR_REFUSED, ids "chain-root" (not pinned), "chain-algorithm", "chain-signature", "chain-expired", "chain-not-yet-valid",
 * "chain" (any other fault that OpenSSL names). Both names must have a candidate, else "chain-missing". */
int chain_verify(const struct chain_request *rq, bool *ret_test_root, struct err **err);

#endif
