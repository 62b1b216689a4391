/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The storage primary (tpm-sealing.md 2.1): persistent at 0x81000001 where the machine was provisioned, else made anew for this
 * connection from the TCG template, which gives the same key as long as the TPM is not cleared.
 */
#ifndef CRYPTATTEST_VTPM_SRK_H
#define CRYPTATTEST_VTPM_SRK_H

#include "base/secret.h"
#include "vtpm/session.h"

#define SRK_HANDLE UINT32_C(0x81000001)

enum srk_template {
	SRK_ECC,	/* TCG "L-2": P-256, noDA */
	SRK_RSA,	/* TCG "L-1": 2048 bits, noDA; for TPMs without P-256 */
	SRK_LEGACY_ECC, /* without noDA: clevis, systemd before 255 */
	SRK_LEGACY_RSA,
};

struct srk {
	struct tpm_loaded key; /* tr == ESYS_TR_NONE: there is none */
	TPM2B_PUBLIC pub;
	struct tpm_name name; /* computed from pub */
};
#define SRK_INIT(tpm) { .key = TPM_LOADED(tpm) }
void srk_release(struct srk *s);
#define _cleanup_srk_ __attribute__((cleanup(srk_release)))

/* The public area to ask for; name_alg is TPM2_ALG_SHA256 but for old clevis bindings. */
void srk_template(enum srk_template which, TPMI_ALG_HASH name_alg, TPM2B_PUBLIC *ret);
/* A primary that may hold sealed objects: restricted, decrypt, fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, AES-128 or
 * stronger in CFB. ERR_TPM "srk-type". Pure. */
int srk_check(const TPM2B_PUBLIC *pub, struct err **err);

/* What lies at SRK_HANDLE; an empty handle is no error (key.tr == ESYS_TR_NONE). Genuine only inside a salted session. */
int srk_find(struct tpm *t, struct srk *ret, struct err **err);
/* A transient primary. owner_auth may be NULL. ERR_TPM "tpm-auth" when the owner hierarchy has another authorization. */
int srk_create(struct tpm *t, enum srk_template which, TPMI_ALG_HASH name_alg, const struct secret *owner_auth, struct srk *ret,
	       struct err **err);
/* The one that this TPM would use: persistent, else SRK_ECC, else SRK_RSA where the TPM lacks the curve. Nothing is proven. */
int srk_show(struct tpm *t, struct srk *ret, struct err **err);
/* Finds the primary of this Name, salts t's session to it and keeps both until tpm_close(). Two commands when it is persistent.
 * ERR_TPM "tpm-replaced" when the TPM has none of that Name. */
int srk_trust(struct tpm *t, const struct tpm_name *want, struct err **err);
/* Makes it persistent where SRK_HANDLE is empty; otherwise only checks what lies there. */
int srk_provision(struct tpm *t, const struct secret *owner_auth, struct err **err);

/* For commands by the owner hierarchy: sets its authorization and gives the session to authorize with. The authorization never crosses
 * the wire in the clear: where no salted session is open, an HMAC session without salt (own) proves it. */
int srk_owner_session(struct tpm *t, const struct secret *owner_auth, enum session_use use, struct tpm_loaded *own, ESYS_TR *ret,
		      struct err **err);
/* tpm_fail_auth() with the hint that fits. */
int srk_owner_failed(TSS2_RC rc, const char *what, struct err **err);

#endif
