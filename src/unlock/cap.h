/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The cap (contracts.md 6, luks-untrusted-host.md P1-P4): one event into the run-time registers before anything becomes public, so that
 * what runs later cannot obtain the secrets again; a second one with the outcome. The words below are what a key broker and `predict`
 * can compute.
 */
#ifndef CRYPTATTEST_UNLOCK_CAP_H
#define CRYPTATTEST_UNLOCK_CAP_H

#include "base/buf.h"
#include "state/state.h"
#include "unlock/registers.h"

/* One volume of the initrd phase that is open. Nothing is owned. */
struct cap_volume {
	const char *name, *uuid, *vk_id, *source;
};

struct cap {
	struct registers registers;
	const char *state; /* "none", "absent", "done", "unproven", "off": what the record says */
	bool now;	   /* this call capped a register */
	bool pcr, rtmr;	   /* those that the outcome goes to: capped by this call, or by one that was killed before its outcome */
};

/* "cryptattest:cap:v1\n" and "NAME UUID VK_ID\n" of each in strcmp order, or "-\n". Sorts v. ERR_NOMEM. */
int cap_event(struct cap_volume *v, size_t n, struct buf *out, struct err **err);
/* "cryptattest:outcome:v1 WORD\n" */
int cap_outcome_event(const char *outcome, struct buf *out, struct err **err);
/* The weakest proof that opened one of them: recover (a key file or a prompt too), vtpm, kbs, kbs+vtpm; "none" without any. */
const char *cap_outcome(const struct cap_volume *v, size_t n);
/* The words of cap_outcome(), the weakest first; NULL at the end. */
extern const char *const cap_outcome_words[];

/*
 * The first event, into every register that has not moved. Idempotent: where all have moved nothing happens. st is this boot's record, to which
 * the caller holds the lock, or NULL: the event is noted there, and saved, before it is measured, so that whoever comes after a kill knows
 * what the register holds. ERR_CAP: `required` without
 * a register or, "cap-unproven", with a TPM that is not the one which the configuration names or the hardware proves (it is capped all the
 * same); or a register that exists and fails, whatever `cap =` says but off.
 */
int cap_close(const struct unlock_env *env, struct machine_tpm *m, struct state *st, struct cap_volume *v, size_t n, struct cap *ret,
	      struct err **err);
/* The second event, into the registers that still lack it; noted in st, which is not saved here. */
int cap_say_outcome(const struct unlock_env *env, const struct cap *c, struct state *st, const char *outcome, struct err **err);

#endif
