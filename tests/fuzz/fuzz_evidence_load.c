/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Any file: what loads has claims or a reason why not. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "evidence/trustee_json.h"
#include "wire/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_err_ struct err *e = NULL, *why = NULL;
	_cleanup_json_ json_t *claims = NULL;
	uint8_t report_data[TEE_REPORT_DATA];
	struct evidence ev;

	if (evidence_load(data, size, &ev, &e) < 0) {
		if (err_class(e) != ERR_INTEGRITY || !err_id(e)[0])
			abort();
		return 0;
	}
	if (ev.tee == TEE_NONE || !ev.report)
		abort();
	if (evidence_claims(&ev, &claims, &why) < 0) {
		if (err_class(why) != ERR_INTEGRITY || evidence_report_data(&ev, report_data, NULL) == 0)
			abort();
	} else if (evidence_report_data(&ev, report_data, NULL) < 0) {
		abort();
	}
	evidence_clear(&ev);
	return 0;
}
