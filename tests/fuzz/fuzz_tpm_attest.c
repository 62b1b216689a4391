/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A TPM's certificate of its storage key, against the nonce of the corpus and against none. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "vtpm/binding.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char nonce[] = "0123456789abcdef0123456789abcdef";
	struct binding_attest a;
	struct tpm_name q;

	for (size_t n = 0; n <= 32; n += 32) {
		if (binding_attest_parse(data, size, (const uint8_t *)nonce, n, &a, NULL) < 0)
			continue;
		if (a.name.len > TPM_NAME_MAX || a.qualified_name.len > TPM_NAME_MAX || (n && !memmem(data, size, nonce, n)))
			abort();
		if (binding_qualified_name(&a.name, &q, NULL) == 0 && q.len != a.name.len)
			abort();
	}
	return 0;
}
