/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The failure report of `unlock --boot`: one text for whoever has to find out why a machine did not come up, as STATE_DIR/failure.txt (0600),
 * but for the volumes' own lines, which the run has printed already, in the log, and by report-url as JSON at a server of the owner's. At most
 * 8 KiB each, printable ASCII; ids and messages of errors and facts of the machine alone: nothing that a source gave is in it.
 */
#ifndef CRYPTATTEST_UNLOCK_FAILURE_H
#define CRYPTATTEST_UNLOCK_FAILURE_H

#include "base/buf.h"
#include "unlock/guardian.h"
#include "unlock/job.h"

#define FAILURE_FILE "failure.txt"
#define FAILURE_MAX 8192

/* After run_print(), before the jobs are cleared. Never fails the run any further. */
void failure_report(const struct run *run, int code);
/* The same facts as one JSON object, for failure_send(); NULL without report-url or memory. Caller frees. */
char *failure_json(const struct run *run, int code);
/* One POST to the server of report-url, at most FAILURE_SEND_MS and what a transport needs to give up. What comes of it is one line of the log
 * and nothing else. */
#define FAILURE_SEND_MS 10000
void failure_send(const struct unlock_env *env, const char *json);

/* For the guardian of a run under --boot: ctx is a struct failure_watch, as it was when the guardian was forked. Writes the report that the run
 * cannot write any more, and its timeline; sends nothing, since the transport was the run's. */
struct failure_watch {
	const struct unlock_env *env;
	const struct unlock_options *opt;
};
void failure_of_unfinished(void *ctx, enum guardian_cause cause, guardian_say *say, void *say_ctx);

/* --- failure.c, for failure_json.c --- */

/* The host part of what is known of this machine, as lines. Each may be "". */
struct failure_facts {
	char machine[400], evidence[600], network[300], time[300];
};
void failure_facts(const struct run *run, struct failure_facts *ret);

#endif
