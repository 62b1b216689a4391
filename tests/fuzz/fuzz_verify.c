/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The whole appraisal, with the root of a test PKI trusted whose keys exist no more: whatever verifies is, in its signed
 * bytes, one of the files of the corpus. Every other input is refused with a reason, and both make a JSON verdict.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "crypto/digest.h"
#include "evidence/trustee_json.h"
#include "tests/fuzz/verify_roots.h"
#include "verify/verify.h"

static const struct trust_anchors *anchors(void)
{
	static struct trust_anchors *ta;

	if (!ta && (trust_anchors_new(&ta, NULL) < 0 ||
		    trust_anchors_add_test_root(ta, fuzz_roots, strlen(fuzz_roots), NULL) < 0))
		abort();
	return ta;
}

static void must_be_known(const struct verdict *v, const struct evidence *ev)
{
	const void *bytes = ev->tee == TEE_SNP ? ev->report : v->tdx.signed_bytes;
	size_t len = ev->tee == TEE_SNP ? SNP_SIGNED_SIZE : v->tdx.signed_len;
	uint8_t digest[DIGEST_MAX];
	char hex[65];

	if (digest_bytes(DIGEST_SHA256, bytes, len, digest, NULL) < 0)
		abort();
	hex_encode(digest, 32, hex);
	for (size_t i = 0; i < ARRAY_SIZE(fuzz_known); i++)
		if (strcmp(hex, fuzz_known[i]) == 0)
			return;
	abort();
}

static void judge(const struct evidence *ev)
{
	const struct verify_input in = { .evidence = ev, .anchors = anchors(), .at = INT64_C(1767225600) };
	_cleanup_free_ char *json = NULL;
	struct verdict v;

	if (verify_evidence(&in, &v, NULL) < 0 || verdict_json(&v, ev, &json, NULL) < 0)
		abort();
	if (v.verified != !v.reason_id[0] || v.verified != !v.reason[0])
		abort();
	if (v.verified)
		must_be_known(&v, ev);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct evidence ev;

	if (evidence_load(data, size, &ev, NULL) < 0)
		return 0;
	judge(&ev);
	evidence_clear(&ev);
	return 0;
}
