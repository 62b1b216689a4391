/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Exit codes (architecture.md 6): one enum, never renumbered. */
#ifndef CRYPTATTEST_UNLOCK_EXITCODE_H
#define CRYPTATTEST_UNLOCK_EXITCODE_H

#include "base/err.h"

enum exit_code {
	EXIT_OK = 0,		/* done, or already done */
	EXIT_INTERNAL = 1,
	EXIT_USAGE = 2,		/* usage or configuration */
	EXIT_NOTHING = 3,	/* no volume configured here, or all manual */
	EXIT_REFUSED = 4,	/* refused by the verifier */
	EXIT_UNREACHABLE = 5,	/* unreachable, indeterminate or out of time */
	EXIT_BADKEY = 6,	/* secret obtained but no keyslot takes it */
	EXIT_DEVICE = 7,	/* device absent, ambiguous or unreadable, or activation failed */
	EXIT_TPM = 8,		/* TPM or sealed secret */
	EXIT_INTEGRITY = 9,	/* anything read and found wrong */
	EXIT_IDENTITY = 10,	/* server identity mismatch */
	EXIT_NOEVIDENCE = 11,	/* no evidence to be had */
	EXIT_CAP = 12,		/* cap failed or already capped */
};

int exit_code_of(enum err_class cls);
/* The words of the man page's table; NULL outside the enum. */
const char *exit_code_text(int code);

#endif
