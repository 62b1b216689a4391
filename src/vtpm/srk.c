/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "vtpm/srk.h"

#include <string.h>

#include "vtpm/session.h"

#define STORAGE_ATTRIBUTES                                                                                               \
	(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH | \
	 TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT)

void srk_release(struct srk *s)
{
	tpm_loaded_flush(&s->key);
}

void srk_template(enum srk_template which, TPMI_ALG_HASH name_alg, TPM2B_PUBLIC *ret)
{
	const bool ecc = which == SRK_ECC || which == SRK_LEGACY_ECC, legacy = which == SRK_LEGACY_ECC || which == SRK_LEGACY_RSA;
	static const TPMT_SYM_DEF_OBJECT aes = { .algorithm = TPM2_ALG_AES, .keyBits = { .aes = 128 }, .mode = { .aes = TPM2_ALG_CFB } };
	TPMT_PUBLIC *p = &ret->publicArea;

	*ret = (TPM2B_PUBLIC){ 0 };
	p->type = ecc ? TPM2_ALG_ECC : TPM2_ALG_RSA;
	p->nameAlg = name_alg;
	p->objectAttributes = STORAGE_ATTRIBUTES | (legacy ? 0 : TPMA_OBJECT_NODA);
	if (ecc) {
		p->parameters.eccDetail = (TPMS_ECC_PARMS){
			.symmetric = aes,
			.scheme = { .scheme = TPM2_ALG_NULL },
			.curveID = TPM2_ECC_NIST_P256,
			.kdf = { .scheme = TPM2_ALG_NULL },
		};
	} else {
		p->parameters.rsaDetail = (TPMS_RSA_PARMS){
			.symmetric = aes,
			.scheme = { .scheme = TPM2_ALG_NULL },
			.keyBits = 2048,
		};
	}
}

int srk_check(const TPM2B_PUBLIC *pub, struct err **err)
{
	const TPMT_PUBLIC *p = &pub->publicArea;
	const TPMT_SYM_DEF_OBJECT *sym;

	if ((p->objectAttributes & STORAGE_ATTRIBUTES) != STORAGE_ATTRIBUTES || (p->objectAttributes & TPMA_OBJECT_SIGN_ENCRYPT) != 0)
		return err_set(err, ERR_TPM, "srk-type", "the key is no storage primary that lives in this TPM alone (attributes 0x%x)",
			       p->objectAttributes);
	if (p->type == TPM2_ALG_ECC)
		sym = &p->parameters.eccDetail.symmetric;
	else if (p->type == TPM2_ALG_RSA && p->parameters.rsaDetail.keyBits >= 2048)
		sym = &p->parameters.rsaDetail.symmetric;
	else
		return err_set(err, ERR_TPM, "srk-type", "the storage primary is neither ECC nor RSA of 2048 bits or more (type 0x%04x)", p->type);
	if (sym->algorithm != TPM2_ALG_AES || sym->keyBits.aes < 128 || sym->mode.aes != TPM2_ALG_CFB)
		return err_set(err, ERR_TPM, "srk-type", "the storage primary protects its objects with something else than AES-CFB");
	return 0;
}

/* Fills in what ESYS holds for the key, so that Name and salt belong to the same public area. */
static int describe(struct tpm *t, struct srk *s, struct err **err)
{
	if (tpm_public_of(t, s->key.tr, &s->pub, err) < 0 || tpm_name_of_public(&s->pub, &s->name, err) < 0)
		return -1;
	return srk_check(&s->pub, err);
}

int srk_find(struct tpm *t, struct srk *ret, struct err **err)
{
	_cleanup_srk_ struct srk s = SRK_INIT(t);
	TSS2_RC rc;

	s.key.persistent = true;
	rc = TPM_CALL(t, Esys_TR_FromTPMPublic(t->esys, SRK_HANDLE, session_for(t, SESSION_AUDIT), ESYS_TR_NONE, ESYS_TR_NONE, &s.key.tr));
	if (rc != TSS2_RC_SUCCESS) {
		s.key.tr = ESYS_TR_NONE;
		if (!tpm_rc_is(rc, TPM2_RC_HANDLE))
			return tpm_fail(rc, "reading the storage primary", err);
	} else if (describe(t, &s, err) < 0) {
		return err_wrap(err, "0x%08x", SRK_HANDLE);
	}
	*ret = s;
	s.key.tr = ESYS_TR_NONE;
	return 0;
}

int srk_owner_session(struct tpm *t, const struct secret *owner_auth, enum session_use use, struct tpm_loaded *own, ESYS_TR *ret,
		      struct err **err)
{
	TPM2B_AUTH auth = { 0 };
	TSS2_RC rc;

	if (owner_auth && secret_len(owner_auth) > 0) {
		if (secret_len(owner_auth) > 64)
			return err_set(err, ERR_CONFIG, "owner-auth", "an owner authorization has at most 64 bytes");
		auth.size = (uint16_t)secret_len(owner_auth);
		memcpy(auth.buffer, secret_cdata(owner_auth), auth.size);
	}
	rc = Esys_TR_SetAuth(t->esys, ESYS_TR_RH_OWNER, &auth);
	wipe(&auth, sizeof(auth));
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(rc, "owner authorization", err);
	if (session_is_open(t) || !owner_auth) {
		*ret = session_auth(t, use);
		return 0;
	}
	if (session_unsalted(t, own, err) < 0)
		return -1;
	*ret = own->tr;
	return 0;
}

int srk_owner_failed(TSS2_RC rc, const char *what, struct err **err)
{
	tpm_fail_auth(rc, what, err);
	if (tpm_rc_is(rc, TPM2_RC_BAD_AUTH) || tpm_rc_is(rc, TPM2_RC_AUTH_FAIL))
		return err_hint(err, "the owner hierarchy of this TPM has a password: give it to `cryptattest enroll` once, which makes the "
				     "storage primary persistent");
	return -1;
}

/* SRK_ECC's first failure is an answer to srk_show(), hence the code. */
static TSS2_RC create(struct tpm *t, enum srk_template which, TPMI_ALG_HASH name_alg, ESYS_TR session, struct srk *s)
{
	static const TPM2B_SENSITIVE_CREATE no_auth = { 0 };
	static const TPM2B_DATA no_data = { 0 };
	static const TPML_PCR_SELECTION no_pcrs = { 0 };
	TPM2B_PUBLIC wanted;
	TSS2_RC rc;

	srk_template(which, name_alg, &wanted);
	rc = TPM_CALL(t, Esys_CreatePrimary(t->esys, ESYS_TR_RH_OWNER, session, ESYS_TR_NONE, ESYS_TR_NONE, &no_auth, &wanted, &no_data,
					    &no_pcrs, &s->key.tr, NULL, NULL, NULL, NULL));
	if (rc != TSS2_RC_SUCCESS)
		s->key.tr = ESYS_TR_NONE;
	return rc;
}

/* The TPM knows no P-256: it blames a parameter. */
static bool lacks_curve(TSS2_RC rc)
{
	static const uint16_t codes[] = { TPM2_RC_CURVE, TPM2_RC_TYPE, TPM2_RC_VALUE, TPM2_RC_ASYMMETRIC, TPM2_RC_SCHEME, TPM2_RC_KDF };

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (tpm_rc_is(rc, codes[i]))
			return true;
	return false;
}

/* By the other template (or the same) where the TPM has not the curve of the first. */
static int create_either(struct tpm *t, enum srk_template first, enum srk_template other, TPMI_ALG_HASH name_alg,
			 const struct secret *owner_auth, struct srk *ret, struct err **err)
{
	_cleanup_loaded_ struct tpm_loaded own = TPM_LOADED(t);
	_cleanup_srk_ struct srk s = SRK_INIT(t);
	ESYS_TR session;
	TSS2_RC rc;

	if (srk_owner_session(t, owner_auth, SESSION_BOTH, &own, &session, err) < 0)
		return -1;
	rc = create(t, first, name_alg, session, &s);
	if (other != first && lacks_curve(rc))
		rc = create(t, other, name_alg, session, &s);
	if (rc != TSS2_RC_SUCCESS)
		return srk_owner_failed(rc, "making the storage primary", err);
	if (describe(t, &s, err) < 0)
		return -1;
	*ret = s;
	s.key.tr = ESYS_TR_NONE;
	return 0;
}

int srk_create(struct tpm *t, enum srk_template which, TPMI_ALG_HASH name_alg, const struct secret *owner_auth, struct srk *ret,
	       struct err **err)
{
	return create_either(t, which, which, name_alg, owner_auth, ret, err);
}

static int create_best(struct tpm *t, const struct secret *owner_auth, struct srk *ret, struct err **err)
{
	return create_either(t, SRK_ECC, SRK_RSA, TPM2_ALG_SHA256, owner_auth, ret, err);
}

int srk_show(struct tpm *t, struct srk *ret, struct err **err)
{
	struct srk s = SRK_INIT(t);

	if (srk_find(t, &s, err) < 0)
		return -1;
	if (s.key.tr == ESYS_TR_NONE && create_best(t, NULL, &s, err) < 0)
		return -1;
	*ret = s;
	return 0;
}

static int replaced(const struct tpm_name *found, const struct tpm_name *want, struct err **err)
{
	char f[2 * TPM_NAME_MAX + 1], w[2 * TPM_NAME_MAX + 1];

	tpm_name_text(found, f);
	tpm_name_text(want, w);
	err_set(err, ERR_TPM, "tpm-replaced", "this TPM's storage primary is %s, not %s", f, w);
	return err_hint(err, "if the TPM was exchanged or cleared on purpose, enrol the volume again; if not, somebody offers another TPM");
}

static int adopt(struct tpm *t, struct srk *s, struct err **err)
{
	struct tpm_loaded old = { .t = t, .tr = t->primary, .persistent = !t->primary_transient };

	if (session_open(t, s->key.tr, &s->name, err) < 0)
		return -1;
	if (old.tr != s->key.tr) /* one object of ESYS for a persistent handle: trusted a second time, it stays */
		tpm_loaded_flush(&old);
	t->primary_transient = !s->key.persistent;
	t->primary_name = s->name;
	t->primary = tpm_loaded_take(&s->key);
	return 0;
}

int srk_trust(struct tpm *t, const struct tpm_name *want, struct err **err)
{
	_cleanup_srk_ struct srk persistent = SRK_INIT(t), transient = SRK_INIT(t);
	_cleanup_err_ struct err *why = NULL;

	if (srk_find(t, &persistent, &why) < 0 && strcmp(err_id(why), "srk-type") != 0)
		return err_propagate(err, TAKE_PTR(why));
	if (persistent.key.tr != ESYS_TR_NONE && tpm_name_equal(&persistent.name, want))
		return adopt(t, &persistent, err);
	/* Sealed before the machine was provisioned, or somebody else uses the handle. */
	if (create_best(t, NULL, &transient, err) < 0)
		return -1;
	if (tpm_name_equal(&transient.name, want))
		return adopt(t, &transient, err);
	return replaced(persistent.key.tr != ESYS_TR_NONE ? &persistent.name : &transient.name, want, err);
}

int srk_provision(struct tpm *t, const struct secret *owner_auth, struct err **err)
{
	_cleanup_srk_ struct srk found = SRK_INIT(t), made = SRK_INIT(t);
	_cleanup_loaded_ struct tpm_loaded own = TPM_LOADED(t), kept = { .t = t, .tr = ESYS_TR_NONE, .persistent = true };
	ESYS_TR session;
	TSS2_RC rc;

	/* Trusted as such already. ESYS gives one object for it however often it is asked: released here, it were gone there. */
	if (t->primary != ESYS_TR_NONE && !t->primary_transient)
		return 0;
	if (srk_find(t, &found, err) < 0)
		return -1;
	if (found.key.tr != ESYS_TR_NONE)
		return 0;
	if (create_best(t, owner_auth, &made, err) < 0 || srk_owner_session(t, owner_auth, SESSION_AUTH, &own, &session, err) < 0)
		return -1;
	rc = TPM_CALL(t, Esys_EvictControl(t->esys, ESYS_TR_RH_OWNER, made.key.tr, session, ESYS_TR_NONE, ESYS_TR_NONE, SRK_HANDLE, &kept.tr));
	if (rc != TSS2_RC_SUCCESS) {
		kept.tr = ESYS_TR_NONE;
		return srk_owner_failed(rc, "making the storage primary persistent", err);
	}
	return 0;
}
