/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What parses prints canonically, and the canonical text parses to the same text again; both readers see the same. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/json_expand.h"

static void round_trip(const json_t *v)
{
	_cleanup_buf_ struct buf once = BUF_INIT(16 * 1024 * 1024), twice = BUF_INIT(16 * 1024 * 1024);
	_cleanup_json_ json_t *again = NULL;

	if (json_canonical(v, &once, NULL) < 0 ||
	    json_parse((const char *)once.data, once.len, once.len, false, &again, NULL) < 0 ||
	    json_canonical(again, &twice, NULL) < 0 || once.len != twice.len || memcmp(once.data, twice.data, once.len) != 0 ||
	    !json_equal((json_t *)v, again))
		abort();
}

static void two_readers(const char *text, size_t size, json_t *plain)
{
	_cleanup_json_ json_t *packed = NULL, *again = NULL;
	_cleanup_err_ struct err *e = NULL;

	if (json_parse_bytes(text, size, 65536, &packed, &e) < 0) {
		if (err_class(e) != ERR_INTEGRITY || (plain && !strstr(err_message(e), "control character")))
			abort();
		return;
	}
	/* Without their arrays of bytes deeper and longer texts pass the limits. */
	again = json_expand(packed);
	if (plain && !json_equal(plain, again))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_json_ json_t *v = NULL, *with_reals = NULL;
	_cleanup_err_ struct err *e = NULL;

	if (json_parse((const char *)data, size, 65536, false, &v, &e) == 0)
		round_trip(v);
	else if (err_class(e) != ERR_INTEGRITY)
		abort();
	two_readers((const char *)data, size, v);
	if (json_parse((const char *)data, size, 65536, true, &with_reals, NULL) < 0 && v)
		abort();
	return 0;
}
