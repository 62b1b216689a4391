/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* PCRs: banks, reading, extending all active banks, and what a list of PCRs can protect (tpm-sealing.md 6.1). */
#ifndef CRYPTATTEST_VTPM_PCR_H
#define CRYPTATTEST_VTPM_PCR_H

#include <jansson.h>

#include "vtpm/tpm.h"

#define PCR_COUNT 24
#define PCR_DIGEST_MAX 64

/* From PCR_SHA3_256 on: what libtss2 cannot put into a command (pcr_by_hand.c). */
enum pcr_bank { PCR_SHA1, PCR_SHA256, PCR_SHA384, PCR_SHA512, PCR_SM3_256, PCR_SHA3_256, PCR_SHA3_384, PCR_SHA3_512, PCR_BANKS };

const char *pcr_bank_name(enum pcr_bank b); /* "sha256" */
int pcr_bank_by_name(const char *name, enum pcr_bank *ret, struct err **err); /* ERR_CONFIG */
size_t pcr_bank_size(enum pcr_bank b);
uint16_t pcr_bank_alg(enum pcr_bank b); /* TPM_ALG_ID */

/* "4 7 9", "4+7+9", "4,7,9": a mask. ERR_CONFIG for what is no PCR; 16 and 23 are refused (any program can reset them). */
int pcr_mask_parse(const char *text, uint32_t *ret, struct err **err);
/* A JSON array of different numbers of PCRs; empty is allowed. */
bool pcr_list_take(const json_t *list, uint32_t *ret);
void pcr_mask_text(uint32_t mask, char *out, size_t cap); /* "4 7 9" */

struct pcr_values {
	enum pcr_bank bank;
	uint32_t mask; /* which of value[] are filled */
	uint8_t value[PCR_COUNT][PCR_DIGEST_MAX];
};

/* Banks that the TPM keeps with at least one PCR allocated, as a mask of 1 << enum pcr_bank. ERR_TPM "pcr-bank" when one that it keeps
 * is unknown to us: it could not be capped. */
int pcr_active_banks(struct tpm *t, uint32_t *ret, struct err **err);
/* In the salted session when there is one (seal.h), so that the values are those of the TPM we trust. ERR_TPM "pcr-bank" when the bank
 * is not active. */
int pcr_read(struct tpm *t, enum pcr_bank bank, uint32_t mask, struct pcr_values *ret, struct err **err);
/* Is this PCR past its reset value in every active bank? One bank that is not leaves open what depends on it. Costs one reading. */
int pcr_moved(struct tpm *t, unsigned int pcr, bool *ret, struct err **err);
/* One event into every active bank: each gets its own digest of these bytes; where we cannot compute one of them, the TPM hashes the bytes
 * itself, but for a TPM with a SHA-3 bank (ERR_TPM "pcr-bank"). Read back afterwards: ERR_CAP "cap-readback" when the value is not what it must have become, or has not moved in a bank that we
 * cannot compute. */
int pcr_extend_all(struct tpm *t, unsigned int pcr, const void *event, size_t len, struct err **err);
/* The same for a connection that may break: x is zero at first, and is given again with the next connection. When the answer alone was lost
 * the register says so, and is not extended twice. */
struct pcr_extension {
	struct pcr_values before[PCR_BANKS];
	uint32_t active; /* banks, 0: nothing was begun */
};
int pcr_extend_once(struct tpm *t, unsigned int pcr, const void *event, size_t len, struct pcr_extension *x, struct err **err);
/* Is this PCR what these events, one after the other, make of zero, in every active bank that we can compute, and is there one? */
struct pcr_event {
	const void *data;
	size_t len;
};
int pcr_holds(struct tpm *t, unsigned int pcr, const struct pcr_event *events, size_t n, bool *ret, struct err **err);
/* The bank's digest of an event, pcr_bank_size() bytes. */
int pcr_event_digest(enum pcr_bank bank, const void *event, size_t len, uint8_t *out, struct err **err);
/* What a PCR becomes: hash(old || hash(event)). out may be old. */
int pcr_extend_value(enum pcr_bank bank, const uint8_t *old, const void *event, size_t len, uint8_t *out, struct err **err);

/* All selected values are all-zero or all-FF: the firmware measured nothing, a policy over them protects nothing. */
bool pcr_unmeasured(const struct pcr_values *v, uint32_t mask);
/* Is this PCR in this bank still at its reset value (zero)? */
bool pcr_is_reset(const struct pcr_values *v, unsigned int pcr);

#endif
