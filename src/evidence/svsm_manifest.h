/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What an SVSM says of its services (tee-evidence.md 2.6): one service's manifest, or a table of all of them by GUID. The manifest of
 * the vTPM service is the public area of its endorsement key. The SNP report that comes with it is made by the SVSM itself, so
 * at VMPL 0, and its report data is SHA-512(nonce || manifest). Pure.
 */
#ifndef CRYPTATTEST_EVIDENCE_SVSM_MANIFEST_H
#define CRYPTATTEST_EVIDENCE_SVSM_MANIFEST_H

#include <stdbool.h>

#include "crypto/keypair.h"
#include "evidence/evidence.h"

#define SVSM_GUID_VTPM "c476f1eb-0123-45a5-9641-b4e7dde5bfe3" /* as configfs-tsm wants it */
#define SVSM_MANIFEST_MAX (32 * 1024)
#define SVSM_SERVICES_MAX 64

/* The report data that a report over this manifest must have. */
int svsm_manifest_report_data(const uint8_t nonce[static TEE_REPORT_DATA], const uint8_t *manifest, size_t len,
			      uint8_t out[static TEE_REPORT_DATA], struct err **err);

/* Is it the table (of the null GUID) rather than one service's own manifest? */
bool svsm_manifest_is_table(const uint8_t *raw, size_t len);
/* One service's manifest out of the table; *ret points into it. ERR_INTEGRITY "svsm-manifest" (table), "svsm-service" (the SVSM has
 * no such service). guid is in text form. */
int svsm_manifest_find(const uint8_t *raw, size_t len, const char *guid, const uint8_t **ret, size_t *ret_len, struct err **err);

/* TPM 2.0 Part 2, 8.3: attributes of an object. */
#define TPM_ATTR_FIXED_TPM UINT32_C(0x00000002)
#define TPM_ATTR_FIXED_PARENT UINT32_C(0x00000010)
#define TPM_ATTR_SENSITIVE_ORIGIN UINT32_C(0x00000020)
#define TPM_ATTR_RESTRICTED UINT32_C(0x00010000)
#define TPM_ATTR_DECRYPT UINT32_C(0x00020000)
#define TPM_ATTR_SIGN UINT32_C(0x00040000)

struct svsm_ek {
	struct public_key key;
	uint32_t attributes;
	uint8_t name[34]; /* 000b and SHA-256 of the public area */
};
/* The vTPM service's manifest, or the table with it inside: a TPMT_PUBLIC of a restricted RSA decryption key that its TPM made and does
 * not give away. ERR_INTEGRITY "svsm-manifest", "svsm-service", "svsm-ek" (not such a key). */
int svsm_manifest_ek(const uint8_t *raw, size_t len, struct svsm_ek *ret, struct err **err);

#endif
