/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The sealed file: what parses prints, and parses to the same again. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "vtpm/blob.h"

static void print_and_parse(const struct sealed_blob *b)
{
	_cleanup_free_ char *text = NULL, *again = NULL;
	struct sealed_blob c;

	if (sealed_blob_text(b, &text, NULL) < 0 || sealed_blob_parse(text, strlen(text), &c, NULL) < 0 ||
	    sealed_blob_text(&c, &again, NULL) < 0 || strcmp(text, again) != 0)
		abort();
	sealed_blob_clear(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_err_ struct err *e = NULL;
	struct sealed_blob b;

	if (sealed_blob_parse((const char *)data, size, &b, &e) < 0) {
		if (err_class(e) != ERR_INTEGRITY)
			abort();
		return 0;
	}
	print_and_parse(&b);
	sealed_blob_clear(&b);
	return 0;
}
