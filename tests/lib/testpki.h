/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * A test PKI that mimics AMD's and Intel's: roots, chains, report signing keys (tee-evidence.md 8.4). Never installed. Used
 * by unit tests, by cryptattest-test's TEE table, and by the guest emulators. Test roots are trusted only by a server or
 * verifier that was told so by an explicit option.
 */
#ifndef CRYPTATTEST_TESTS_TESTPKI_H
#define CRYPTATTEST_TESTS_TESTPKI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "evidence/snp_report.h"
#include "evidence/tdx_quote.h"

struct testpki;

/* Creates (or loads, when dir holds one) all keys and certificates: ark ask asvk vcek vlek intel-root pck-ca pck, each .pem
 * and .key, and att.key; roots.pem = both roots. Generation fixed: Milan TCB bootloader 4 tee 0 snp 24 microcode 219, a
 * fixed chip id. Creation takes a second or two and is atomic, so programs that run at once may name the same directory.
 * dir NULL: $TOP_BUILDDIR/tests/pki, which make check keeps. ERR_CONFIG (unreadable), ERR_INTERNAL. */
int testpki_open(const char *dir, struct testpki **ret, struct err **err);
void testpki_free(struct testpki *pki);
#define _cleanup_testpki_ __attribute__((cleanup(testpki_freep)))
void testpki_freep(struct testpki **pki);
/* PEM of both roots: what a verifier is told to trust. Valid while pki lives. */
const char *testpki_roots(const struct testpki *pki);

/* --- SNP --- */

/* A v3 Milan report template with safe policy and the PKI's chip id and TCB; the caller changes fields, then signs. */
void testpki_snp_template(const struct testpki *pki, struct snp_report *ret);
/* Signs with VCEK (or VLEK when key_info says so): fills sig_r, sig_s and encodes. */
int testpki_snp_sign(const struct testpki *pki, struct snp_report *r, uint8_t out[static SNP_REPORT_SIZE], struct err **err);
/* GHCB table with VCEK (or VLEK) + ASK/ASVK + ARK. */
int testpki_snp_certs(const struct testpki *pki, bool vlek, struct buf *out, struct err **err);
/* The same for a VCEK under an ARK and an ASK with RSA keys of these sizes, and that ARK, which a verifier is to be told of. */
int testpki_amd_chain(const struct testpki *pki, int ark_bits, int ask_bits, struct buf *ret_table, struct buf *ret_root, struct err **err);

/* Another certificate for the VCEK or VLEK key, right or wrong in one point each. */
struct testpki_vek {
	bool vlek;
	const char *cn, *product, *csp_id; /* NULL: no such extension */
	uint8_t bootloader, tee, snp, microcode;
	const uint8_t *hwid; /* NULL: no such extension */
	size_t hwid_len;
	bool hwid_octet_string; /* DER OCTET STRING instead of the raw bytes */
	bool fmc; /* with the FMC extension (value 0), as on Turin */
	bool repeat_snp; /* the SNP level twice */
	bool weak_key; /* a P-256 key of its own */
	bool wrong_issuer; /* signed by ASVK instead of ASK, or the other way round */
	bool salt_32; /* PSS salt of another length */
	int64_t not_before, not_after;
};
void testpki_vek_template(const struct testpki *pki, bool vlek, struct testpki_vek *ret);
int testpki_vek_issue(const struct testpki *pki, const struct testpki_vek *spec, struct buf *ret_der, struct err **err);
/* One of "ark", "ask", "asvk", "vcek", "vlek", "intel-root", "pck-ca", "pck". */
int testpki_der(const struct testpki *pki, const char *name, struct buf *out, struct err **err);

/* --- TDX --- */

struct testpki_tdx {
	unsigned int version; /* 4 or 5; in 5 body.has_15 selects the body type */
	struct tdx_body body;
	bool foreign_qe; /* QE report with another MRSIGNER, all signatures valid (C3) */
	bool debug_qe;
	bool foreign_product; /* another ISVPRODID of Intel's signer */
	bool old_qe; /* a security version of the quoting enclave that Intel has given up */
	bool foreign_vendor; /* another QE vendor id */
	bool unbound_key; /* QE report data does not cover the attestation key */
	bool unbound_tail; /* nor is what follows the digest in it zero */
	bool bad_point; /* attestation key off the curve, bound all the same */
	bool no_root; /* PEM chain of two */
};
void testpki_tdx_template(const struct testpki *pki, struct testpki_tdx *ret);
int testpki_tdx_sign(const struct testpki *pki, const struct testpki_tdx *t, struct buf *out, struct err **err);

#endif
