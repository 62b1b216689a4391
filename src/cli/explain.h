/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Inside cmd_explain.c and explain_*.c. */
#ifndef CRYPTATTEST_CLI_EXPLAIN_H
#define CRYPTATTEST_CLI_EXPLAIN_H

#include "cli/cli.h"

struct finding {
	const char *step;
	bool ok;
	char text[512], hint[300];
};

struct plan {
	struct finding items[64];
	size_t n;
	char uuid[37];
};

void plan_add(struct plan *p, const char *step, bool ok, const char *text, const char *hint);
void plan_add_err(struct plan *p, const char *step, struct err *err); /* takes err */

/* explain_vtpm.c: sealed file, TPM, cap register, PCRs, origin, PIN. */
void explain_vtpm(struct cli *cli, struct plan *p, const struct config_volume *v);
/* explain_remits.c: six lines, and one on what covers the initrd. Prints; returns the exit code. */
int explain_remits(struct cli *cli, const struct config_volume *v);
/* The last of these lines alone. False: nothing covers this initrd. */
bool explain_covers(struct cli *cli, const struct config_volume *v, struct buf *out);

#endif
