/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What is read, if it decodes and can be written, reads back as the same report and certificates. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "evidence/trustee_json.h"

static void same(const struct evidence *a, const struct evidence *b)
{
	if (a->report_len != b->report_len || memcmp(a->report, b->report, a->report_len) != 0)
		abort();
	if (b->aux && (b->aux_len > a->aux_len || memcmp(a->aux, b->aux, b->aux_len) != 0))
		abort();
}

static void one(enum tee_kind tee, const char *text, size_t len)
{
	_cleanup_free_ char *again = NULL;
	_cleanup_err_ struct err *e = NULL;
	struct evidence ev, back;

	if (evidence_from_trustee_json(tee, text, len, &ev, &e) < 0) {
		if (err_class(e) != ERR_INTEGRITY || !err_id(e)[0])
			abort();
		return;
	}
	if (evidence_to_trustee_json(&ev, &again, NULL) == 0) {
		if (evidence_from_trustee_json(tee, again, strlen(again), &back, NULL) < 0)
			abort();
		same(&ev, &back);
		evidence_clear(&back);
	}
	evidence_clear(&ev);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	one(TEE_SNP, (const char *)data, size);
	one(TEE_TDX, (const char *)data, size);
	return 0;
}
