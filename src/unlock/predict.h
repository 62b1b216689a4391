/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The PCR values that the next boot will have when it unlocks: before our cap, which no event log holds. The start is this boot's log,
 * believed only where its replay equals the live register; events whose source is a file are computed anew from that file.
 * What cannot be computed is said to be unknown, never guessed: a wrong prediction would seal a secret to a state that never comes.
 * Firmware, its settings and the partition table are taken to stay as they are. No side effects.
 */
#ifndef CRYPTATTEST_UNLOCK_PREDICT_H
#define CRYPTATTEST_UNLOCK_PREDICT_H

#include "unlock/boot_log.h"

#define PREDICT_FILE_MAX ((size_t)1 << 30)

/* What the next boot uses instead of what this boot used; NULL = the file that this boot's log names, as it is now. Paths start at the
 * working directory. cmdline: the kernel's arguments, without the words BOOT_IMAGE= and initrd= that boot loaders put before. */
struct predict_input {
	const char *kernel, *initrd, *cmdline, *uki;
};

enum predict_state {
	PREDICT_SAME,
	PREDICT_CHANGES,
	PREDICT_UNKNOWN, /* no value */
};

struct predict_pcr {
	enum predict_state state;
	uint8_t value[PCR_DIGEST_MAX];
	char why[300]; /* "same as this boot", "changes because FILE changed", "cannot be known: REASON" */
};

enum predict_phases {
	PHASES_UNKNOWN,	      /* PCR 11 is given with enter-initrd, and without beside it */
	PHASES_NOT_MEASURED,
	PHASES_MEASURED,      /* systemd-pcrphase extends enter-initrd before we run */
};

struct prediction {
	enum pcr_bank bank;
	uint32_t mask; /* asked for */
	struct predict_pcr pcr[PCR_COUNT];
	enum predict_phases phases;
	uint8_t before_phase[PCR_DIGEST_MAX]; /* PCR 11 without any phase word */
};

struct predict_params {
	int root_fd;
	enum pcr_bank bank;
	uint32_t mask;	      /* PCRs wanted, cap_pcr included if wanted */
	unsigned int cap_pcr; /* predicted as zero */
	const struct boot_log *log; /* NULL: none */
	const char *no_log;	    /* why not */
	const struct pcr_values *live; /* of all PCRs in mask; NULL: no TPM to ask */
	struct predict_input next;
};

/* ERR_CONFIG "predict-file": a file given by name cannot be read or is no PE image. What else is wrong makes PCRs unknown. */
int predict_run(const struct predict_params *p, struct prediction *ret, struct err **err);
/* For sealing ahead: all of these PCRs, or ERR_TPM "predict-unknown" that names the first unknown one and why. */
int predict_values(const struct prediction *p, uint32_t mask, struct pcr_values *ret, struct err **err);
/* A section of a unified kernel image as text, without blanks at its end; NULL: there is no such section. ERR_CONFIG "predict-file". */
int predict_uki_text(const char *path, const char *section, char **ret, struct err **err);

#endif
