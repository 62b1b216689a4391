/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* TDX quote v4 and v5 (tee-evidence.md 3.3). Pure; pointers point into the caller's bytes. */
#ifndef CRYPTATTEST_EVIDENCE_TDX_QUOTE_H
#define CRYPTATTEST_EVIDENCE_TDX_QUOTE_H

#include <stdbool.h>

#include "evidence/evidence.h"

struct tdx_body {
	uint8_t tee_tcb_svn[16], mrseam[48], mrsignerseam[48];
	uint64_t seam_attributes, td_attributes, xfam;
	uint8_t mrtd[48], mrconfigid[48], mrowner[48], mrownerconfig[48], rtmr[4][48], report_data[64];
	bool has_15; /* TD 1.5 body */
	uint8_t tee_tcb_svn2[16], mrservicetd[48];
};

#define TDX_ATTR_DEBUG (UINT64_C(1) << 0)
/* The group "TD under debug": any bit of it (debug, profiling of the TD by the host) makes the TD untrusted. */
#define TDX_ATTR_TUD UINT64_C(0xff)
#define TDX_ATTR_SEPT_VE_DISABLE (UINT64_C(1) << 28)
#define TDX_ATTR_MIGRATABLE (UINT64_C(1) << 29)
/* Bits whose meaning is known: the group above, ICSSD 16, LASS 27, SEPT_VE_DISABLE, MIGRATABLE, PKS 30, KL 31, TPA 62,
 * PERFMON 63. */
#define TDX_ATTR_KNOWN (TDX_ATTR_TUD | UINT64_C(1) << 16 | UINT64_C(0x1f) << 27 | UINT64_C(3) << 62)
/* Processor state that a TD may be given: tee-evidence.md 4.2 step 6, and APX (19). */
#define TDX_XFAM_KNOWN UINT64_C(0xedbe7)

struct qe_report {
	uint8_t cpusvn[16];
	uint32_t miscselect;
	uint8_t attributes[16], mrenclave[32], mrsigner[32];
	uint16_t isvprodid, isvsvn;
	uint8_t report_data[64];
};

struct tdx_quote {
	uint16_t version, att_key_type;
	uint32_t tee_type;
	uint8_t qe_vendor_id[16], user_data[20];
	uint16_t body_type; /* v5; 2 in v4 */
	struct tdx_body body;
	const uint8_t *signed_bytes; /* header + body */
	size_t signed_len;
	uint8_t signature[64], att_key[64]; /* r||s and x||y, big-endian */
	const uint8_t *qe_report_raw;	     /* 384 bytes */
	struct qe_report qe;
	uint8_t qe_signature[64];
	const uint8_t *qe_auth;
	size_t qe_auth_len;
	const char *pck_pem; /* not NUL-terminated */
	size_t pck_pem_len;
	size_t total_len; /* bytes used; padding may follow */
};

/* ERR_INTEGRITY, ids "tdx-version", "tdx-truncated", "tdx-structure". Needs at least 1020 bytes. */
int tdx_quote_decode(const uint8_t *raw, size_t len, struct tdx_quote *ret, struct err **err);

#endif
