/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What the runs of this boot did, and when: the spans of events.h, kept for `status --metrics` and `status --svg` after the run has ended.
 * STATE_DIR/timeline.json, 0600: {"version":1,"boot_id","dropped":N,"spans":[{"run","phase","volume","start_ns","end_ns","ok"}]}; times are
 * CLOCK_MONOTONIC, "volume" "" is the run itself. Readers ignore unknown members.
 */
#ifndef CRYPTATTEST_UNLOCK_TIMELINE_H
#define CRYPTATTEST_UNLOCK_TIMELINE_H

#include "base/buf.h"
#include "unlock/events.h"

#define TIMELINE_FILE "timeline.json"
#define TIMELINE_MAX EVENTS_MAX /* spans; the boot's come first, and what does not fit after them is only counted */

struct timeline_span {
	unsigned int run; /* 0: the first one of this boot */
	struct event_span span; /* never open */
};

struct timeline {
	struct timeline_span *spans;
	size_t n;
	uint64_t dropped;
};

/* Adds this run to the file. Spans that are still open end now, as failed. A file that is not there, of another boot or not as above is
 * begun anew. ERR_INTERNAL: it cannot be written. */
int timeline_add(int root_fd, const char *boot_id, const struct events *ev, struct err **err);
/* None, or of another boot: an empty one. ERR_INTEGRITY "timeline": there is one that cannot be believed. */
int timeline_load(int root_fd, const char *boot_id, struct timeline *ret, struct err **err);
void timeline_clear(struct timeline *t);
#define _cleanup_timeline_ __attribute__((cleanup(timeline_clear)))
/* The pure halves. */
int timeline_parse(const char *text, size_t len, const char *boot_id, struct timeline *ret, struct err **err);
int timeline_text(const struct timeline *t, const char *boot_id, struct buf *out, struct err **err);

/* A picture: for each run a time axis, for each volume its phases as bars. SVG 1.1 without script, style sheet or reference; at most
 * TIMELINE_ROWS rows, what is left out is said. */
#define TIMELINE_ROWS 256
#define TIMELINE_SVG_MAX (1024 * 1024)
void timeline_svg(const struct timeline *t, struct buf *out);

#endif
