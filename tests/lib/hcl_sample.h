/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Makes HCL reports as Azure's paravisor does (tee-evidence.md 2.5), around keys of our own and a report of the test PKI. */
#ifndef CRYPTATTEST_TESTS_HCL_SAMPLE_H
#define CRYPTATTEST_TESTS_HCL_SAMPLE_H

#include "base/buf.h"
#include "crypto/keypair.h"
#include "evidence/hcl_report.h"
#include "tests/lib/testpki.h"

struct hcl_sample {
	uint32_t version; /* 0: 1 */
	const struct public_key *ak, *ek; /* RSA; NULL: left out */
	const uint8_t *user_data;	  /* 64 bytes; NULL: left out */
	const char *configuration;	  /* JSON object; NULL: left out */
};

/* The claims as compact JSON. */
int hcl_sample_claims(const struct hcl_sample *s, struct buf *out, struct err **err);
/* Puts the hash of the claims into the report data of an unsigned hardware report. */
void hcl_sample_bind(enum tee_kind tee, uint8_t hardware[static SNP_REPORT_SIZE], const void *claims, size_t len);
/* Header, hardware area, data header, claims. */
void hcl_sample_wrap(uint32_t version, enum tee_kind tee, const uint8_t hardware[static SNP_REPORT_SIZE], const void *claims,
		     size_t len, struct buf *out);
/* All of it, around an SNP report that the PKI signs; r comes from testpki_snp_template() and may have been changed. */
int hcl_sample_snp(const struct testpki *pki, const struct hcl_sample *s, struct snp_report *r, struct buf *out, struct err **err);
/* A TDREPORT as far as we read it. */
void hcl_sample_tdreport(uint8_t out[static SNP_REPORT_SIZE]);

#endif
