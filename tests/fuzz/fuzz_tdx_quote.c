/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Every pointer of a decoded quote lies inside the input, and the length it needs is enough for it. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "evidence/tdx_quote.h"

static int inside(const void *p, size_t n, const uint8_t *data, size_t size)
{
	const uint8_t *b = p;

	return b >= data && n <= size && b + n <= data + size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_err_ struct err *e = NULL;
	struct tdx_quote q, again;

	if (tdx_quote_decode(data, size, &q, &e) < 0) {
		if (err_class(e) != ERR_INTEGRITY || !err_id(e)[0])
			abort();
		return 0;
	}
	if (!inside(q.signed_bytes, q.signed_len, data, size) || !inside(q.qe_report_raw, 384, data, size) ||
	    !inside(q.qe_auth, q.qe_auth_len, data, size) || !inside(q.pck_pem, q.pck_pem_len, data, size) || q.total_len > size ||
	    tdx_quote_decode(data, q.total_len, &again, NULL) < 0)
		abort();
	return 0;
}
