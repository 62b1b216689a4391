/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * A process that outlives a killed agent by the moment it takes to remove what the agent left: a signal that cannot be handled, a
 * crash, or the timer that ends a run stuck in a system call (guard.c) must not leave a mapping, least of all under the name that the
 * boot mounts. Forked before any thread and any secret; its own session, all signals blocked, no descriptor but its socket, the root
 * directory and the lock. Until told that the run is over it shares the state lock, so that a second agent begins after it is done.
 * It reads no header (boot-integration.md 14.6) and waits for no udev.
 *
 * unlock/ only. A run that cannot tell its guardian what it is about to do does not do it: ERR_INTERNAL "guardian".
 */
#ifndef CRYPTATTEST_UNLOCK_GUARDIAN_H
#define CRYPTATTEST_UNLOCK_GUARDIAN_H

#include "base/err.h"
#include "luks/mapper.h"

struct guardian;

/* What the run cannot report itself any more. Called in a process of the guardian's that has four seconds; say() is a line of the kernel's log. */
enum guardian_cause { GUARDIAN_KILLED, GUARDIAN_OVERDUE };
typedef void guardian_say(void *ctx, const char *line);
typedef void guardian_report(void *ctx, enum guardian_cause cause, guardian_say *say, void *say_ctx);

/* Call before any secret is read and any thread started. report may be NULL. */
int guardian_start(const struct mapper *m, int root_fd, guardian_report *report, void *ctx, struct guardian **ret, struct err **err);
/* The state lock is held: from here on private mappings are this run's to remove. */
int guardian_hold(struct guardian *g, int lock_fd, struct err **err);
/* Before a mapping is made under its public name; removed unless the run ends well. */
int guardian_expect(struct guardian *g, const char *name, const char *uuid, struct err **err);
/* The time is up and the run is stuck: has the report written, and waits for that no longer than the guardian does. Async-signal-safe; g may be
 * NULL. */
void guardian_overdue(struct guardian *g);
/* The run is over and on record: what is mapped stays. */
void guardian_release(struct guardian *g);
void guardian_stop(struct guardian *g); /* waits for it; takes NULL */

#endif
