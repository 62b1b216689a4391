/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/exitcode.h"

#include <stddef.h>

#include "base/cleanup.h"

int exit_code_of(enum err_class cls)
{
	switch (cls) {
	case ERR_INTERNAL:
	case ERR_NOMEM:
		return EXIT_INTERNAL;
	case ERR_CONFIG:
		return EXIT_USAGE;
	case ERR_NOTHING:
		return EXIT_NOTHING;
	case ERR_REFUSED:
		return EXIT_REFUSED;
	case ERR_UNREACHABLE:
	case ERR_INDETERMINATE:
	case ERR_TIMEOUT:
	case ERR_BUSY:
		return EXIT_UNREACHABLE;
	case ERR_BADKEY:
		return EXIT_BADKEY;
	case ERR_DEVICE:
		return EXIT_DEVICE;
	case ERR_TPM:
		return EXIT_TPM;
	case ERR_INTEGRITY:
		return EXIT_INTEGRITY;
	case ERR_IDENTITY:
		return EXIT_IDENTITY;
	case ERR_NOEVIDENCE:
		return EXIT_NOEVIDENCE;
	case ERR_CAP:
		return EXIT_CAP;
	}
	return EXIT_INTERNAL;
}

static const char *const texts[] = {
	[EXIT_OK] = "done, or already done",
	[EXIT_INTERNAL] = "internal error",
	[EXIT_USAGE] = "usage or configuration error",
	[EXIT_NOTHING] = "no volume configured here, or all are manual",
	[EXIT_REFUSED] = "refused by the verifier",
	[EXIT_UNREACHABLE] = "key broker unreachable, undecided, or out of time",
	[EXIT_BADKEY] = "secret obtained, but no keyslot takes it",
	[EXIT_DEVICE] = "device absent, ambiguous or unreadable, or activation failed",
	[EXIT_TPM] = "TPM or sealed secret",
	[EXIT_INTEGRITY] = "something was read and found wrong",
	[EXIT_IDENTITY] = "the server is not the one that was configured",
	[EXIT_NOEVIDENCE] = "no evidence to be had from this machine",
	[EXIT_CAP] = "the cap failed, or was already in place",
};

const char *exit_code_text(int code)
{
	return code >= 0 && (size_t)code < ARRAY_SIZE(texts) ? texts[code] : NULL;
}
