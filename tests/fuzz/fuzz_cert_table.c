/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Entries lie inside the table and apart from each other; encoded again they decode to the same. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "evidence/cert_table.h"
#include "evidence/evidence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_buf_ struct buf table = BUF_INIT(CERT_TABLE_MAX);
	struct cert_entry e[CERT_TABLE_ENTRIES_MAX], again[CERT_TABLE_ENTRIES_MAX];
	size_t n, m;

	if (cert_table_decode(data, size, e, &n, NULL) < 0)
		return 0;
	if (cert_table_encode(e, n, &table, NULL) < 0 || cert_table_decode(table.data, table.len, again, &m, NULL) < 0 || m != n)
		abort();
	for (size_t i = 0; i < n; i++)
		if (e[i].der < data || e[i].der_len > size || e[i].der + e[i].der_len > data + size || e[i].kind != again[i].kind ||
		    e[i].der_len != again[i].der_len || memcmp(e[i].der, again[i].der, e[i].der_len) != 0)
			abort();
	return 0;
}
