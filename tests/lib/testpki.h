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

/* Creates (or loads, when dir holds one) all keys and certificates: ark.pem ask.pem asvk.pem vcek.pem vcek.key vlek.pem
 * vlek.key intel-root.pem pck-ca.pem pck.pem pck.key qe.key att.key; roots.pem = both roots. Generation fixed: Milan TCB
 * bootloader 4 tee 0 snp 24 microcode 219, a fixed chip id. RSA-4096 keys take seconds: keep the directory. */
int testpki_open(const char *dir, struct testpki **ret, struct err **err);
void testpki_free(struct testpki *pki);

/* A v3 Milan report template with safe policy and the PKI's chip id and TCB; the caller changes fields, then signs. */
void testpki_snp_template(const struct testpki *pki, struct snp_report *ret);
/* Signs with VCEK (or VLEK when key_info says so): fills sig_r, sig_s and encodes. */
int testpki_snp_sign(const struct testpki *pki, struct snp_report *r, uint8_t out[static SNP_REPORT_SIZE], struct err **err);
/* GHCB table with VCEK (or VLEK) + ASK/ASVK + ARK. */
int testpki_snp_certs(const struct testpki *pki, bool vlek, struct buf *out, struct err **err);

struct testpki_tdx {
	unsigned int version; /* 4 or 5 */
	struct tdx_body body;
	bool foreign_qe; /* QE report with another MRSIGNER, all signatures valid (C3) */
	bool debug_qe;
};
void testpki_tdx_template(const struct testpki *pki, struct testpki_tdx *ret);
int testpki_tdx_sign(const struct testpki *pki, const struct testpki_tdx *t, struct buf *out, struct err **err);

#endif
