/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "vtpm/policy_run.h"

#include <string.h>

#include "crypto/digest.h"
#include "vtpm/counter.h"
#include "vtpm/seal.h"
#include "vtpm/session.h"

/* The digest of the values goes along: the TPM refuses at once when its PCRs are others by now. */
static int run_pcr(struct tpm *t, ESYS_TR session, enum pcr_bank bank, uint32_t mask, const uint8_t *digest, struct err **err)
{
	TPM2B_DIGEST values = { .size = POLICY_DIGEST };
	TPML_PCR_SELECTION selection;
	TSS2_RC rc;

	seal_selection(bank, mask, &selection);
	memcpy(values.buffer, digest, POLICY_DIGEST);
	rc = TPM_CALL(t, Esys_PolicyPCR(t->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &values, &selection));
	if (tpm_rc_is(rc, TPM2_RC_VALUE))
		return err_set(err, ERR_TPM, "pcr-changed", "a PCR was extended since it was read");
	return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(rc, "policy over PCRs", err);
}

/* The index authorizes its own reading (nv.h: an empty value). */
static int run_nv(struct tpm *t, ESYS_TR session, const struct policy_nv *nv, const char *id, const char *what, struct err **err)
{
	_cleanup_nv_ struct nv n = NV_INIT(t);
	TPM2B_OPERAND limit = { .size = 8 };
	TSS2_RC rc;

	if (counter_open(t, nv->index, &n, err) < 0)
		return -1;
	for (int i = 0; i < 8; i++)
		limit.buffer[i] = (BYTE)(nv->limit >> (56 - 8 * i));
	rc = TPM_CALL(t, Esys_PolicyNV(t->esys, n.index.tr, n.index.tr, session, session_auth(t, SESSION_AUTH), ESYS_TR_NONE, ESYS_TR_NONE,
				       &limit, 0, TPM2_EO_UNSIGNED_LE));
	if (tpm_rc_is(rc, TPM2_RC_POLICY))
		return err_set(err, ERR_TPM, id, "%s: counter 0x%08x is past %llu", what, nv->index, (unsigned long long)nv->limit);
	return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(rc, what, err);
}

static int make_signature(const struct policy *p, TPMT_SIGNATURE *ret, struct err **err)
{
	const struct pcr_sig *s = p->signature;
	TPMS_SIGNATURE_ECC *ec = &ret->signature.ecdsa;

	if (p->signer->key.rsa) {
		ret->sigAlg = TPM2_ALG_RSASSA;
		ret->signature.rsassa.hash = TPM2_ALG_SHA256;
		if (s->sig_len != p->signer->key.n_len)
			return err_set(err, ERR_TPM, "policy-signature", "the signature of the PCR policy has %zu bytes, the signer's have %zu",
				       s->sig_len, p->signer->key.n_len);
		ret->signature.rsassa.sig.size = (UINT16)s->sig_len;
		memcpy(ret->signature.rsassa.sig.buffer, s->sig, s->sig_len);
		return 0;
	}
	ret->sigAlg = TPM2_ALG_ECDSA;
	ec->hash = TPM2_ALG_SHA256;
	ec->signatureR.size = ec->signatureS.size = 32;
	if (ecdsa_signature_parse(s->sig, s->sig_len, 32, ec->signatureR.buffer, ec->signatureS.buffer, NULL) < 0)
		return err_set(err, ERR_TPM, "policy-signature", "the signature of the PCR policy is not one of ECDSA");
	return 0;
}

/* In the owner hierarchy: tickets of the null hierarchy are empty, and PolicyAuthorize would not take them (5.2). */
static int load_signer(struct tpm *t, const struct pcr_signer *signer, struct tpm_loaded *ret, struct err **err)
{
	TPM2B_PUBLIC pub = { 0 };
	ESYS_TR key = ESYS_TR_NONE;
	size_t off = 0;
	TSS2_RC rc = Tss2_MU_TPMT_PUBLIC_Unmarshal(signer->area, signer->area_len, &off, &pub.publicArea);

	if (rc == TSS2_RC_SUCCESS)
		rc = TPM_CALL(t, Esys_LoadExternal(t->esys, session_for(t, SESSION_AUDIT), ESYS_TR_NONE, ESYS_TR_NONE, NULL, &pub,
						   ESYS_TR_RH_OWNER, &key));
	if (tpm_rc_is(rc, TPM2_RC_VALUE) || tpm_rc_is(rc, TPM2_RC_KEY_SIZE) || tpm_rc_is(rc, TPM2_RC_CURVE))
		return err_set(err, ERR_TPM, "policy-signature", "this TPM does not know keys like the signer's (0x%x)", rc);
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(rc, "loading the signer's key", err);
	*ret = (struct tpm_loaded){ .t = t, .tr = key };
	return 0;
}

/* The ticket says that the TPM checked this signature with the key of that Name. */
static int verify(struct tpm *t, const struct policy *p, const uint8_t *approved, TPMT_TK_VERIFIED *ret, struct err **err)
{
	_cleanup_loaded_ struct tpm_loaded key = TPM_LOADED(t);
	_cleanup_esys_ TPMT_TK_VERIFIED *ticket = NULL;
	TPMT_SIGNATURE sig = { 0 };
	TPM2B_DIGEST signed_digest = { .size = 32 };
	uint8_t digest[DIGEST_MAX];
	TSS2_RC rc;

	if (make_signature(p, &sig, err) < 0 || load_signer(t, p->signer, &key, err) < 0 ||
	    digest_bytes(DIGEST_SHA256, approved, POLICY_DIGEST, digest, err) < 0)
		return -1;
	memcpy(signed_digest.buffer, digest, 32);
	rc = TPM_CALL(t, Esys_VerifySignature(t->esys, key.tr, session_for(t, SESSION_AUDIT), ESYS_TR_NONE, ESYS_TR_NONE, &signed_digest, &sig,
					      &ticket));
	if (tpm_rc_is(rc, TPM2_RC_SIGNATURE) || tpm_rc_is(rc, TPM2_RC_SIZE) || tpm_rc_is(rc, TPM2_RC_VALUE))
		return err_set(err, ERR_TPM, "policy-signature", "the TPM does not accept the signature of the PCR policy");
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(rc, "checking the signature of the PCR policy", err);
	*ret = *ticket;
	return 0;
}

static int run_authorize(struct tpm *t, ESYS_TR session, const struct policy *p, struct err **err)
{
	TPM2B_DIGEST approved = { .size = POLICY_DIGEST };
	static const TPM2B_NONCE no_ref = { .size = 0 };
	TPM2B_NAME signer = { .size = (UINT16)p->signer->name.len };
	TPMT_TK_VERIFIED ticket;
	TSS2_RC rc;

	if (!p->signature)
		return err_set(err, ERR_TPM, "policy-signature", "no signed policy approves these PCR values");
	memcpy(signer.name, p->signer->name.bytes, p->signer->name.len);
	if (policy_approved(p, approved.buffer, err) < 0 || verify(t, p, approved.buffer, &ticket, err) < 0 ||
	    run_pcr(t, session, p->bank, p->signed_pcrs, p->signed_digest, err) < 0)
		return -1;
	if (p->version.index && run_nv(t, session, &p->version, "policy-version", "the signed policy is too old", err) < 0)
		return -1;
	rc = TPM_CALL(t, Esys_PolicyAuthorize(t->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &approved, &no_ref, &signer,
					      &ticket));
	if (tpm_rc_is(rc, TPM2_RC_VALUE) || tpm_rc_is(rc, TPM2_RC_TICKET))
		return err_set(err, ERR_TPM, "policy-signature", "the TPM does not take this state for the approved one");
	return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(rc, "signed policy", err);
}

int policy_run(struct tpm *t, ESYS_TR session, const struct policy *p, struct err **err)
{
	TSS2_RC rc;

	if (p->signer && run_authorize(t, session, p, err) < 0)
		return -1;
	if (p->pcrs && run_pcr(t, session, p->bank, p->pcrs, p->pcr_digest, err) < 0)
		return -1;
	if (p->offline.index && run_nv(t, session, &p->offline, "offline-budget", "the allowance of offline boots is used up", err) < 0)
		return -1;
	if (!p->pin)
		return 0;
	rc = TPM_CALL(t, Esys_PolicyAuthValue(t->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE));
	return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(rc, "policy over the PIN", err);
}

int policy_session_digest(struct tpm *t, ESYS_TR session, uint8_t out[static POLICY_DIGEST], struct err **err)
{
	_cleanup_esys_ TPM2B_DIGEST *digest = NULL;
	TSS2_RC rc = TPM_CALL(t, Esys_PolicyGetDigest(t->esys, session, session_for(t, SESSION_AUDIT), ESYS_TR_NONE, ESYS_TR_NONE, &digest));

	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(rc, "reading a policy digest", err);
	if (digest->size != POLICY_DIGEST)
		return err_set(err, ERR_TPM, "tpm-session", "a policy digest of %u bytes", digest->size);
	memcpy(out, digest->buffer, POLICY_DIGEST);
	return 0;
}
