/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The verbs of cryptattest-kbs. Each gets the words after it and returns the exit code. */
#ifndef CRYPTATTEST_KBSD_VERBS_H
#define CRYPTATTEST_KBSD_VERBS_H

#include "base/err.h"

/* The part of architecture.md 6's list that this program uses. */
enum {
	EXIT_DONE = 0,
	EXIT_INTERNAL = 1,
	EXIT_USAGE = 2,
	EXIT_REFUSED = 4,
	EXIT_AWAY = 5, /* unreachable, or out of time */
	EXIT_WRONG = 9,
};

int cmd_init(int n, char **args);
int cmd_serve(int n, char **args);
int cmd_resource(int n, char **args);
int cmd_policy(int n, char **args);
int cmd_verify(int n, char **args);
int cmd_push(int n, char **args);

/* Prints the error with its hint, frees it and says which exit code it means. */
int verb_fail(struct err *e);

#endif
