/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "vtpm/tss2.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <tss2/tss2_rc.h>

#include "base/cleanup.h"
#include "base/dlopen_note.h"

#define ESYS_SONAME "libtss2-esys.so.0"
#define MU_SONAME "libtss2-mu.so.0"
#define RC_SONAME "libtss2-rc.so.0"

DLOPEN_NOTE(esys_note, "tpm", "Secrets that are sealed by a TPM", "recommended", ESYS_SONAME);
DLOPEN_NOTE(mu_note, "tpm", "Secrets that are sealed by a TPM", "recommended", MU_SONAME);
DLOPEN_NOTE(rc_note, "tpm", "Response codes of a TPM in words", "suggested", RC_SONAME);

static const struct {
	const char *library, *name;
} wanted[TSS2_FUNCTIONS] = {
#define ESYS_ROW(name) { ESYS_SONAME, #name },
#define MU_ROW(name) { MU_SONAME, #name },
	TSS2_ESYS_FUNCTIONS(ESYS_ROW) TSS2_MU_FUNCTIONS(MU_ROW)
};

static struct {
	pthread_once_t once;
	tss2_any found[TSS2_FUNCTIONS];
	__typeof__(Tss2_RC_Decode) *rc_text;
	char missing[200];
} lib = { .once = PTHREAD_ONCE_INIT };

static bool find(void *so, const char *name, void *ret)
{
	void *f = so ? dlsym(so, name) : NULL;

	memcpy(ret, &f, sizeof(f)); /* as POSIX has it: a pointer to a function is one to void */
	return f;
}

static void load(void)
{
	const char *at = NULL, *why;
	void *so = NULL;

	for (size_t i = 0; i < TSS2_FUNCTIONS; i++) {
		if (at != wanted[i].library) {
			at = wanted[i].library;
			so = dlopen(at, RTLD_NOW | RTLD_LOCAL);
		}
		if (find(so, wanted[i].name, &lib.found[i]))
			continue;
		why = dlerror();
		snprintf(lib.missing, sizeof(lib.missing), "%s", why ? why : at);
		return;
	}
	find(dlopen(RC_SONAME, RTLD_NOW | RTLD_LOCAL), "Tss2_RC_Decode", &lib.rc_text);
}

const char *tss2_missing(void)
{
	pthread_once(&lib.once, load);
	return lib.missing[0] ? lib.missing : NULL;
}

const char *tss2_rc_text(TSS2_RC rc)
{
	return tss2_missing() || !lib.rc_text ? NULL : lib.rc_text(rc);
}

/* For every function: the callers' arguments are the callers' to clean up, in all calling conventions of Linux. */
static TSS2_RC absent(void)
{
	return TPM_RC_NO_LIBRARY;
}

tss2_any tss2_function(enum tss2_function f)
{
	return tss2_missing() ? (tss2_any)absent : lib.found[f];
}
