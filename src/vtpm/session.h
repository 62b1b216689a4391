/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Sessions (tpm-sealing.md 3). Whoever carries our commands can read, alter and answer them, so everything that is read for a decision
 * or that carries a secret rides one HMAC session whose salt only the owner of a key of known Name can decrypt, with the first
 * parameter under AES-128-CFB. There is no other cipher to fall back to: a TPM without it is refused by its own StartAuthSession.
 *
 * A refusal carries no HMAC: whoever is in between can answer any command with any error code. So an error never decides anything but
 * that we fail; "it is not there" and "it is locked" are hearsay.
 *
 * Against an active relay this does not help (C5): it may load and unseal itself while the PCRs match.
 */
#ifndef CRYPTATTEST_VTPM_SESSION_H
#define CRYPTATTEST_VTPM_SESSION_H

#include "vtpm/tpm_impl.h"

/* What the session does for one command. Only a first parameter that is a TPM2B can be encrypted. */
enum session_use {
	SESSION_AUTH,	 /* authorizes and protects, nothing to encrypt: PCR_Extend, NV_Increment */
	SESSION_AUDIT,	 /* a command without authorization, whose answer must be genuine: PCR_Read, ReadPublic, GetCapability */
	SESSION_DECRYPT, /* the first parameter of the command is encrypted: Load, NV_Write, Import */
	SESSION_ENCRYPT, /* that of the response: Unseal, NV_Read */
	SESSION_BOTH,	 /* Create, CreatePrimary, CertifyCreation */
};

/* The salted session, set up for the next command; ESYS_TR_NONE before session_open(). */
ESYS_TR session_for(struct tpm *t, enum session_use use);
/* The same where a command needs an authorization: a plain password session (empty, or what Esys_TR_SetAuth() said) when no TPM is
 * trusted. */
ESYS_TR session_auth(struct tpm *t, enum session_use use);
bool session_is_open(const struct tpm *t);

/*
 * Makes the salted session to a loaded decryption key, after comparing the Name of the public area that ESYS would salt to with the
 * wanted one; replaces an earlier session. One command. The first answer in the session is what proves that the peer holds the key.
 * ERR_TPM "tpm-replaced" when the Name differs.
 */
int session_open(struct tpm *t, ESYS_TR key, const struct tpm_name *want, struct err **err);
/* A policy session, salted to the primary of srk_trust(). ERR_INTERNAL without one. */
int session_policy(struct tpm *t, struct tpm_loaded *ret, struct err **err);
/* An HMAC session without salt: proves an authorization without showing it, protects nothing else. */
int session_unsalted(struct tpm *t, struct tpm_loaded *ret, struct err **err);
/* A trial session: computes a digest, authorizes nothing. */
int session_trial(struct tpm *t, struct tpm_loaded *ret, struct err **err);
/* Flushes session and primary. For tpm_close(). */
void session_forget(struct tpm *t);

#endif
