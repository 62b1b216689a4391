/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* GHCB certificate table (tee-evidence.md 2.4): host input, a convenience, never an anchor. Pure. */
#ifndef CRYPTATTEST_EVIDENCE_CERT_TABLE_H
#define CRYPTATTEST_EVIDENCE_CERT_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum cert_kind { CERT_ARK, CERT_ASK, CERT_VCEK, CERT_VLEK, CERT_CRL, CERT_OTHER };

struct cert_entry {
	enum cert_kind kind;
	uint8_t guid[16]; /* printed order */
	const uint8_t *der; /* points into the table */
	size_t der_len;
};

#define CERT_TABLE_ENTRIES_MAX 32

/* An empty or all-zero table has no entries. ERR_INTEGRITY on overlap, overflow, missing terminator. */
int cert_table_decode(const uint8_t *raw, size_t len, struct cert_entry out[static CERT_TABLE_ENTRIES_MAX],
		      size_t *ret_n, struct err **err);
int cert_table_encode(const struct cert_entry *entries, size_t n, struct buf *out, struct err **err);
const char *cert_kind_name(enum cert_kind k); /* "VCEK" ... */

#endif
