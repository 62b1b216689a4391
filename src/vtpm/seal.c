/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "vtpm/seal.h"

#include <string.h>

#include "base/cleanup.h"
#include "vtpm/origin.h"
#include "vtpm/session.h"

#define FIXED (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT)

static TPMA_OBJECT attributes_for(bool pin)
{
	/* Without a PIN there is nothing to guess, and a lockout that somebody else caused must not keep us out. */
	return pin ? FIXED : FIXED | TPMA_OBJECT_NODA;
}

static int need_session(const struct tpm *t, struct err **err)
{
	return session_is_open(t) ? 0 : err_set(err, ERR_INTERNAL, "tpm-untrusted", "a sealed object before the TPM is trusted");
}

void seal_selection(enum pcr_bank bank, uint32_t mask, TPML_PCR_SELECTION *ret)
{
	*ret = (TPML_PCR_SELECTION){
		.count = 1,
		.pcrSelections = { { .hash = pcr_bank_alg(bank),
				     .sizeofSelect = 3,
				     .pcrSelect = { (BYTE)mask, (BYTE)(mask >> 8), (BYTE)(mask >> 16) } } },
	};
}

void seal_result_clear(struct seal_result *r)
{
	free(r->pub.data);
	free(r->priv.data);
	free(r->creation_data.data);
	free(r->creation_ticket.data);
	memset(r, 0, sizeof(*r));
}

static int keep(struct sealed_bytes *ret, TSS2_RC rc, const uint8_t *data, size_t len, struct err **err)
{
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(rc, "encoding a sealed object", err);
	ret->data = malloc(len);
	if (!ret->data)
		return err_nomem(err);
	memcpy(ret->data, data, len);
	ret->len = len;
	return 0;
}

static int keep_result(const TPM2B_PUBLIC *pub, const TPM2B_PRIVATE *priv, const TPM2B_CREATION_DATA *data, const TPMT_TK_CREATION *ticket,
		       struct seal_result *ret, struct err **err)
{
	uint8_t b[SEALED_PART_MAX];
	size_t n = 0;
	TSS2_RC rc = Tss2_MU_TPM2B_PUBLIC_Marshal(pub, b, sizeof(b), &n);

	if (keep(&ret->pub, rc, b, n, err) < 0)
		return -1;
	rc = Tss2_MU_TPM2B_PRIVATE_Marshal(priv, b, sizeof(b), (n = 0, &n));
	if (keep(&ret->priv, rc, b, n, err) < 0)
		return -1;
	rc = Tss2_MU_TPM2B_CREATION_DATA_Marshal(data, b, sizeof(b), (n = 0, &n));
	if (keep(&ret->creation_data, rc, b, n, err) < 0)
		return -1;
	rc = Tss2_MU_TPMT_TK_CREATION_Marshal(ticket, b, sizeof(b), (n = 0, &n));
	return keep(&ret->creation_ticket, rc, b, n, err);
}

static int create(struct tpm *t, const TPM2B_SENSITIVE_CREATE *sensitive, const TPM2B_PUBLIC *template,
		  const TPML_PCR_SELECTION *creation, struct seal_result *ret, struct err **err)
{
	_cleanup_esys_ TPM2B_PRIVATE *priv = NULL;
	_cleanup_esys_ TPM2B_PUBLIC *pub = NULL;
	_cleanup_esys_ TPM2B_CREATION_DATA *data = NULL;
	_cleanup_esys_ TPM2B_DIGEST *hash = NULL;
	_cleanup_esys_ TPMT_TK_CREATION *ticket = NULL;
	TPM2B_DATA label = { .size = sizeof(ORIGIN_LABEL) - 1 };
	struct seal_result r = { 0 };
	TSS2_RC rc;

	memcpy(label.buffer, ORIGIN_LABEL, sizeof(ORIGIN_LABEL) - 1);
	rc = TPM_CALL(t, Esys_Create(t->esys, t->primary, session_for(t, SESSION_BOTH), ESYS_TR_NONE, ESYS_TR_NONE, sensitive, template, &label,
				     creation, &priv, &pub, &data, &hash, &ticket));
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(rc, "sealing", err);
	if (keep_result(pub, priv, data, ticket, &r, err) < 0) {
		seal_result_clear(&r);
		return -1;
	}
	*ret = r;
	return 0;
}

int seal_create(struct tpm *t, const uint8_t policy[static POLICY_DIGEST], const struct secret *data, const struct secret *pin_value,
		enum pcr_bank bank, uint32_t creation_mask, struct seal_result *ret, struct err **err)
{
	TPM2B_PUBLIC template = { .publicArea = { .type = TPM2_ALG_KEYEDHASH,
						  .nameAlg = TPM2_ALG_SHA256,
						  .objectAttributes = attributes_for(pin_value != NULL),
						  .authPolicy = { .size = POLICY_DIGEST },
						  .parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL } };
	TPM2B_SENSITIVE_CREATE sensitive = { 0 };
	TPML_PCR_SELECTION creation;
	int r;

	if (need_session(t, err) < 0)
		return -1;
	if (secret_len(data) == 0 || secret_len(data) > SEAL_DATA_MAX)
		return err_set(err, ERR_CONFIG, "seal-size", "%zu bytes cannot be sealed, 1 to %d can", secret_len(data), SEAL_DATA_MAX);
	memcpy(template.publicArea.authPolicy.buffer, policy, POLICY_DIGEST);
	seal_selection(bank, creation_mask, &creation);
	sensitive.sensitive.data.size = (UINT16)secret_len(data);
	memcpy(sensitive.sensitive.data.buffer, secret_cdata(data), secret_len(data));
	if (pin_value) {
		sensitive.sensitive.userAuth.size = (UINT16)secret_len(pin_value);
		memcpy(sensitive.sensitive.userAuth.buffer, secret_cdata(pin_value), secret_len(pin_value));
	}
	r = create(t, &sensitive, &template, &creation, ret, err);
	wipe(&sensitive, sizeof(sensitive));
	tpm_scrub(t, secret_cdata(data), secret_len(data));
	if (pin_value)
		tpm_scrub(t, secret_cdata(pin_value), secret_len(pin_value));
	return r;
}

int seal_check_public(const struct sealed_bytes *pub, bool pin, TPM2B_PUBLIC *ret, struct err **err)
{
	TPM2B_PUBLIC p = { 0 };
	const TPMT_PUBLIC *a = &p.publicArea;
	size_t off = 0;

	/* tss2-mu 3.2 does not look at the length in front. */
	if (Tss2_MU_TPM2B_PUBLIC_Unmarshal(pub->data, pub->len, &off, &p) != TSS2_RC_SUCCESS || off != pub->len || p.size != off - 2)
		return err_set(err, ERR_INTEGRITY, "sealed-object", "the public area of the sealed object does not parse");
	if (a->type != TPM2_ALG_KEYEDHASH || a->nameAlg != TPM2_ALG_SHA256 ||
	    a->parameters.keyedHashDetail.scheme.scheme != TPM2_ALG_NULL)
		return err_set(err, ERR_TPM, "sealed-attributes", "not a sealed object with a SHA-256 Name");
	if ((a->objectAttributes & FIXED) != FIXED)
		return err_set(err, ERR_TPM, "sealed-attributes",
			       "the sealed object is not bound to one TPM (fixedTPM, fixedParent): it was imported from elsewhere");
	if (a->objectAttributes != attributes_for(pin) || a->authPolicy.size != POLICY_DIGEST)
		return err_set(err, ERR_TPM, "sealed-attributes", "the sealed object has attributes 0x%x, ours have 0x%x%s",
			       a->objectAttributes, attributes_for(pin), a->authPolicy.size ? "" : " and a policy");
	*ret = p;
	return 0;
}

int seal_load(struct tpm *t, const TPM2B_PUBLIC *pub, const struct sealed_bytes *priv, struct tpm_loaded *ret, struct err **err)
{
	return seal_load_under(t, t->primary, pub, priv, ret, err);
}

int seal_load_under(struct tpm *t, ESYS_TR parent, const TPM2B_PUBLIC *pub, const struct sealed_bytes *priv, struct tpm_loaded *ret,
		    struct err **err)
{
	TPM2B_PRIVATE p = { 0 };
	ESYS_TR object = ESYS_TR_NONE;
	size_t off = 0;
	TSS2_RC rc;

	if (need_session(t, err) < 0)
		return -1;
	if (Tss2_MU_TPM2B_PRIVATE_Unmarshal(priv->data, priv->len, &off, &p) != TSS2_RC_SUCCESS || off != priv->len)
		return err_set(err, ERR_INTEGRITY, "sealed-object", "the private area of the sealed object does not parse");
	rc = TPM_CALL(t, Esys_Load(t->esys, parent, session_for(t, SESSION_AUTH), ESYS_TR_NONE, ESYS_TR_NONE, &p, pub, &object));
	/* A parameter that the TPM cannot use at all: not even the shape of an object. INTEGRITY is about what is inside. */
	if (tpm_rc_from_tpm(rc) && (rc & TPM2_RC_P) && (rc & TPM2_RC_FMT1) && tpm_rc_base(rc) != TPM2_RC_INTEGRITY)
		return err_set(err, ERR_INTEGRITY, "sealed-object", "the sealed object is damaged (0x%x)", rc);
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(rc, "loading the sealed object", err);
	*ret = (struct tpm_loaded){ .t = t, .tr = object };
	return 0;
}

static int set_auth(struct tpm *t, ESYS_TR object, const struct secret *value, struct err **err)
{
	TPM2B_AUTH auth = { .size = (UINT16)secret_len(value) };
	TSS2_RC rc;

	memcpy(auth.buffer, secret_cdata(value), secret_len(value));
	rc = Esys_TR_SetAuth(t->esys, object, &auth);
	wipe(&auth, sizeof(auth));
	return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(rc, "setting the PIN", err);
}

int seal_unseal(struct tpm *t, ESYS_TR object, struct tpm_loaded *policy, const struct secret *pin_value, struct secret **ret,
		struct err **err)
{
	TPM2B_SENSITIVE_DATA *data = NULL;
	TSS2_RC rc;
	int r;

	if (need_session(t, err) < 0 || (pin_value && set_auth(t, object, pin_value, err) < 0))
		return -1;
	/* It ends with this command when it succeeds: one command less. */
	rc = Esys_TRSess_SetAttributes(t->esys, policy->tr, 0, TPMA_SESSION_CONTINUESESSION);
	if (rc == TSS2_RC_SUCCESS)
		rc = TPM_CALL(t, Esys_Unseal(t->esys, object, policy->tr, session_for(t, SESSION_ENCRYPT), ESYS_TR_NONE, &data));
	if (rc != TSS2_RC_SUCCESS)
		return pin_value ? tpm_fail_auth(rc, "unsealing", err) : tpm_fail(rc, "unsealing", err);
	policy->tr = ESYS_TR_NONE;
	r = secret_from(data->buffer, data->size, ret, err);
	tpm_scrub(t, data->buffer, data->size);
	wipe(data, sizeof(*data));
	Esys_Free(data);
	return r;
}
