/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The TPM structures of a sealed file, which the host can write: public area and creation data. What is accepted is what we make. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "vtpm/origin.h"
#include "vtpm/seal.h"

static void try_public(const struct sealed_bytes *b, bool pin)
{
	_cleanup_err_ struct err *e = NULL;
	TPM2B_PUBLIC pub;

	if (seal_check_public(b, pin, &pub, &e) < 0) {
		if (err_class(e) != ERR_INTEGRITY && err_class(e) != ERR_TPM)
			abort();
		return;
	}
	if (pub.publicArea.authPolicy.size != POLICY_DIGEST || !(pub.publicArea.objectAttributes & TPMA_OBJECT_FIXEDTPM) ||
	    (pub.publicArea.objectAttributes & TPMA_OBJECT_USERWITHAUTH))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct pcr_values values = { .bank = PCR_SHA256, .mask = (1u << PCR_COUNT) - 1 };
	const struct tpm_name primary = { .len = 34, .bytes = { 0, 11 } };
	struct sealed_bytes b = { .len = size < SEALED_PART_MAX ? size : SEALED_PART_MAX };
	_cleanup_err_ struct err *e = NULL;

	setenv("TSS2_LOG", "all+none", 0); /* the library says each fault on stderr */
	b.data = malloc(b.len ? b.len : 1); /* an exact copy: the sanitizer sees an over-read of the library */
	if (!b.data)
		abort();
	memcpy(b.data, data, b.len);
	try_public(&b, false);
	try_public(&b, true);
	if (origin_check_data(&b, &values, 1u << 7 | 1u << 15, &primary, &e) < 0 && err_class(e) != ERR_TPM)
		abort();
	free(b.data);
	return 0;
}
