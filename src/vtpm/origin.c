/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "vtpm/origin.h"

#include <string.h>

#include "crypto/digest.h"
#include "vtpm/session.h"

static int unproven(struct err **err, const char *why)
{
	return err_set(err, ERR_TPM, "sealed-origin", "nothing proves that this system sealed this secret: %s", why);
}

/* The PCRs of the selection; false when it names another bank, several, or PCRs past 23. */
static bool selected(const TPML_PCR_SELECTION *l, enum pcr_bank bank, uint32_t *ret)
{
	const TPMS_PCR_SELECTION *s = &l->pcrSelections[0];
	uint32_t mask = 0;

	if (l->count != 1 || s->hash != pcr_bank_alg(bank) || s->sizeofSelect > TPM2_PCR_SELECT_MAX)
		return false;
	for (unsigned int i = 0; i < s->sizeofSelect; i++) {
		if (i < 3)
			mask |= (uint32_t)s->pcrSelect[i] << 8 * i;
		else if (s->pcrSelect[i])
			return false;
	}
	*ret = mask;
	return true;
}

static bool is_label(const TPM2B_DATA *d)
{
	return d->size == sizeof(ORIGIN_LABEL) - 1 && memcmp(d->buffer, ORIGIN_LABEL, d->size) == 0;
}

int origin_check_data(const struct sealed_bytes *creation_data, const struct pcr_values *want, uint32_t mask,
		      const struct tpm_name *primary, struct err **err)
{
	TPM2B_CREATION_DATA data = { 0 };
	const TPMS_CREATION_DATA *d = &data.creationData;
	uint8_t digest[POLICY_DIGEST];
	uint32_t found;
	size_t off = 0;

	if (!creation_data->len)
		return unproven(err, "the sealed file has no creation data");
	if (Tss2_MU_TPM2B_CREATION_DATA_Unmarshal(creation_data->data, creation_data->len, &off, &data) != TSS2_RC_SUCCESS ||
	    off != creation_data->len)
		return unproven(err, "its creation data do not parse");
	if (!is_label(&d->outsideInfo))
		return unproven(err, "its creation data name another program");
	if (!selected(&d->pcrSelect, want->bank, &found) || found != mask)
		return unproven(err, "its creation data name other PCRs than the configuration");
	if (policy_pcr_digest(want, mask, digest, err) < 0)
		return -1;
	if (d->pcrDigest.size != sizeof(digest) || memcmp(d->pcrDigest.buffer, digest, sizeof(digest)) != 0)
		return unproven(err, "the PCRs had other values when it was made, or the cap register had moved");
	if (d->locality != TPMA_LOCALITY_TPM2_LOC_ZERO || d->parentNameAlg != TPM2_ALG_SHA256 ||
	    d->parentName.size != primary->len || memcmp(d->parentName.name, primary->bytes, primary->len) != 0)
		return unproven(err, "it was made under another primary or locality");
	return 0;
}

static int attested(const TPM2B_ATTEST *info, const struct tpm_name *name, const TPM2B_DIGEST *hash, struct err **err)
{
	TPMS_ATTEST a = { 0 };
	const TPMS_CREATION_INFO *c = &a.attested.creation;
	size_t off = 0;

	if (Tss2_MU_TPMS_ATTEST_Unmarshal(info->attestationData, info->size, &off, &a) != TSS2_RC_SUCCESS || off != info->size ||
	    a.magic != TPM2_GENERATED_VALUE || a.type != TPM2_ST_ATTEST_CREATION || c->objectName.size != name->len ||
	    memcmp(c->objectName.name, name->bytes, name->len) != 0 || c->creationHash.size != hash->size ||
	    memcmp(c->creationHash.buffer, hash->buffer, hash->size) != 0)
		return unproven(err, "the TPM certified something else");
	return 0;
}

static int hash_data(const struct sealed_bytes *data, TPM2B_DIGEST *ret, struct err **err)
{
	uint8_t digest[DIGEST_MAX];

	/* TPMS_CREATION_DATA: without the two bytes of length. */
	if (digest_bytes(DIGEST_SHA256, data->data + 2, data->len - 2, digest, err) < 0)
		return -1;
	*ret = (TPM2B_DIGEST){ .size = 32 };
	memcpy(ret->buffer, digest, 32);
	return 0;
}

int origin_certify(struct tpm *t, const struct tpm_loaded *object, const struct tpm_name *name, const struct sealed_bytes *creation_data,
		   const struct sealed_bytes *ticket, struct err **err)
{
	static const TPMT_SIG_SCHEME none = { .scheme = TPM2_ALG_NULL };
	static const TPM2B_DATA nothing = { .size = 0 };
	_cleanup_esys_ TPM2B_ATTEST *info = NULL;
	_cleanup_esys_ TPMT_SIGNATURE *sig = NULL;
	TPMT_TK_CREATION tk = { 0 };
	TPM2B_DIGEST hash;
	size_t off = 0;
	TSS2_RC rc;

	if (!session_is_open(t))
		return err_set(err, ERR_INTERNAL, "tpm-untrusted", "a proof of origin before the TPM is trusted");
	if (!creation_data->len || Tss2_MU_TPMT_TK_CREATION_Unmarshal(ticket->data, ticket->len, &off, &tk) != TSS2_RC_SUCCESS ||
	    off != ticket->len || tk.hierarchy != TPM2_RH_OWNER)
		return unproven(err, "its creation ticket does not parse, or is of another hierarchy");
	if (hash_data(creation_data, &hash, err) < 0)
		return -1;
	rc = TPM_CALL(t, Esys_CertifyCreation(t->esys, ESYS_TR_RH_NULL, object->tr, session_for(t, SESSION_AUTH), ESYS_TR_NONE,
					      ESYS_TR_NONE, &nothing, &hash, &none, &tk, &info, &sig));
	/* Ticket, Name and hash do not fit together, or a parameter cannot be one: all of them are the file's. */
	if (tpm_rc_from_tpm(rc) && (rc & TPM2_RC_FMT1) && (rc & TPM2_RC_P))
		return unproven(err, "the TPM does not know its creation ticket");
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(rc, "checking the origin of the sealed object", err);
	return attested(info, name, &hash, err);
}
