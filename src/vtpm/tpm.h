/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * A TPM 2.0 that we can talk to: transport, ESYS context, lockout state, capabilities. ESYS over a transport of our own
 * (tcti_device.c); nothing is dlopened (tpm-sealing.md 2.3 as corrected by C15).
 *
 * vtpm/ includes base, crypto and wire (strict JSON); keysrc, unlock and cli call it, by vtpm/vtpm.h first of all. <tss2/...> stays
 * inside the folder (tpm_impl.h).
 *
 * Errors, unless a function says otherwise: ERR_TPM with the ids "tpm-absent" (no device, no driver), "tpm-io" (the transport broke or
 * vanished), "tpm-rc" (the TPM answered with an unexpected code, which is in the message), "tpm-lockout", "tpm-auth" (wrong PIN or
 * authorization), "tpm-session" (a response whose HMAC is not that of the TPM we trust: somebody is in between), "tpm-replaced" (the
 * blob belongs to another TPM or another primary seed), "tpm-failure" (failure mode), "tpm-busy" (still busy after bounded retries).
 */
#ifndef CRYPTATTEST_VTPM_TPM_H
#define CRYPTATTEST_VTPM_TPM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"

/* The seam below ESYS (contracts.md 9): /dev/tpmrm0 in production, swtpm in the test platform. */
struct tpm_access {
	const char *name; /* "/dev/tpmrm0", for messages */
	/* A TSS2_TCTI_CONTEXT *. ERR_TPM "tpm-absent" when there is no TPM to open. */
	int (*open)(const struct tpm_access *self, int root_fd, void **ret_tcti, struct err **err);
	void (*close)(void *tcti);
	/* Is there a TPM at all? Without side effects; appends one reason when not (why may be NULL). */
	bool (*present)(const struct tpm_access *self, int root_fd);
};
extern const struct tpm_access tpm_access_device; /* tcti_device.c */

struct tpm;

/* Opens and starts up (TPM2_Startup tolerated as already done). Waits for a TPM that answers "testing" or "retry" until d. */
int tpm_open(const struct tpm_access *access, int root_fd, struct deadline d, struct tpm **ret, struct err **err);
/* Flushes what we loaded, on every path. Takes NULL. */
void tpm_close(struct tpm *t);
void tpm_closep(struct tpm **t);
#define _cleanup_tpm_ __attribute__((cleanup(tpm_closep)))

/* The Name of an object or NV index: u16be algorithm, then the digest (TPM 2.0 Part 1, 16). */
#define TPM_NAME_MAX 66
struct tpm_name {
	size_t len; /* 0 = none */
	uint8_t bytes[TPM_NAME_MAX];
};
bool tpm_name_equal(const struct tpm_name *a, const struct tpm_name *b);
int tpm_name_parse(const char *hex, struct tpm_name *ret, struct err **err); /* ERR_CONFIG; SHA-256 and SHA-384 names */
void tpm_name_text(const struct tpm_name *n, char out[static 2 * TPM_NAME_MAX + 1]);

/* Dictionary-attack protection, as the TPM reports it (TPM2_PT_LOCKOUT_*, TPMA_PERMANENT). */
struct tpm_lockout {
	bool locked;
	uint32_t failed, max_tries, interval_s, recovery_s;
};
int tpm_lockout(struct tpm *t, struct tpm_lockout *ret, struct err **err);

struct tpm_info {
	char manufacturer[5]; /* "IBM", "MSFT" ... printable */
	char vendor[17];      /* TPM2_PT_VENDOR_STRING_1..4, printable */
	uint32_t firmware[2];
};
int tpm_info(struct tpm *t, struct tpm_info *ret, struct err **err);

#endif
