/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* NV access for the proofs of binding.h. What is read here is judged by the signatures in it, so no session protects it. */
#include <stdlib.h>
#include <string.h>

#include "vtpm/binding.h"
#include "vtpm/nv.h"
#include "vtpm/srk.h"

#define CHUNK_MAX 1024 /* TPM2_PT_NV_BUFFER_MAX is at least this much on a PC (PTP 4.6.3); larger ones gain nothing here */
#define CHUNK_MIN 256

int binding_nv_exists(struct tpm *t, uint32_t index, bool *ret, struct err **err)
{
	_cleanup_nv_ struct nv nv = NV_INIT(t);

	if (nv_find(t, index, &nv, err) < 0)
		return err_wrap(err, "NV 0x%08x", index);
	*ret = nv.index.tr != ESYS_TR_NONE;
	return 0;
}

/* One part; halves the chunk when the TPM takes less at once. */
static int read_part(struct tpm *t, ESYS_TR auth, ESYS_TR nv, size_t *chunk, uint8_t *out, size_t len, size_t off, size_t *ret_n,
		     struct err **err)
{
	_cleanup_esys_ TPM2B_MAX_NV_BUFFER *part = NULL;
	size_t n = len - off < *chunk ? len - off : *chunk;
	TSS2_RC rc;

	rc = TPM_CALL(t, Esys_NV_Read(t->esys, auth, nv, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, (uint16_t)n, (uint16_t)off, &part));
	if (tpm_rc_is(rc, TPM2_RC_VALUE) && n > CHUNK_MIN) {
		*chunk = n / 2;
		*ret_n = 0;
		return 0;
	}
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail_auth(rc, "reading an NV index", err);
	if (part->size != n)
		return tpm_fail(TSS2_ESYS_RC_MALFORMED_RESPONSE, "reading an NV index", err);
	memcpy(out + off, part->buffer, n);
	*ret_n = n;
	return 0;
}

int binding_nv_read(struct tpm *t, uint32_t index, size_t max, uint8_t **ret, size_t *ret_len, struct err **err)
{
	_cleanup_nv_ struct nv nv = NV_INIT(t);
	_cleanup_free_ uint8_t *out = NULL;
	size_t chunk = CHUNK_MAX, off = 0, n = 0, len;
	ESYS_TR auth;

	if (nv_find(t, index, &nv, err) < 0)
		return err_wrap(err, "NV 0x%08x", index);
	if (nv.index.tr == ESYS_TR_NONE)
		return err_set(err, ERR_TPM, "nv-absent", "this TPM has no NV index 0x%08x", index);
	len = nv.pub.nvPublic.dataSize;
	if (len == 0 || len > max)
		return err_set(err, ERR_TPM, "nv-range", "NV 0x%08x has %zu bytes, at most %zu are expected", index, len, max);
	auth = nv.pub.nvPublic.attributes & TPMA_NV_OWNERREAD ? ESYS_TR_RH_OWNER : nv.index.tr;
	out = malloc(len);
	if (!out)
		return err_nomem(err);
	for (; off < len; off += n)
		if (read_part(t, auth, nv.index.tr, &chunk, out, len, off, &n, err) < 0)
			return err_wrap(err, "NV 0x%08x", index);
	*ret = TAKE_PTR(out);
	*ret_len = len;
	return 0;
}

/* One that is there but of another size, or not the owner's to write, gives way. */
static int open_for_writing(struct tpm *t, uint32_t index, size_t len, struct nv *ret, struct err **err)
{
	const TPM2B_NV_PUBLIC wanted = { .nvPublic = {
		.nvIndex = index,
		.nameAlg = TPM2_ALG_SHA256,
		.attributes = TPMA_NV_OWNERREAD | TPMA_NV_OWNERWRITE,
		.dataSize = (uint16_t)len,
	} };
	const TPMS_NV_PUBLIC *pub = &ret->pub.nvPublic;

	if (nv_find(t, index, ret, err) < 0)
		return -1;
	if (ret->index.tr != ESYS_TR_NONE) {
		if (pub->dataSize == len && pub->attributes & TPMA_NV_OWNERWRITE)
			return 0;
		if (nv_undefine(t, ret, NULL, err) < 0)
			return -1;
	}
	return nv_define(t, &wanted, NULL, ret, err);
}

int binding_nv_write(struct tpm *t, uint32_t index, const uint8_t *data, size_t len, struct err **err)
{
	_cleanup_nv_ struct nv nv = NV_INIT(t);
	TPM2B_MAX_NV_BUFFER b = { .size = (uint16_t)len };
	TSS2_RC rc;

	if (len > CHUNK_MIN)
		return err_set(err, ERR_INTERNAL, "nv-range", "%zu bytes in one write", len);
	memcpy(b.buffer, data, len);
	if (open_for_writing(t, index, len, &nv, err) < 0)
		return err_wrap(err, "NV 0x%08x", index);
	rc = TPM_CALL(t, Esys_NV_Write(t->esys, ESYS_TR_RH_OWNER, nv.index.tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &b, 0));
	return rc == TSS2_RC_SUCCESS ? 0 : (srk_owner_failed(rc, "writing an NV index", err), err_wrap(err, "NV 0x%08x", index));
}
