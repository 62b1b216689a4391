/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What a VCEK or VLEK certificate says of itself (tee-evidence.md 4.1 step 3), and whether that is the report's
 * processor at the report's TCB. Private to verify/. */
#ifndef CRYPTATTEST_VERIFY_VEK_H
#define CRYPTATTEST_VERIFY_VEK_H

#include "verify/certs.h"

struct vek {
	char subject[CERT_NAME_MAX], issuer[CERT_NAME_MAX];
	char product[32]; /* "Milan-B0" */
	uint8_t bootloader, tee, snp, microcode, fmc;
	bool has_fmc;
	uint8_t hwid[64];
	size_t hwid_len; /* 0: none; 8 on Turin */
	char csp_id[80]; /* VLEK */
};

/* ERR_REFUSED, id "vek-extension": missing, repeated or malformed; "vek-key": not on P-384. */
int vek_parse(const X509 *x, struct vek *ret, struct err **err);
/* Generation named by the issuer ("SEV-Milan", "SEV-VLEK-Milan"), SNP_GEN_UNKNOWN if none. */
enum snp_generation vek_generation(const struct vek *v);
/* ERR_REFUSED, id "vek-kind" (subject and issuer against KEY_INFO), "snp-generation" (product). */
int vek_check_identity(const struct vek *v, const struct snp_report *r, struct err **err);
/* Exact equality with REPORTED_TCB. ERR_REFUSED, id "vek-tcb", both values. */
int vek_check_tcb(const struct vek *v, const struct snp_report *r, struct err **err);
/* HWID against CHIP_ID. ERR_REFUSED, id "vek-chip-id". *ret_masked: CHIP_ID is zero, nothing could be compared. */
int vek_check_chip(const struct vek *v, const struct snp_report *r, bool *ret_masked, struct err **err);

#endif
