/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The report that Azure's paravisor keeps in NV index 0x01400001 of its vTPM (tee-evidence.md 2.5): a header, the hardware report
 * (SNP report, or TDREPORT) and claims as JSON, which name the vTPM's keys. The hash of the claims stands in the report data of
 * the hardware report. Pure.
 *
 * A report whose claims are not the ones that its hardware report was made for does not decode. That the hardware report itself
 * is genuine is verify's to say: for SNP by its signature; a TDREPORT only carries a MAC for the machine that made it, and
 * needs a quote with the same report data.
 */
#ifndef CRYPTATTEST_EVIDENCE_HCL_REPORT_H
#define CRYPTATTEST_EVIDENCE_HCL_REPORT_H

#include <jansson.h>
#include <stdbool.h>

#include "crypto/keypair.h"
#include "evidence/evidence.h"

#define HCL_REPORT_MAX (16 * 1024)
#define HCL_CLAIMS_MAX (12 * 1024)
#define HCL_KEYS_MAX 16
#define TDX_REPORT_SIZE 1024

/* What a paravisor leaves out of its claims is not known, which is not "no". */
enum hcl_fact { HCL_NOT_SAID, HCL_NO, HCL_YES };

struct hcl_report {
	uint32_t version; /* 1 or 2 */
	enum tee_kind tee;
	const uint8_t *hardware; /* into the caller's bytes */
	size_t hardware_len;	 /* SNP_REPORT_SIZE or TDX_REPORT_SIZE */
	uint8_t report_data[TEE_REPORT_DATA];
	const char *claims; /* JSON as stored, not NUL-terminated */
	size_t claims_len;
	/* from the claims */
	struct public_key ak; /* HCLAkPub: always RSA */
	bool has_ek;
	struct public_key ek; /* HCLEkPub */
	enum hcl_fact secure_boot, tpm_enabled, tpm_persisted, console_enabled;
	char vm_id[40]; /* vmUniqueId, printable; "" */
	bool has_user_data;
	uint8_t user_data[TEE_REPORT_DATA]; /* what the guest wrote to NV 0x01400002, zero padded */
	/* TDX: of the TDREPORT */
	const uint8_t *mrtd, *rtmr[4]; /* 48 bytes each */
	uint64_t td_attributes;
};

/* Is it one, by its first bytes? */
bool hcl_report_is(const uint8_t *raw, size_t len);
/* Bytes past the sizes in the headers are the rest of the NV index and ignored. ERR_INTEGRITY: "hcl-structure" (sizes, types),
 * "hcl-version", "hcl-status" (the paravisor says that it failed), "hcl-binding" (claims of another report), "hcl-claims" (JSON,
 * keys). */
int hcl_report_decode(const uint8_t *raw, size_t len, struct hcl_report *ret, struct err **err);
/* Decoded fields for people and `--json`, with those of an SNP report inside ("hardware"). Caller owns the object. */
int hcl_report_claims(const struct hcl_report *r, json_t **ret, struct err **err);

#endif
