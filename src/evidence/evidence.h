/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Evidence as bytes. evidence/ is pure codecs: no I/O. May include base/, crypto/ and wire/json.h.
 */
#ifndef CRYPTATTEST_EVIDENCE_EVIDENCE_H
#define CRYPTATTEST_EVIDENCE_EVIDENCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum tee_kind { TEE_NONE, TEE_SNP, TEE_TDX };

#define TEE_REPORT_DATA 64
#define SNP_REPORT_SIZE 1184
#define SNP_SIGNED_SIZE 0x2A0
#define TDX_QUOTE_MAX (128 * 1024)
#define CERT_TABLE_MAX 0x4000
#define EVENT_LOG_MAX (1024 * 1024)

struct evidence {
	enum tee_kind tee;
	uint8_t *report; /* SNP report (1184) or TD quote as the hardware path returned it */
	size_t report_len;
	uint8_t *aux; /* SNP: GHCB certificate table; TDX: CCEL event log, cut; NULL if none */
	size_t aux_len;
};

const char *tee_kind_name(enum tee_kind k); /* "snp", "tdx", "none" */
enum tee_kind tee_kind_by_name(const char *s);
void evidence_clear(struct evidence *ev);
/* The 64 bytes of report data inside. ERR_INTEGRITY when the report does not decode. */
int evidence_report_data(const struct evidence *ev, uint8_t out[static TEE_REPORT_DATA], struct err **err);
/* Self-check before sending: decode, re-encode, compare with raw; report data == expected (tee-evidence.md 3.2, 5). */
int evidence_self_check(const struct evidence *ev, const uint8_t expected[static TEE_REPORT_DATA], struct err **err);

#endif
