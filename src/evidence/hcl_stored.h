/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * An HCL report of a TDX machine together with a quote over its TDREPORT, as one object: {"hcl_report","td_quote"}, both base64url with or
 * without padding. That is the evidence of an az-tdx-vtpm attester; its other members are not looked at. Pure.
 */
#ifndef CRYPTATTEST_EVIDENCE_HCL_STORED_H
#define CRYPTATTEST_EVIDENCE_HCL_STORED_H

#include "evidence/hcl_report.h"

#define HCL_STORED_MAX (512 * 1024)

struct hcl_stored {
	uint8_t *hcl, *quote;
	size_t hcl_len, quote_len;
	struct hcl_report report; /* points into hcl */
};

/* Looks like a JSON object, rather than a certificate. */
bool hcl_stored_is(const uint8_t *data, size_t len);
/* ERR_INTEGRITY: the ids of hcl_report_decode(), "hcl-stored". That quote and report belong together is for the verifier of the quote
 * to see, which must have the report's report data. */
int hcl_stored_load(const uint8_t *data, size_t len, struct hcl_stored *ret, struct err **err);
void hcl_stored_clear(struct hcl_stored *s);
#define _cleanup_hcl_stored_ __attribute__((cleanup(hcl_stored_clear)))

#endif
