/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The evidence objects Trustee takes (kbs-protocol.md 5.1, 5.2), both directions. SNP: the union of forms A and B,
 * form A's values where they differ; cert_chain null when there is no certificate (never []).
 */
#ifndef CRYPTATTEST_EVIDENCE_TRUSTEE_JSON_H
#define CRYPTATTEST_EVIDENCE_TRUSTEE_JSON_H

#include <jansson.h>

#include "evidence/evidence.h"

/* Compact text; caller frees. The event log is attached only when it replays to the quote's RTMRs. */
int evidence_to_trustee_json(const struct evidence *ev, char **ret, struct err **err);
/* SNP: rebuilds 1184 bytes with zero reserved fields and a certificate table; duplicate members that contradict each
 * other (form A against form B) are ERR_INTEGRITY. TDX: decodes quote and event log. */
int evidence_from_trustee_json(enum tee_kind tee, const char *text, size_t len, struct evidence *ret, struct err **err);
/* The same of an object that json_parse() or json_parse_bytes() gave. */
int evidence_from_trustee_object(enum tee_kind tee, const json_t *obj, struct evidence *ret, struct err **err);
/* Decoded fields for people and `--json`: byte fields in hex. Caller owns the object. */
int evidence_claims(const struct evidence *ev, json_t **ret, struct err **err);
/* Accepts a raw report, a raw quote or a Trustee object (also wrapped as {"attestation_report":...}); sets tee itself. */
int evidence_load(const uint8_t *data, size_t len, struct evidence *ret, struct err **err);

#endif
