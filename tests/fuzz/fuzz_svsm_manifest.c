/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What is found lies inside; a key that decodes is one that can be used. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "evidence/svsm_manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *p;
	struct svsm_ek ek;
	size_t n;

	if (svsm_manifest_find(data, size, "a4453a59-9e1b-4787-a033-1986d6adbe55", &p, &n, NULL) == 0 &&
	    (p < data || n > size || p + n > data + size))
		abort();
	if (svsm_manifest_ek(data, size, &ek, NULL) == 0 && (ek.key.n_len < 256 || ek.key.n_len > 512 || !ek.key.e_len))
		abort();
	return 0;
}
