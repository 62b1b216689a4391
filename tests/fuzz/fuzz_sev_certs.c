/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The host's certificate buffer, as /dev/sev-guest hands it over: cut to what it uses, then decoded. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "evidence/cert_table.h"
#include "tee/sev_guest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t whole[CERT_TABLE_MAX];
	struct cert_entry a[CERT_TABLE_ENTRIES_MAX], b[CERT_TABLE_ENTRIES_MAX];
	size_t used, n = 0, m = 0;
	uint8_t *cut;

	memset(whole, 0, sizeof(whole));
	memcpy(whole, data, size < sizeof(whole) ? size : sizeof(whole));
	used = sev_guest_table_len(whole);
	if (used > sizeof(whole))
		abort();
	cut = malloc(used + 1);
	if (!cut)
		abort();
	memcpy(cut, whole, used);
	/* Cutting must not change what the table says. */
	if (cert_table_decode(whole, sizeof(whole), a, &n, NULL) == 0 &&
	    (cert_table_decode(cut, used, b, &m, NULL) < 0 || n != m))
		abort();
	for (size_t i = 0; i < m; i++)
		if (a[i].der_len != b[i].der_len || memcmp(a[i].der, b[i].der, b[i].der_len) != 0)
			abort();
	free(cut);
	return 0;
}
