/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "vtpm/nv.h"

#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "vtpm/session.h"
#include "vtpm/srk.h"

void nv_release(struct nv *n)
{
	tpm_loaded_flush(&n->index);
}

static void nv_public(uint32_t index, TPMA_NV attributes, uint16_t size, TPM2B_NV_PUBLIC *ret)
{
	*ret = (TPM2B_NV_PUBLIC){ .nvPublic = {
		.nvIndex = index,
		.nameAlg = TPM2_ALG_SHA256,
		.attributes = attributes,
		.dataSize = size,
	} };
}

void nv_pin_public(uint32_t index, uint16_t size, const uint8_t policy[static 32], TPM2B_NV_PUBLIC *ret)
{
	nv_public(index, NV_PIN_ATTRIBUTES, size, ret);
	ret->nvPublic.authPolicy.size = 32;
	memcpy(ret->nvPublic.authPolicy.buffer, policy, 32);
}

void nv_counter_public(uint32_t index, TPM2B_NV_PUBLIC *ret)
{
	nv_public(index, NV_COUNTER_ATTRIBUTES, sizeof(uint64_t), ret);
}

bool nv_written(const TPM2B_NV_PUBLIC *pub)
{
	return (pub->nvPublic.attributes & TPMA_NV_WRITTEN) != 0;
}

int nv_name_written(const TPM2B_NV_PUBLIC *pub, struct tpm_name *ret, struct err **err)
{
	TPM2B_NV_PUBLIC written = *pub;

	written.nvPublic.attributes |= TPMA_NV_WRITTEN;
	return tpm_name_of_nv(&written, ret, err);
}

static void describe(const TPMS_NV_PUBLIC *p, char *out, size_t cap)
{
	char policy[2 * sizeof(p->authPolicy.buffer) + 1] = "none";

	if (p->authPolicy.size > 0 && p->authPolicy.size <= sizeof(p->authPolicy.buffer))
		hex_encode(p->authPolicy.buffer, p->authPolicy.size, policy);
	snprintf(out, cap, "attributes 0x%08x, %u bytes, name algorithm 0x%04x, policy %s", p->attributes & ~TPMA_NV_WRITTEN, p->dataSize,
		 p->nameAlg, policy);
}

int nv_same(const TPM2B_NV_PUBLIC *found, const TPM2B_NV_PUBLIC *wanted, struct err **err)
{
	const TPMS_NV_PUBLIC *f = &found->nvPublic, *w = &wanted->nvPublic;
	char is[256], should[256];

	if (f->nvIndex == w->nvIndex && f->nameAlg == w->nameAlg && f->dataSize == w->dataSize &&
	    (f->attributes & ~TPMA_NV_WRITTEN) == (w->attributes & ~TPMA_NV_WRITTEN) && f->authPolicy.size == w->authPolicy.size &&
	    memcmp(f->authPolicy.buffer, w->authPolicy.buffer, w->authPolicy.size) == 0)
		return 0;
	describe(f, is, sizeof(is));
	describe(w, should, sizeof(should));
	err_set(err, ERR_TPM, "nv-attributes", "NV index 0x%08x has %s; ours has %s", f->nvIndex, is, should);
	return err_hint(err, "another program uses this index: configure a free one, or remove it if it is an old one of ours");
}

int nv_find(struct tpm *t, uint32_t index, struct nv *ret, struct err **err)
{
	_cleanup_nv_ struct nv n = NV_INIT(t);
	TSS2_RC rc;

	rc = TPM_CALL(t, Esys_TR_FromTPMPublic(t->esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &n.index.tr));
	if (rc != TSS2_RC_SUCCESS) {
		n.index.tr = ESYS_TR_NONE;
		if (!tpm_rc_is(rc, TPM2_RC_HANDLE))
			return tpm_fail(rc, "looking for an NV index", err);
	} else if (tpm_nv_public_of(t, n.index.tr, &n.pub, err) < 0 || tpm_name_of_nv(&n.pub, &n.name, err) < 0) {
		return -1;
	} else if (n.pub.nvPublic.nvIndex != index) {
		return tpm_fail(TSS2_ESYS_RC_MALFORMED_RESPONSE, "looking for an NV index", err);
	}
	*ret = n;
	n.index.tr = ESYS_TR_NONE;
	return 0;
}

int nv_get(struct tpm *t, const TPM2B_NV_PUBLIC *wanted, struct nv *ret, struct err **err)
{
	_cleanup_nv_ struct nv n = NV_INIT(t);

	if (nv_find(t, wanted->nvPublic.nvIndex, &n, err) < 0)
		return -1;
	if (n.index.tr == ESYS_TR_NONE) {
		err_set(err, ERR_TPM, "nv-absent", "the TPM has no NV index 0x%08x", wanted->nvPublic.nvIndex);
		return err_hint(err, "`cryptattest enroll` defines it; a TPM that was cleared has lost it");
	}
	if (nv_same(&n.pub, wanted, err) < 0)
		return -1;
	*ret = n;
	n.index.tr = ESYS_TR_NONE;
	return 0;
}

static int define(struct tpm *t, const TPM2B_NV_PUBLIC *wanted, const struct secret *owner_auth, struct nv *n, struct err **err)
{
	static const TPM2B_AUTH no_auth = { 0 };
	_cleanup_loaded_ struct tpm_loaded own = TPM_LOADED(t);
	ESYS_TR session;
	TSS2_RC rc;

	if (srk_owner_session(t, owner_auth, SESSION_DECRYPT, &own, &session, err) < 0)
		return -1;
	rc = TPM_CALL(t, Esys_NV_DefineSpace(t->esys, ESYS_TR_RH_OWNER, session, ESYS_TR_NONE, ESYS_TR_NONE, &no_auth, wanted, &n->index.tr));
	if (rc != TSS2_RC_SUCCESS) {
		n->index.tr = ESYS_TR_NONE;
		return srk_owner_failed(rc, "defining an NV index", err);
	}
	n->pub = *wanted;
	return tpm_name_of_nv(&n->pub, &n->name, err);
}

int nv_define(struct tpm *t, const TPM2B_NV_PUBLIC *wanted, const struct secret *owner_auth, struct nv *ret, struct err **err)
{
	_cleanup_nv_ struct nv n = NV_INIT(t);
	const bool counter = (wanted->nvPublic.attributes & TPMA_NV_TPM2_NT_MASK) >> TPMA_NV_TPM2_NT_SHIFT == TPM2_NT_COUNTER;

	if (nv_find(t, wanted->nvPublic.nvIndex, &n, err) < 0)
		return -1;
	if (n.index.tr != ESYS_TR_NONE ? nv_same(&n.pub, wanted, err) < 0 : define(t, wanted, owner_auth, &n, err) < 0)
		return -1;
	if (counter && !nv_written(&n.pub) && nv_increment(t, &n, err) < 0)
		return -1;
	*ret = n;
	n.index.tr = ESYS_TR_NONE;
	return 0;
}

int nv_undefine(struct tpm *t, struct nv *n, const struct secret *owner_auth, struct err **err)
{
	_cleanup_loaded_ struct tpm_loaded own = TPM_LOADED(t);
	ESYS_TR session;
	TSS2_RC rc;

	if (srk_owner_session(t, owner_auth, SESSION_AUTH, &own, &session, err) < 0)
		return -1;
	rc = TPM_CALL(t, Esys_NV_UndefineSpace(t->esys, ESYS_TR_RH_OWNER, n->index.tr, session, ESYS_TR_NONE, ESYS_TR_NONE));
	if (rc != TSS2_RC_SUCCESS)
		return srk_owner_failed(rc, "removing an NV index", err);
	n->index.tr = ESYS_TR_NONE; /* ESYS dropped it with the index */
	return 0;
}

int nv_read(struct tpm *t, struct nv *n, uint8_t *out, size_t len, struct err **err)
{
	_cleanup_esys_ TPM2B_MAX_NV_BUFFER *data = NULL;
	TSS2_RC rc;

	if (len > NV_DATA_MAX || len > n->pub.nvPublic.dataSize)
		return err_set(err, ERR_INTERNAL, "nv-range", "%zu bytes of an NV index of %u", len, n->pub.nvPublic.dataSize);
	rc = TPM_CALL(t, Esys_NV_Read(t->esys, n->index.tr, n->index.tr, session_auth(t, SESSION_ENCRYPT), ESYS_TR_NONE, ESYS_TR_NONE,
				      (uint16_t)len, 0, &data));
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(rc, "reading an NV index", err);
	if (data->size != len)
		return tpm_fail(TSS2_ESYS_RC_MALFORMED_RESPONSE, "reading an NV index", err);
	memcpy(out, data->buffer, len);
	return 0;
}

/* A first write sets WRITTEN, which is part of the Name. */
static int now_written(struct nv *n, struct err **err)
{
	n->pub.nvPublic.attributes |= TPMA_NV_WRITTEN;
	return tpm_name_of_nv(&n->pub, &n->name, err);
}

int nv_write(struct tpm *t, struct nv *n, ESYS_TR policy, const uint8_t *data, size_t len, struct err **err)
{
	TPM2B_MAX_NV_BUFFER buffer = { .size = (uint16_t)len };
	TSS2_RC rc;

	if (len > NV_DATA_MAX || len > n->pub.nvPublic.dataSize)
		return err_set(err, ERR_INTERNAL, "nv-range", "%zu bytes for an NV index of %u", len, n->pub.nvPublic.dataSize);
	memcpy(buffer.buffer, data, len);
	rc = TPM_CALL(t, Esys_NV_Write(t->esys, n->index.tr, n->index.tr, policy, session_for(t, SESSION_DECRYPT), ESYS_TR_NONE, &buffer, 0));
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(rc, "writing an NV index", err);
	return now_written(n, err);
}

int nv_increment(struct tpm *t, struct nv *n, struct err **err)
{
	TSS2_RC rc = TPM_CALL(t, Esys_NV_Increment(t->esys, n->index.tr, n->index.tr, session_auth(t, SESSION_AUTH), ESYS_TR_NONE,
						   ESYS_TR_NONE));

	return rc == TSS2_RC_SUCCESS ? now_written(n, err) : tpm_fail(rc, "counting up an NV index", err);
}

int nv_counter(struct tpm *t, struct nv *n, uint64_t *ret, struct err **err)
{
	uint8_t be[sizeof(uint64_t)];
	uint64_t value = 0;

	if (nv_read(t, n, be, sizeof(be), err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(be); i++)
		value = value << 8 | be[i];
	*ret = value;
	return 0;
}
