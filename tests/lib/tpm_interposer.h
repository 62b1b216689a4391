/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The one who sits between a system and its TPM: a host that emulates the register interface, a probe on the bus. Wraps any tpm_access;
 * sees, alters, redirects and drops commands and answers.
 */
#ifndef CRYPTATTEST_TESTS_TPM_INTERPOSER_H
#define CRYPTATTEST_TESTS_TPM_INTERPOSER_H

#include "base/buf.h"
#include "vtpm/tpm.h"

#define INTERPOSER_ANY 0 /* any command code */
#define INTERPOSER_MESSAGE_MAX 4096

struct tpm_interposer {
	struct tpm_access access; /* first; give &i.access to tpm_open() */
	const struct tpm_access *first, *second;

	/* Seen so far, whatever else is done. */
	struct buf transcript; /* every byte of both directions, as the system saw and sent it */
	unsigned int commands;
	uint32_t codes[256]; /* command codes in order */
	size_t answer_len[256];

	/* Faults; none by default. "nth" counts from 1 among the commands of that code; 0 = never. */
	struct {
		uint32_t code;
		unsigned int nth;
		size_t at; /* byte of the answer; past its end: no effect */
		uint8_t mask;
	} flip;
	struct {
		uint32_t code;
		unsigned int nth; /* from that command on the second TPM answers */
	} swap;
	struct {
		uint32_t code;
		unsigned int nth; /* that command gets no answer, the connection breaks */
	} drop;
	struct {
		uint32_t code;
		unsigned int nth; /* that command is carried out, its answer lost, and the connection breaks */
	} lose;
	/* An active relay: may change the message (up to INTERPOSER_MESSAGE_MAX), or use `second` or `first` by itself. */
	void (*relay)(struct tpm_interposer *i, bool command, uint8_t *message, size_t *len);
	void *relay_ctx;
};

/* second may be NULL. Clear it with interposer_clear(). */
void interposer_init(struct tpm_interposer *i, const struct tpm_access *first, const struct tpm_access *second);
void interposer_clear(struct tpm_interposer *i);
/* Forgets what was seen and counted, keeps the faults. */
void interposer_rewind(struct tpm_interposer *i);
/* Was this passed on, in either direction? */
bool interposer_saw(const struct tpm_interposer *i, const void *bytes, size_t len);

#endif
