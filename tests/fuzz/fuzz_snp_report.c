/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What decodes encodes to the same bytes, and survives both JSON forms. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "evidence/snp_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct evidence ev = { .tee = TEE_SNP, .report = (uint8_t *)data, .report_len = size };
	_cleanup_err_ struct err *e = NULL;
	uint8_t again[SNP_REPORT_SIZE];
	struct snp_report r;

	if (snp_report_decode(data, size, &r, &e) < 0) {
		if (err_class(e) != ERR_INTEGRITY || !err_id(e)[0])
			abort();
		return 0;
	}
	snp_report_encode(&r, again);
	if (size != SNP_REPORT_SIZE || memcmp(again, data, size) != 0 || evidence_self_check(&ev, r.report_data, NULL) < 0)
		abort();
	return 0;
}
