/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Progress of one run (contracts.md 5): JSON lines on --status-fd, a table for --timings. Phases: preflight, device, header,
 * net, auth, evidence, attest, get, open, activate, verify, cap, publish. Times are CLOCK_MONOTONIC nanoseconds.
 */
#ifndef CRYPTATTEST_UNLOCK_EVENTS_H
#define CRYPTATTEST_UNLOCK_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

struct events;

/* fd -1: no lines. A reader that went away never stops an unlock. What is kept is seen by processes that are forked after this. */
int events_new(int status_fd, struct events **ret, struct err **err);
/* From processes that are forked from here on. ev may be NULL. ERR_INTERNAL. */
int events_hide(struct events *ev, struct err **err);
void events_free(struct events *ev);
/* volume may be NULL. A NULL ev does nothing. */
void events_start(struct events *ev, const char *phase, const char *volume);
void events_end(struct events *ev, const char *phase, const char *volume, bool ok, const char *id);
/* Ends the phase with the fate of rc and err; returns rc. */
int events_done(struct events *ev, const char *phase, const char *volume, int rc, struct err *const *err);
/* Aligned table: phase, volume, start offset, milliseconds. */
void events_print_timings(const struct events *ev, FILE *out);
uint64_t events_total_ms(const struct events *ev);

#define EVENTS_MAX 512 /* 64 volumes x 8 phases; later ones go to --status-fd only */

struct event_span {
	char phase[16], volume[64]; /* volume "": of the whole run */
	uint64_t start_ns, end_ns;  /* end 0: still open */
	bool ok;
};
/* What was kept, in order of start; good until the next call that takes ev. */
const struct event_span *events_spans(const struct events *ev, size_t *ret_n);

#endif
