/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The SNP half of trustee_json.h: forms A and B of an attestation report (kbs-protocol.md 5.1). Private to evidence/. */
#ifndef CRYPTATTEST_EVIDENCE_TRUSTEE_SNP_H
#define CRYPTATTEST_EVIDENCE_TRUSTEE_SNP_H

#include <jansson.h>

#include "base/buf.h"
#include "evidence/evidence.h"

/* Appends the union object of both forms. raw must have passed snp_report_decode(). ERR_INTEGRITY when a 64-bit
 * field has bit 63 set, which a JSON integer cannot carry to every reader. */
int trustee_snp_write(const uint8_t raw[static SNP_REPORT_SIZE], struct buf *out, struct err **err);
/* Form A when a member of its own is there, else form B; whatever else is there must agree. ERR_INTEGRITY. */
int trustee_snp_read(const json_t *obj, uint8_t out[static SNP_REPORT_SIZE], struct err **err);
/* "cert_chain": table to array (null without a VCEK or VLEK) and back (NULL for null, absent or empty). */
int trustee_certs_write(const uint8_t *table, size_t len, struct buf *out, struct err **err);
int trustee_certs_read(const json_t *chain, uint8_t **ret, size_t *ret_len, struct err **err);
/* An array of exactly n numbers 0..255, or what json_parse_bytes() made of it. */
int trustee_bytes_read(const json_t *v, const char *name, uint8_t *out, size_t n, struct err **err);
size_t trustee_bytes_count(const json_t *v); /* 0 when it is no array */
void trustee_bytes_write(const uint8_t *p, size_t n, struct buf *out);

#endif
