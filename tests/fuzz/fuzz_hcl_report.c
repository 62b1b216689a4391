/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Once as it is, once with the hash of its claims put right, so that the claims are reached. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "crypto/digest.h"
#include "evidence/hcl_report.h"
#include "wire/json.h"

#define OFF_DATA 0x4C0
#define OFF_CLAIMS 0x4D4

static void decode(const uint8_t *data, size_t size)
{
	_cleanup_json_ json_t *claims = NULL;
	struct hcl_report r;

	if (hcl_report_decode(data, size, &r, NULL) < 0)
		return;
	if (!r.ak.rsa || r.ak.n_len < 256 || (r.has_ek && !r.ek.rsa) || r.hardware != data + 0x20 ||
	    r.claims != (const char *)data + OFF_CLAIMS || r.claims_len > size - OFF_CLAIMS)
		abort();
	/* An SNP report inside need not decode. */
	if (hcl_report_claims(&r, &claims, NULL) == 0 && !json_is_object(claims))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd rd = RD_INIT(data, size);
	_cleanup_free_ uint8_t *copy = NULL;
	uint8_t digest[DIGEST_MAX];
	uint32_t type, len;
	size_t at;

	decode(data, size);
	if (size <= OFF_CLAIMS)
		return 0;
	rd_seek(&rd, OFF_DATA + 8);
	type = rd_u32le(&rd);
	rd_skip(&rd, 4);
	len = rd_u32le(&rd);
	if (len > size - OFF_CLAIMS || digest_bytes(DIGEST_SHA256, data + OFF_CLAIMS, len, digest, NULL) < 0)
		return 0;
	copy = malloc(size);
	if (!copy)
		return 0;
	memcpy(copy, data, size);
	at = 0x20 + (type == 4 ? 128 : 0x50);
	memset(copy + at, 0, TEE_REPORT_DATA);
	memcpy(copy + at, digest, 32);
	decode(copy, size);
	return 0;
}
