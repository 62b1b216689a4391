/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "vtpm/binding.h"

#include <string.h>

#include "crypto/digest.h"
#include "vtpm/srk.h"

#define HANDLE_PERSISTENT_FIRST UINT32_C(0x81000000) /* TPM2_PERSISTENT_FIRST shifts a signed number too far */
#define PERSISTENT_MAX 256 /* handles looked at; a TPM has room for a few dozen */
#define NONCE_LEN 32

/* --- keys by handle --- */

static int open_handle(struct tpm *t, uint32_t handle, struct tpm_loaded *ret, TPM2B_PUBLIC *ret_pub, bool *ret_there, struct err **err)
{
	ESYS_TR tr = ESYS_TR_NONE;
	TSS2_RC rc;

	*ret_there = false;
	rc = TPM_CALL(t, Esys_TR_FromTPMPublic(t->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &tr));
	if (tpm_rc_is(rc, TPM2_RC_HANDLE) || tpm_rc_is(rc, TPM2_RC_VALUE))
		return 0;
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(rc, "opening a persistent key", err);
	*ret = (struct tpm_loaded){ .t = t, .tr = tr, .persistent = true };
	if (tpm_public_of(t, tr, ret_pub, err) < 0)
		return -1;
	*ret_there = true;
	return 0;
}

/* The key that the report names: by Name, or by modulus (claims hold no more). */
struct wanted {
	const struct public_key *key;
	const struct tpm_name *name; /* may be NULL */
	uint32_t first; /* where it usually is */
};

/* The exponent too: the peer says what it is, and with an exponent of one it would read what is encrypted to the right modulus. */
static bool same_rsa_key(const TPMT_PUBLIC *a, const struct public_key *k)
{
	uint64_t want = 0, got = a->parameters.rsaDetail.exponent ? a->parameters.rsaDetail.exponent : 65537;

	for (size_t i = 0; i < k->e_len; i++)
		want = want << 8 | k->e[i];
	return a->type == TPM2_ALG_RSA && got == want && a->unique.rsa.size == k->n_len && memcmp(a->unique.rsa.buffer, k->n, k->n_len) == 0;
}

static bool is_wanted(const struct wanted *w, const TPM2B_PUBLIC *pub)
{
	struct tpm_name name;

	if (w->name)
		return tpm_name_of_public(pub, &name, NULL) == 0 && tpm_name_equal(&name, w->name);
	return same_rsa_key(&pub->publicArea, w->key);
}

static int try_handle(struct tpm *t, const struct wanted *w, uint32_t handle, struct tpm_loaded *ret, bool *ret_found, struct err **err)
{
	_cleanup_loaded_ struct tpm_loaded key = TPM_LOADED(t);
	TPM2B_PUBLIC pub;
	bool there;

	if (open_handle(t, handle, &key, &pub, &there, err) < 0)
		return -1;
	*ret_found = there && is_wanted(w, &pub);
	if (*ret_found)
		*ret = (struct tpm_loaded){ .t = t, .tr = tpm_loaded_take(&key), .persistent = true };
	return 0;
}

/* The usual place first, then every persistent handle. */
static int find_persistent(struct tpm *t, const struct wanted *w, struct tpm_loaded *ret, bool *ret_found, struct err **err)
{
	uint32_t next = HANDLE_PERSISTENT_FIRST;
	TPMI_YES_NO more = TPM2_YES;

	*ret_found = false;
	if (try_handle(t, w, w->first, ret, ret_found, err) < 0)
		return -1;
	if (*ret_found)
		return 0;
	for (unsigned int seen = 0; more == TPM2_YES && seen < PERSISTENT_MAX;) {
		_cleanup_esys_ TPMS_CAPABILITY_DATA *data = NULL;
		TSS2_RC rc = TPM_CALL(t, Esys_GetCapability(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_HANDLES, next, 32,
							    &more, &data));

		if (rc != TSS2_RC_SUCCESS)
			return tpm_fail(rc, "asking the TPM for its keys", err);
		if (data->capability != TPM2_CAP_HANDLES || data->data.handles.count == 0)
			return 0;
		for (uint32_t i = 0; i < data->data.handles.count && i < TPM2_MAX_CAP_HANDLES; i++, seen++) {
			next = data->data.handles.handle[i] + 1;
			if (try_handle(t, w, next - 1, ret, ret_found, err) < 0)
				return -1;
			if (*ret_found)
				return 0;
		}
	}
	return 0;
}

/* --- the storage primary --- */

static int not_primary(struct err **err)
{
	return err_set(err, ERR_TPM, "vtpm-srk-kind", "the storage key that the TPM shows is not a primary of its owner hierarchy");
}

/*
 * That a key lies in the TPM says nothing about who else has it: an earlier system on the same machine may have imported one and made
 * it persistent. The TPM made this one itself and never gives it away (srk_check()), directly below the owner's seed.
 */
static int check_kind(const TPM2B_PUBLIC *pub, const struct tpm_name *name, const struct tpm_name *qualified, struct err **err)
{
	struct tpm_name want;

	if (srk_check(pub, err) < 0 || binding_qualified_name(name, &want, err) < 0)
		return -1;
	return tpm_name_equal(qualified, &want) ? 0 : not_primary(err);
}

static void take_name(const TPM2B_NAME *from, struct tpm_name *to)
{
	*to = (struct tpm_name){ .len = from->size <= TPM_NAME_MAX ? from->size : 0 };
	memcpy(to->bytes, from->name, to->len);
}

/* --- AK --- */

static int check_signature(const TPMT_SIGNATURE *sig, const TPM2B_ATTEST *attest, const struct public_key *ak, struct err **err)
{
	_cleanup_err_ struct err *e = NULL;
	enum digest_alg alg;

	if (sig->sigAlg != TPM2_ALG_RSASSA)
		return err_set(err, ERR_TPM, "vtpm-certify", "the certificate of the storage key is signed by scheme 0x%04x, not RSASSA",
			       sig->sigAlg);
	if (sig->signature.rsassa.hash == TPM2_ALG_SHA256)
		alg = DIGEST_SHA256;
	else if (sig->signature.rsassa.hash == TPM2_ALG_SHA384)
		alg = DIGEST_SHA384;
	else
		return err_set(err, ERR_TPM, "vtpm-certify", "the certificate of the storage key is signed over hash 0x%04x",
			       sig->signature.rsassa.hash);
	if (public_key_verify_rsassa(ak, alg, attest->attestationData, attest->size, sig->signature.rsassa.sig.buffer,
				     sig->signature.rsassa.sig.size, &e) == 0)
		return 0;
	if (err_class(e) != ERR_INTEGRITY)
		return err_propagate(err, TAKE_PTR(e));
	return err_set(err, ERR_TPM, "vtpm-certify",
		       "the storage key is not certified by the attestation key that the hardware report names: somebody else answers");
}

/* After the signature: until then the bytes are anybody's. */
static int check_certificate(const struct srk *primary, const TPM2B_ATTEST *attest, const uint8_t *nonce, struct err **err)
{
	struct binding_attest a;

	if (binding_attest_parse(attest->attestationData, attest->size, nonce, NONCE_LEN, &a, err) < 0)
		return -1;
	if (!tpm_name_equal(&a.name, &primary->name))
		return err_set(err, ERR_TPM, "vtpm-certify", "the certificate is about another key than the storage key that the TPM shows");
	return check_kind(&primary->pub, &primary->name, &a.qualified_name, err);
}

static int certify(struct tpm *t, ESYS_TR ak, const struct public_key *ak_key, struct tpm_name *ret, struct err **err)
{
	_cleanup_srk_ struct srk primary = SRK_INIT(t);
	_cleanup_esys_ TPM2B_ATTEST *attest = NULL;
	_cleanup_esys_ TPMT_SIGNATURE *sig = NULL;
	const TPMT_SIG_SCHEME scheme = { .scheme = TPM2_ALG_NULL };
	TPM2B_DATA nonce = { .size = NONCE_LEN };
	TSS2_RC rc;

	if (random_bytes(nonce.buffer, NONCE_LEN, err) < 0 || srk_show(t, &primary, err) < 0)
		return -1;
	rc = TPM_CALL(t, Esys_Certify(t->esys, primary.key.tr, ak, ESYS_TR_PASSWORD, ESYS_TR_PASSWORD, ESYS_TR_NONE, &nonce, &scheme, &attest,
				      &sig));
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail_auth(rc, "having the storage key certified", err);
	if (check_signature(sig, attest, ak_key, err) < 0 || check_certificate(&primary, attest, nonce.buffer, err) < 0)
		return -1;
	*ret = primary.name;
	return 0;
}

int binding_certify(struct tpm *t, const struct public_key *ak, struct tpm_name *ret, struct err **err)
{
	const struct wanted w = { .key = ak, .first = HANDLE_AZURE_AK };
	_cleanup_loaded_ struct tpm_loaded key = TPM_LOADED(t);
	bool found;

	if (find_persistent(t, &w, &key, &found, err) < 0)
		return -1;
	if (!found)
		return err_set(err, ERR_TPM, "vtpm-ak", "this TPM does not hold the attestation key that the hardware report names");
	return certify(t, key.tr, ak, ret, err);
}

/* --- EK --- */

/* The TCG's default template of RSA-2048 endorsement keys (EK profile, L-1): PolicySecret(endorsement) guards its use. */
static TPM2B_PUBLIC ek_template(void)
{
	TPM2B_PUBLIC p = { .publicArea = {
		.type = TPM2_ALG_RSA,
		.nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |
				    TPMA_OBJECT_ADMINWITHPOLICY | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
		.authPolicy = { .size = 32, .buffer = { 0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xB3, 0xF8, 0x1A, 0x90, 0xCC, 0x8D, 0x46, 0xA5, 0xD7, 0x24,
							0xFD, 0x52, 0xD7, 0x6E, 0x06, 0x52, 0x0B, 0x64, 0xF2, 0xA1, 0xDA, 0x1B, 0x33, 0x14, 0x69, 0xAA } },
		.parameters = { .rsaDetail = {
			.symmetric = { .algorithm = TPM2_ALG_AES, .keyBits = { .aes = 128 }, .mode = { .aes = TPM2_ALG_CFB } },
			.scheme = { .scheme = TPM2_ALG_NULL },
			.keyBits = 2048,
		} },
		.unique = { .rsa = { .size = 256 } },
	} };

	return p;
}

static TSS2_RC create_ek(struct tpm *t, const TPM2B_PUBLIC *template, struct tpm_loaded *ret)
{
	const TPM2B_SENSITIVE_CREATE sensitive = { 0 };
	const TPM2B_DATA outside = { 0 };
	const TPML_PCR_SELECTION no_pcrs = { 0 };
	ESYS_TR tr = ESYS_TR_NONE;
	TSS2_RC rc;

	rc = TPM_CALL(t, Esys_CreatePrimary(t->esys, ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, template, &outside,
					    &no_pcrs, &tr, NULL, NULL, NULL, NULL));
	if (rc == TSS2_RC_SUCCESS)
		*ret = (struct tpm_loaded){ .t = t, .tr = tr };
	return rc;
}

static int find_ek(struct tpm *t, const struct wanted *w, struct tpm_loaded *ret, struct err **err)
{
	_cleanup_loaded_ struct tpm_loaded made = TPM_LOADED(t);
	TPM2B_PUBLIC pub = ek_template();
	bool found;
	TSS2_RC rc;

	if (find_persistent(t, w, ret, &found, err) < 0)
		return -1;
	if (found)
		return 0;
	rc = create_ek(t, &pub, &made);
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail_auth(rc, "making the endorsement key", err);
	if (tpm_public_of(t, made.tr, &pub, err) < 0)
		return -1;
	if (!is_wanted(w, &pub))
		return err_set(err, ERR_TPM, "vtpm-ek", "this TPM does not hold the endorsement key that the hardware report names");
	*ret = (struct tpm_loaded){ .t = t, .tr = tpm_loaded_take(&made) };
	return 0;
}

/* The answer's HMAC is the proof: only who could decrypt the salt can make it. */
static int read_in_session(struct tpm *t, struct tpm_name *ret, struct err **err)
{
	_cleanup_srk_ struct srk primary = SRK_INIT(t);
	_cleanup_esys_ TPM2B_NAME *qualified = NULL;
	_cleanup_esys_ TPM2B_PUBLIC *pub = NULL;
	struct tpm_name name, q;
	TSS2_RC rc;

	if (srk_show(t, &primary, err) < 0)
		return -1;
	rc = TPM_CALL(t, Esys_ReadPublic(t->esys, primary.key.tr, session_for(t, SESSION_AUDIT), ESYS_TR_NONE, ESYS_TR_NONE, &pub, NULL,
					 &qualified));
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(rc, "reading the storage key", err);
	take_name(qualified, &q);
	if (tpm_name_of_public(pub, &name, err) < 0 || check_kind(pub, &name, &q, err) < 0)
		return -1;
	*ret = name;
	return 0;
}

int binding_read_salted(struct tpm *t, const struct public_key *ek, const struct tpm_name *ek_name, struct tpm_name *ret, struct err **err)
{
	const struct wanted w = { .key = ek, .name = ek_name, .first = HANDLE_EK_RSA };
	_cleanup_loaded_ struct tpm_loaded key = TPM_LOADED(t);
	struct tpm_name name;
	TPM2B_PUBLIC pub;
	int rc;

	if (find_ek(t, &w, &key, err) < 0 || tpm_public_of(t, key.tr, &pub, err) < 0 || tpm_name_of_public(&pub, &name, err) < 0 ||
	    session_open(t, key.tr, &name, err) < 0)
		return -1;
	rc = read_in_session(t, ret, err);
	session_forget(t);
	return rc;
}
