/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "wire/init_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_err_ struct err *e = NULL;
	struct init_data d;

	if (init_data_parse((const char *)data, size, &d, &e) < 0) {
		if (err_class(e) != ERR_INTEGRITY)
			abort();
		return 0;
	}
	if (strv_len(d.keys) != strv_len(d.values))
		abort();
	for (size_t i = 0; d.keys && d.keys[i]; i++)
		if (init_data_get(&d, d.keys[i]) != d.values[i])
			abort();
	if (!init_data_matches(&d, d.digest, digest_size(d.alg)))
		abort();
	init_data_clear(&d);
	return 0;
}
