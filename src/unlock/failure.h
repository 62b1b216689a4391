/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The failure report of `unlock --boot`: one text for whoever has to find out why a machine did not come up, as STATE_DIR/failure.txt (0600)
 * and, but for the volumes' own lines that the run has printed already, as lines on the console and in the log. At most 8 KiB, printable
 * ASCII; ids and messages of errors and facts of the machine alone: nothing that a source gave is in it.
 */
#ifndef CRYPTATTEST_UNLOCK_FAILURE_H
#define CRYPTATTEST_UNLOCK_FAILURE_H

#include "unlock/job.h"

#define FAILURE_FILE "failure.txt"
#define FAILURE_MAX 8192

/* After run_print(), before the jobs are cleared. Never fails the run any further. */
void failure_report(const struct run *run, int code);

#endif
