/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Appraisal of evidence: signatures, chains to pinned roots, identities, TCB consistency. Pure over bytes and a
 * given time. May include evidence/, crypto/, wire/json.h, and OpenSSL's X.509. Callers: kbsd, cli (evidence --verify).
 * tee-evidence.md 4.1 and 4.2, architecture.md C3, contracts.md 8.
 */
#ifndef CRYPTATTEST_VERIFY_VERIFY_H
#define CRYPTATTEST_VERIFY_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "evidence/evidence.h"
#include "evidence/snp_report.h"
#include "evidence/tdx_quote.h"

struct trust_anchors; /* built-in root pins plus test roots */

int trust_anchors_new(struct trust_anchors **ret, struct err **err);
/* PEM or DER, one or several self-signed certificates; every verdict that rests on one says root "test:<CN>". A TDX
 * test root also replaces nothing else: QE identity constants stay Intel's. */
int trust_anchors_add_test_root(struct trust_anchors *ta, const void *data, size_t len, struct err **err);
bool trust_anchors_have_test(const struct trust_anchors *ta);
void trust_anchors_free(struct trust_anchors *ta);

struct verify_input {
	const struct evidence *evidence;
	const struct trust_anchors *anchors;
	const void *vek; /* DER or PEM leaf given by option; NULL */
	size_t vek_len;
	const void *ca; /* DER or PEM bundle, any order: chain only */
	size_t ca_len;
	const char *vek_file, *ca_file; /* where they are from, for messages; NULL: it is not known */
	const char *store_dir; /* offline store in Trustee's naming (.../vcek/<hwid>/..._vcek.der); NULL */
	const uint8_t *report_data; /* 64 bytes, or NULL: not compared */
	int64_t at;		    /* seconds since 1970 for certificate dates */
};

enum snp_signer { SIGNER_NONE, SIGNER_VCEK, SIGNER_VLEK, SIGNER_PCK };

struct verdict {
	bool verified;
	enum tee_kind tee;
	char reason_id[40];   /* "snp-signature", "chain-root", ... "" when verified */
	char reason[512];     /* both values where two were compared */
	char root[64];	      /* "ARK-Milan", "Intel SGX Root CA", "test:..." */
	enum snp_signer signer;
	bool test_root;
	char tcb[96];	      /* SNP: "milan bootloader:4 tee:0 snp:24 microcode:219"; TDX: "unverified" */
	char missing[4][160]; /* what could not be checked for want of data, or files to fetch */
	size_t missing_n;
	char kds_url[320];    /* of what is missing; "" */
	char csp_id[80];      /* VLEK */
	struct snp_report snp;
	struct tdx_quote tdx; /* points into the evidence bytes */
};

/* 0 whenever a verdict was reached (verified or refused); an error only for unusable inputs (ERR_CONFIG) or
 * INTERNAL. Certificates come from the evidence, then vek/ca, then store_dir. */
int verify_evidence(const struct verify_input *in, struct verdict *ret, struct err **err);
/* contracts.md 8; caller frees the text. */
int verdict_json(const struct verdict *v, const struct evidence *ev, char **ret, struct err **err);

#endif
