/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Length and replay agree, with the padding and without it. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "evidence/event_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t whole[4][48], cut[4][48];
	size_t used;

	if (event_log_length(data, size, &used, NULL) < 0) {
		if (event_log_replay(data, size, whole, NULL) == 0)
			abort();
		return 0;
	}
	if (used > size)
		abort();
	if (event_log_replay(data, size, whole, NULL) == 0 &&
	    (event_log_replay(data, used, cut, NULL) < 0 || memcmp(whole, cut, sizeof(whole)) != 0))
		abort();
	return 0;
}
