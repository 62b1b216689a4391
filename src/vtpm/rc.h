/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What a response code means to us (tpm-sealing.md 3.2). Pure. Codes are TSS2_RC: bits 16-23 tell the layer that made it, the low
 * sixteen are the TPM's own (TPM 2.0 Part 2, 6.6), where parameter, session and handle numbers are stripped before we compare.
 */
#ifndef CRYPTATTEST_VTPM_RC_H
#define CRYPTATTEST_VTPM_RC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct tpm_rc_meaning {
	uint32_t code; /* as stripped by tpm_rc_base() */
	const char *id; /* of tpm.h, or "policy", "pcr-changed", "tpm-handle", "nv-..." */
	const char *text;
	const char *hint; /* NULL = none */
};

/* The TPM's code without its parameter, handle or session number; only for codes of the TPM's own layer. */
uint32_t tpm_rc_base(uint32_t rc);
/* Did the TPM itself (or the kernel's resource manager) answer with this? */
bool tpm_rc_from_tpm(uint32_t rc);
/* The TPM answered with this code, whatever parameter it blames. */
bool tpm_rc_is(uint32_t rc, uint32_t base);
/* The same command may succeed in a moment: testing, yielded, retry, out of slots, NV rate limit. */
bool tpm_rc_busy(uint32_t rc);
/* Of these: no slot for another object or session. */
bool tpm_rc_full(uint32_t rc);

/*
 * Never NULL. auth: the command's first session carried a value that a person or an administrator supplied (PIN, owner authorization),
 * so a failed authorization of that one means that this value was wrong. Without one it means that the HMAC of our session did not fit: the command was altered
 * on its way, or somebody else answers.
 */
const struct tpm_rc_meaning *tpm_rc_meaning(uint32_t rc, bool auth);
/* Sets *err to ERR_TPM with that meaning: "what: text (code 0x99d: library's words)". Returns -1. */
int tpm_rc_err(uint32_t rc, bool auth, const char *what, struct err **err);

#endif
