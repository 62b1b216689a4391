/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What loads has both parts, and a report that decodes again. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "evidence/hcl_stored.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hcl_stored s = { 0 };
	struct hcl_report r;

	if (hcl_stored_load(data, size, &s, NULL) < 0)
		return 0;
	if (!hcl_stored_is(data, size) || !s.quote_len || hcl_report_decode(s.hcl, s.hcl_len, &r, NULL) < 0)
		abort();
	hcl_stored_clear(&s);
	return 0;
}
