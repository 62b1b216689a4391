/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Inside of struct tpm, for the files of vtpm/ only: the one place from which ESYS is seen. */
#ifndef CRYPTATTEST_VTPM_TPM_IMPL_H
#define CRYPTATTEST_VTPM_TPM_IMPL_H

#include "base/cleanup.h"
#include "vtpm/rc.h"
#include "vtpm/tpm.h"
#include "vtpm/tss2.h"

struct tpm {
	const struct tpm_access *access;
	TSS2_TCTI_CONTEXT *tcti, *watch; /* the transport; what ESYS sees of it (tcti_watch.c) */
	ESYS_CONTEXT *esys; /* NULL: libtss2 is not there, and PCRs are all that can be had (pcr_by_hand.h) */
	unsigned int commands; /* sent so far */
	struct deadline deadline;
	/* After session_trust() (session.h): the primary whose Name we were told, and the HMAC session salted to it. Else ESYS_TR_NONE. */
	ESYS_TR primary, session;
	bool primary_transient; /* we loaded it */
	struct tpm_name primary_name;
	uint32_t banks; /* pcr_active_banks(), once asked; 0 = not yet */
	uint32_t bank_pcrs[8]; /* PCRs of each, by enum pcr_bank */
};

/* An object or session that we loaded; flushed when it leaves its scope. */
struct tpm_loaded {
	struct tpm *t;
	ESYS_TR tr;
	bool persistent; /* lies in the TPM: only our reference is dropped */
};
#define TPM_LOADED(tpm) { .t = (tpm), .tr = ESYS_TR_NONE }
void tpm_loaded_flush(struct tpm_loaded *l);
#define _cleanup_loaded_ __attribute__((cleanup(tpm_loaded_flush)))
/* Gives it away: not flushed any more. */
ESYS_TR tpm_loaded_take(struct tpm_loaded *l);

/*
 * Runs an ESYS call again while the TPM says that it is busy, with back-off, until the deadline of tpm_open(); starts the TPM up when
 * it was not. Its value is the last TSS2_RC. The call's output pointers must be NULL before; ESYS leaves them so when it fails.
 */
struct tpm_retry {
	struct backoff backoff;
	unsigned int tries;
};
bool tpm_again(struct tpm *t, struct tpm_retry *r, TSS2_RC rc);
#define TPM_CALL(t, call)                                 \
	({                                                \
		struct tpm_retry _retry = { { 0 }, 0 };   \
		TSS2_RC _rc;                              \
		do                                        \
			_rc = (call);                     \
		while (tpm_again((t), &_retry, _rc));     \
		_rc;                                      \
	})

/* Sets *err from a code (rc.h); what = the step in words. tpm_fail_auth: the command carried somebody's PIN or password. -1. */
int tpm_fail(TSS2_RC rc, const char *what, struct err **err);
int tpm_fail_auth(TSS2_RC rc, const char *what, struct err **err);

/*
 * ESYS keeps what it sent and received: the parameters of the last command (for repeating it) and the buffer in which it decrypts, and
 * frees both without wiping. Overwrites these bytes wherever they stand in there, and the dead stack below; after every command that
 * carried a secret.
 */
void tpm_scrub(struct tpm *t, const void *secret, size_t len);

/* tcti_watch.c: NULL when out of memory; free() it. The code is what a command gets that was not answered in time. */
TSS2_TCTI_CONTEXT *tpm_watch_new(struct tpm *t);
#define TPM_RC_NO_ANSWER (TSS2_TCTI_RC_LAYER | TSS2_LAYER_IMPLEMENTATION_SPECIFIC_OFFSET)

/* What ESYS allocates. */
static inline void tpm_esys_freep(void *p)
{
	if (*(void **)p)
		Esys_Free(*(void **)p);
	*(void **)p = NULL;
}
#define _cleanup_esys_ __attribute__((cleanup(tpm_esys_freep)))

/* Names, computed here: never taken from the peer (tpm-sealing.md 4.5). ERR_TPM "tpm-name" for an algorithm that we do not hash. */
int tpm_name_of_public(const TPM2B_PUBLIC *pub, struct tpm_name *ret, struct err **err);
int tpm_name_of_nv(const TPM2B_NV_PUBLIC *pub, struct tpm_name *ret, struct err **err);
/* The public area that ESYS holds for a loaded key: the one that it will salt sessions to. No command is sent. */
int tpm_public_of(struct tpm *t, ESYS_TR key, TPM2B_PUBLIC *ret, struct err **err);
/* The same of an NV index: what ESYS puts into the authorizations of commands on it. */
int tpm_nv_public_of(struct tpm *t, ESYS_TR index, TPM2B_NV_PUBLIC *ret, struct err **err);

#endif
