/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "evidence/evidence.h"

#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "evidence/snp_report.h"
#include "evidence/tdx_quote.h"

const char *tee_kind_name(enum tee_kind k)
{
	switch (k) {
	case TEE_SNP:
		return "snp";
	case TEE_TDX:
		return "tdx";
	case TEE_NONE:
		break;
	}
	return "none";
}

enum tee_kind tee_kind_by_name(const char *s)
{
	if (s && strcmp(s, "snp") == 0)
		return TEE_SNP;
	if (s && strcmp(s, "tdx") == 0)
		return TEE_TDX;
	return TEE_NONE;
}

void evidence_clear(struct evidence *ev)
{
	free(ev->report);
	free(ev->aux);
	*ev = (struct evidence){ 0 };
}

int evidence_report_data(const struct evidence *ev, uint8_t out[static TEE_REPORT_DATA], struct err **err)
{
	struct snp_report snp;
	struct tdx_quote tdx;

	switch (ev->tee) {
	case TEE_SNP:
		if (snp_report_decode(ev->report, ev->report_len, &snp, err) < 0)
			return -1;
		memcpy(out, snp.report_data, TEE_REPORT_DATA);
		return 0;
	case TEE_TDX:
		if (tdx_quote_decode(ev->report, ev->report_len, &tdx, err) < 0)
			return -1;
		memcpy(out, tdx.body.report_data, TEE_REPORT_DATA);
		return 0;
	case TEE_NONE:
		break;
	}
	return err_set(err, ERR_INTEGRITY, "evidence-format", "evidence: neither SNP nor TDX");
}

/* A quote travels as bytes; only an SNP report is taken apart on the way and can lose something. */
static int check_lossless(const struct evidence *ev, struct err **err)
{
	struct snp_report r;
	uint8_t again[SNP_REPORT_SIZE];

	if (ev->tee != TEE_SNP)
		return 0;
	if (snp_report_decode(ev->report, ev->report_len, &r, err) < 0)
		return -1;
	snp_report_encode(&r, again);
	for (size_t i = 0; i < SNP_REPORT_SIZE; i++)
		if (again[i] != ev->report[i])
			return err_set(err, ERR_INTEGRITY, "evidence-lossy",
				       "SNP report: byte 0x%zx is 0x%02x, a verifier would rebuild 0x%02x", i, ev->report[i],
				       again[i]);
	return 0;
}

int evidence_self_check(const struct evidence *ev, const uint8_t expected[static TEE_REPORT_DATA], struct err **err)
{
	uint8_t got[TEE_REPORT_DATA];
	char got_hex[2 * TEE_REPORT_DATA + 1], want_hex[2 * TEE_REPORT_DATA + 1];

	if (evidence_report_data(ev, got, err) < 0 || check_lossless(ev, err) < 0)
		return -1;
	if (memcmp(got, expected, TEE_REPORT_DATA) == 0)
		return 0;
	hex_encode(got, sizeof(got), got_hex);
	hex_encode(expected, TEE_REPORT_DATA, want_hex);
	return err_set(err, ERR_INTEGRITY, "evidence-report-data", "evidence: report data %s, asked for %s", got_hex, want_hex);
}
