/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Inside of the header audit (luks-untrusted-host.md 5): the list of findings, and the checks by part of the header. Only
 * src/luks and its tests and fuzz targets include this.
 *
 * A check never stops the audit: it adds a finding and goes on, so that `check` can print everything at once. Whitelist
 * semantics: an unknown member, type or value is a finding. Nothing here does I/O.
 */
#ifndef CRYPTATTEST_LUKS_AUDIT_H
#define CRYPTATTEST_LUKS_AUDIT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "luks/header.h"

#define HDR_SIZE UINT64_C(16384)		     /* H3: the one size that cryptsetup makes by default */
#define HDR_BIN_SIZE 4096			     /* binary part of a copy; the JSON area follows */
#define HDR_BOTH (2 * HDR_SIZE)			     /* both copies */
#define DATA_OFFSET_MAX (UINT64_C(16) * 1024 * 1024) /* H3 */
#define KEYSLOTS_MAX 8				     /* H8 */
#define FINDINGS_MAX 64				     /* a hostile header must not fill our memory */

struct audit {
	const struct luks_policy *policy;
	struct luks_findings *out;
	char base[64]; /* path prefix of the object being checked */
	bool nomem;
};

void audit_init(struct audit *a, const struct luks_policy *policy, struct luks_findings *out);
/* Sets the path prefix, for example "keyslots.1.kdf"; host-chosen parts are sanitised. */
void audit_base(struct audit *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* member: NULL or "" means the base itself. found: NULL means absent. */
void audit_fail(struct audit *a, const char *id, const char *member, const json_t *found, const char *allowed);
void audit_fail_text(struct audit *a, const char *id, const char *member, const char *found, const char *allowed);
/* A thing that profile compat takes: no finding there; in strict a finding that says so (C9). */
void audit_fail_strict(struct audit *a, const char *id, const char *member, const json_t *found, const char *allowed);
/* 0 when there is no finding, else the first one as ERR_INTEGRITY (or ERR_NOMEM). */
int audit_result(const struct audit *a, struct err **err);

/* Typed members. Each adds a finding and returns false (NULL) when the member is not as asked; absence is reported by
 * audit_members() alone, so every object goes through that first. */
bool audit_object(struct audit *a, const char *id, const char *member, const json_t *v);
/* obj has all of required, and nothing outside required and optional (both NULL-terminated; optional may be NULL). */
bool audit_members(struct audit *a, const char *id, const json_t *obj, const char *const *required,
		   const char *const *optional);
const char *audit_str_in(struct audit *a, const char *id, const json_t *obj, const char *member,
			 const char *const *allowed);
bool audit_int(struct audit *a, const char *id, const json_t *obj, const char *member, uint64_t min, uint64_t max,
	       uint64_t *ret);
/* LUKS2 writes 64-bit numbers as decimal strings: canonical digits only. */
bool audit_u64_text(struct audit *a, const char *id, const json_t *obj, const char *member, uint64_t *ret);
/* Padded base64 of exactly len bytes. */
bool audit_base64(struct audit *a, const char *id, const json_t *obj, const char *member, size_t len);
/* Length of a base64 member, or 0 when it is none. */
size_t json_base64_len(const json_t *obj, const char *member);
/* "0".."31", as LUKS2 names keyslots and digests. */
bool audit_name_is_number(const char *name);
/* As JSON writes numbers of 64 bits: false unless v is a string of canonical decimal digits. */
bool json_u64_text(const json_t *v, uint64_t *ret);
/* The one member of an object that has exactly one; NULL otherwise. */
const json_t *json_only_member(const json_t *obj, const char **ret_name);

/* hdr_binary.c: H1, H2, H3, H12 and the duplicate test of H4 over the first HDR_BOTH bytes of the device. Fills hdr_size,
 * data_offset, uuid, label, json of *ret (memfd untouched). False when nothing further can be checked. */
bool header_parse(struct audit *a, const uint8_t *area, size_t len, struct luks_header *ret);
/* audit_*.c: H5-H11 over the JSON. data_offset as implied by H3. */
void audit_json(struct audit *a, const json_t *json, uint64_t data_offset);
void audit_segments(struct audit *a, const json_t *root, uint64_t data_offset); /* H6 */
void audit_keyslots(struct audit *a, const json_t *root, uint64_t data_offset); /* H7, H8 */
void audit_kdf(struct audit *a, const char *slot, const json_t *kdf);		/* H9 */
void audit_digests(struct audit *a, const json_t *root);			/* H10 */

/* The segment says "hmac(sha256)". */
bool header_has_integrity(const json_t *root);

struct crypt_device;
/* crypt_load of the sealed copy, dump compared with the raw JSON (H4), H13. With *ret_cd the context is the caller's
 * (crypt_free). Findings go to a; other failures are ERR_INTERNAL. */
int audit_library(struct audit *a, const struct luks_header *h, const struct luks_device *dev,
		  struct crypt_device **ret_cd, struct err **err);
/* Everything: audit_json, and audit_library when that found nothing. */
int audit_run(const struct luks_header *h, const struct luks_device *dev, const struct luks_policy *policy,
	      struct luks_findings *findings, struct crypt_device **ret_cd, struct err **err);
/* luks_inspect(), and the context that the audit looked through to who goes on with it; ret_cd may be NULL. */
int header_inspect(const struct luks_device *dev, const struct luks_policy *policy, struct luks_header *ret,
		   struct luks_findings *ret_findings, struct crypt_device **ret_cd, struct err **err);

#endif
