/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "vtpm/session.h"

static const TPMT_SYM_DEF aes_128_cfb = {
	.algorithm = TPM2_ALG_AES,
	.keyBits = { .aes = 128 },
	.mode = { .aes = TPM2_ALG_CFB },
};

bool session_is_open(const struct tpm *t)
{
	return t->session != ESYS_TR_NONE;
}

ESYS_TR session_for(struct tpm *t, enum session_use use)
{
	static const TPMA_SESSION attributes[] = {
		[SESSION_AUTH] = 0,
		[SESSION_AUDIT] = TPMA_SESSION_AUDIT,
		[SESSION_DECRYPT] = TPMA_SESSION_DECRYPT,
		[SESSION_ENCRYPT] = TPMA_SESSION_ENCRYPT,
		[SESSION_BOTH] = TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT,
	};

	/* A local call, which fails only for a handle that is no session: then the command itself must not run without one. */
	if (session_is_open(t) && Esys_TRSess_SetAttributes(t->esys, t->session, TPMA_SESSION_CONTINUESESSION | attributes[use], 0xff) !=
					  TSS2_RC_SUCCESS)
		return ~(ESYS_TR)0; /* no such object: ESYS refuses it */
	return t->session;
}

ESYS_TR session_auth(struct tpm *t, enum session_use use)
{
	return session_is_open(t) ? session_for(t, use) : ESYS_TR_PASSWORD;
}

/* The TPM's refusal of the cipher or hash, in words. */
static int start_failed(TSS2_RC rc, struct err **err)
{
	const uint32_t base = tpm_rc_from_tpm(rc) ? tpm_rc_base(rc) : 0;

	tpm_fail(rc, "opening a session", err);
	if (base == TPM2_RC_SYMMETRIC || base == TPM2_RC_MODE || base == TPM2_RC_KEY_SIZE)
		return err_hint(err, "this TPM lacks AES-128-CFB, which protects the secret on its way; it cannot be used");
	return -1;
}

static int start(struct tpm *t, ESYS_TR key, TPM2_SE type, ESYS_TR *ret, struct err **err)
{
	ESYS_TR s = ESYS_TR_NONE;
	TSS2_RC rc;

	rc = TPM_CALL(t, Esys_StartAuthSession(t->esys, key, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL, type,
					       &aes_128_cfb, TPM2_ALG_SHA256, &s));
	if (rc != TSS2_RC_SUCCESS)
		return start_failed(rc, err);
	*ret = s;
	return 0;
}

static void flush_session(struct tpm *t)
{
	struct tpm_loaded old = { .t = t, .tr = t->session };

	tpm_loaded_flush(&old);
	t->session = ESYS_TR_NONE;
}

int session_open(struct tpm *t, ESYS_TR key, const struct tpm_name *want, struct err **err)
{
	char found[2 * TPM_NAME_MAX + 1], wanted[2 * TPM_NAME_MAX + 1];
	struct tpm_name name;
	TPM2B_PUBLIC pub;
	ESYS_TR s;

	if (tpm_public_of(t, key, &pub, err) < 0 || tpm_name_of_public(&pub, &name, err) < 0)
		return -1;
	if (!tpm_name_equal(&name, want)) {
		tpm_name_text(&name, found);
		tpm_name_text(want, wanted);
		return err_set(err, ERR_TPM, "tpm-replaced", "the TPM shows key %s, not %s", found, wanted);
	}
	if (start(t, key, TPM2_SE_HMAC, &s, err) < 0)
		return -1;
	flush_session(t);
	t->session = s;
	return 0;
}

int session_unsalted(struct tpm *t, struct tpm_loaded *ret, struct err **err)
{
	ESYS_TR s;

	if (start(t, ESYS_TR_NONE, TPM2_SE_HMAC, &s, err) < 0)
		return -1;
	*ret = (struct tpm_loaded){ .t = t, .tr = s };
	if (Esys_TRSess_SetAttributes(t->esys, s, TPMA_SESSION_CONTINUESESSION, 0xff) != TSS2_RC_SUCCESS)
		return err_set(err, ERR_INTERNAL, "tpm-session", "session attributes");
	return 0;
}

static int start_for(struct tpm *t, TPM2_SE type, struct tpm_loaded *ret, struct err **err)
{
	ESYS_TR s;

	if (t->primary == ESYS_TR_NONE)
		return err_set(err, ERR_INTERNAL, "tpm-untrusted", "a policy session before the storage primary is trusted");
	if (start(t, t->primary, type, &s, err) < 0)
		return -1;
	*ret = (struct tpm_loaded){ .t = t, .tr = s };
	return 0;
}

int session_policy(struct tpm *t, struct tpm_loaded *ret, struct err **err)
{
	return start_for(t, TPM2_SE_POLICY, ret, err);
}

int session_trial(struct tpm *t, struct tpm_loaded *ret, struct err **err)
{
	return start_for(t, TPM2_SE_TRIAL, ret, err);
}

void session_forget(struct tpm *t)
{
	struct tpm_loaded primary = { .t = t, .tr = t->primary, .persistent = !t->primary_transient };

	flush_session(t);
	tpm_loaded_flush(&primary);
	t->primary = ESYS_TR_NONE;
}
