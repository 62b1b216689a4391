/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* tpm2-pcr-signature.json: what is accepted keeps its bounds, in every bank. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "vtpm/pcr_sig.h"

static void check(const struct pcr_sigs *s)
{
	if (s->n > PCR_SIG_ENTRIES_MAX)
		abort();
	for (size_t i = 0; i < s->n; i++)
		if (!s->entry[i].pcrs || s->entry[i].pcrs >> PCR_COUNT || !s->entry[i].sig_len || s->entry[i].sig_len > PCR_SIG_MAX ||
		    (!s->entry[i].has_version && s->entry[i].version))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int bank = 0; bank < PCR_BANKS; bank++) {
		_cleanup_err_ struct err *e = NULL;
		struct pcr_sigs s;

		if (pcr_sigs_parse((const char *)data, size, (enum pcr_bank)bank, &s, &e) < 0) {
			if (err_class(e) != ERR_INTEGRITY)
				abort();
			return 0;
		}
		check(&s);
		pcr_sigs_clear(&s);
	}
	return 0;
}
