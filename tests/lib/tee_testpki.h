/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * A TEE for tests without a kernel: evidence signed in-process by the test PKI. Used by cryptattest-test (its TEE table)
 * and, for the signing alone, by the emulators of tests/emul. Never linked into anything that is installed.
 *
 * The providers read, below the platform's root directory at each request:
 *
 *   tee/kind      "snp" or "tdx": which provider is present; no file: none
 *   tee/pki-dir   the test PKI (testpki.h)
 *   tee/set       optional; one FIELD=VALUE per line (testpki_fields.h): measurement, host-data, policy, vmpl, mrtd, ...
 *   tee/fault     optional; one per line:
 *                   errno NAME [N]   the kernel's answer instead of evidence (EBUSY, EIO, ENOTTY, ETIMEDOUT ...), for N requests
 *                   hang MS          the request takes so long, in a process of its own as with the real transports
 *                   empty            the host's answer has no bytes
 *                   wrong-data       report data of somebody else
 *                   flip OFFSET      one bit wrong in the evidence after it was signed
 *                   no-certs         SNP without a certificate table
 *   tee/svsm-manifest  optional; SNP: there is an SVSM, whose services have these bytes as their manifest
 *   sys/firmware/acpi/tables/data/CCEL   TDX: the event log
 */
#ifndef CRYPTATTEST_TESTS_TEE_TESTPKI_H
#define CRYPTATTEST_TESTS_TEE_TESTPKI_H

#include "tee/tee.h"
#include "tests/lib/testpki.h"

/* NULL-terminated: "test-snp", "test-tdx". */
extern const struct tee_provider *const tee_testpki_providers[];

struct tee_testpki {
	const struct testpki *pki;
	enum tee_kind kind;
	char *const *sets; /* NULL-terminated FIELD=VALUE; NULL: the template as it is */
	int vmpl;	   /* >= 0: SNP only, before sets */
	bool no_certs;
	size_t flip; /* offset + 1 of a byte to damage after signing; 0: none */
};

/* Evidence for these 64 bytes; SNP with the certificate table of the key that signed. ERR_CONFIG, ERR_INTERNAL. */
int tee_testpki_sign(const struct tee_testpki *t, const uint8_t data[static TEE_REPORT_DATA], struct evidence *ret,
		     struct err **err);
/* errno by its name ("EIO"); 0 if there is none. */
int tee_testpki_errno(const char *name);

#endif
