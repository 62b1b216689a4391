/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/lib/azure_tpm.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_tcti.h>

#include "base/cleanup.h"
#include "crypto/digest.h"
#include "vtpm/binding.h"

#define INDEX_SIZE 2600 /* as Azure's */
#define CC_NV_WRITE 0x137
#define CC_NV_READ 0x14E
#define CC_NV_READ_PUBLIC 0x169

static void must(bool ok, const char *what, unsigned int rc)
{
	if (ok)
		return;
	fprintf(stderr, "azure_tpm: %s (0x%x)\n", what, rc);
	exit(99);
}

/* --- keys and indices, over a connection of their own --- */

struct conn {
	const struct tpm_access *access;
	void *tcti;
	ESYS_CONTEXT *esys;
};

static struct conn conn_open(struct swtpm *s)
{
	struct conn c = { .access = swtpm_access(s) };
	TSS2_RC rc;

	setenv("TSS2_LOG", "all+none", 0); /* as tpm_open() does, which comes later here */
	must(c.access->open(c.access, AT_FDCWD, &c.tcti, NULL) == 0, "connect", 0);
	rc = Esys_Initialize(&c.esys, c.tcti, NULL);
	must(rc == 0, "Esys_Initialize", rc);
	return c;
}

static void conn_close(struct conn *c)
{
	Esys_Finalize(&c->esys);
	c->access->close(c->tcti);
}

static const TPMT_SYM_DEF_OBJECT aes = { .algorithm = TPM2_ALG_AES, .keyBits = { .aes = 128 }, .mode = { .aes = TPM2_ALG_CFB } };

#define KEPT (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN)

static TPM2B_PUBLIC rsa_template(TPMA_OBJECT attributes)
{
	TPM2B_PUBLIC p = { .publicArea = { .type = TPM2_ALG_RSA, .nameAlg = TPM2_ALG_SHA256, .objectAttributes = attributes } };

	p.publicArea.parameters.rsaDetail.keyBits = 2048;
	if (attributes & TPMA_OBJECT_SIGN_ENCRYPT) {
		p.publicArea.parameters.rsaDetail.symmetric.algorithm = TPM2_ALG_NULL;
		p.publicArea.parameters.rsaDetail.scheme.scheme = TPM2_ALG_RSASSA;
		p.publicArea.parameters.rsaDetail.scheme.details.rsassa.hashAlg = TPM2_ALG_SHA256;
	} else {
		p.publicArea.parameters.rsaDetail.symmetric = aes;
		p.publicArea.parameters.rsaDetail.scheme.scheme = TPM2_ALG_NULL;
	}
	return p;
}

/* By the book rather than by what the code under test holds: TCG EK Credential Profile, template L-1. */
static TPM2B_PUBLIC ek_template(void)
{
	static const uint8_t policy[32] = { 0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc,
					    0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52,
					    0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa };
	TPM2B_PUBLIC p = rsa_template(0x000300B2);

	p.publicArea.authPolicy.size = sizeof(policy);
	memcpy(p.publicArea.authPolicy.buffer, policy, sizeof(policy));
	p.publicArea.unique.rsa.size = 256;
	return p;
}

static ESYS_TR primary(struct conn *c, ESYS_TR hierarchy, const TPM2B_PUBLIC *template, TPM2B_PUBLIC **ret)
{
	const TPM2B_SENSITIVE_CREATE sensitive = { 0 };
	const TPM2B_DATA outside = { 0 };
	const TPML_PCR_SELECTION pcrs = { 0 };
	ESYS_TR tr = ESYS_TR_NONE;
	TSS2_RC rc = Esys_CreatePrimary(c->esys, hierarchy, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, template, &outside,
					&pcrs, &tr, ret, NULL, NULL, NULL);

	must(rc == 0, "CreatePrimary", rc);
	return tr;
}

static void persist(struct conn *c, ESYS_TR key, uint32_t handle)
{
	ESYS_TR out = ESYS_TR_NONE;
	TSS2_RC rc = Esys_EvictControl(c->esys, ESYS_TR_RH_OWNER, key, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, handle, &out);

	must(rc == 0, "EvictControl", rc);
	Esys_TR_Close(c->esys, &out);
}

void azure_tpm_make_key(struct swtpm *s, bool ak, uint32_t handle, struct public_key *ret)
{
	const TPM2B_PUBLIC template = ak ? rsa_template(KEPT | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_SIGN_ENCRYPT) :
					   ek_template();
	struct conn c = conn_open(s);
	TPM2B_PUBLIC *pub = NULL;
	ESYS_TR key = primary(&c, ak ? ESYS_TR_RH_OWNER : ESYS_TR_RH_ENDORSEMENT, &template, &pub);

	if (handle)
		persist(&c, key, handle);
	*ret = (struct public_key){ .rsa = true, .n_len = pub->publicArea.unique.rsa.size, .e = { 1, 0, 1 }, .e_len = 3 };
	memcpy(ret->n, pub->publicArea.unique.rsa.buffer, ret->n_len);
	Esys_Free(pub);
	Esys_FlushContext(c.esys, key);
	conn_close(&c);
}

void azure_tpm_child_key(struct swtpm *s, uint32_t handle, bool movable)
{
	const TPMA_OBJECT kind = TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;
	const TPM2B_PUBLIC above = rsa_template(KEPT | kind), template = rsa_template(movable ? TPMA_OBJECT_SENSITIVEDATAORIGIN | kind : KEPT | kind);
	const TPM2B_SENSITIVE_CREATE sensitive = { 0 };
	const TPM2B_DATA outside = { 0 };
	const TPML_PCR_SELECTION pcrs = { 0 };
	struct conn c = conn_open(s);
	ESYS_TR parent = primary(&c, ESYS_TR_RH_OWNER, &above, NULL), key = ESYS_TR_NONE;
	TPM2B_PRIVATE *priv = NULL;
	TPM2B_PUBLIC *pub = NULL;
	TSS2_RC rc;

	rc = Esys_Create(c.esys, parent, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, &template, &outside, &pcrs, &priv, &pub, NULL,
			 NULL, NULL);
	must(rc == 0, "Create", rc);
	rc = Esys_Load(c.esys, parent, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, priv, pub, &key);
	must(rc == 0, "Load", rc);
	persist(&c, key, handle);
	Esys_Free(priv);
	Esys_Free(pub);
	Esys_FlushContext(c.esys, key);
	Esys_FlushContext(c.esys, parent);
	conn_close(&c);
}

void azure_tpm_nv(struct swtpm *s, uint32_t index, const uint8_t *data, size_t len)
{
	const TPM2B_NV_PUBLIC pub = { .nvPublic = { .nvIndex = index, .nameAlg = TPM2_ALG_SHA256, .dataSize = (uint16_t)len,
						    .attributes = TPMA_NV_OWNERREAD | TPMA_NV_OWNERWRITE } };
	const TPM2B_AUTH auth = { 0 };
	struct conn c = conn_open(s);
	ESYS_TR nv = ESYS_TR_NONE;
	TSS2_RC rc = Esys_NV_DefineSpace(c.esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &auth, &pub, &nv);

	must(rc == 0, "NV_DefineSpace", rc);
	for (size_t off = 0; off < len;) {
		TPM2B_MAX_NV_BUFFER b = { .size = (uint16_t)(len - off < 1024 ? len - off : 1024) };

		memcpy(b.buffer, data + off, b.size);
		rc = Esys_NV_Write(c.esys, ESYS_TR_RH_OWNER, nv, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &b, (uint16_t)off);
		must(rc == 0, "NV_Write", rc);
		off += b.size;
	}
	Esys_TR_Close(c.esys, &nv);
	conn_close(&c);
}

/* --- the paravisor: between ESYS and swtpm --- */

struct layer {
	TSS2_TCTI_CONTEXT_COMMON_V1 common;
	struct azure_tpm *a;
	void *inner;
	struct buf answer; /* what receive() gives instead of swtpm's; empty: swtpm's */
	uint32_t code;	   /* of the command whose answer comes */
	bool is_public;	   /* it is NV_ReadPublic's, of the report */
};

static void make_report(struct azure_tpm *a)
{
	const struct hcl_sample s = { .ak = &a->ak, .ek = a->claim_ek ? &a->ek : NULL, .user_data = a->user_data,
				      .configuration = a->configuration };
	struct snp_report r;

	buf_reset(&a->report);
	if (a->fixed) {
		buf_append(&a->report, a->fixed, a->fixed_len);
	} else {
		testpki_snp_template(a->pki, &r);
		if (a->edit)
			a->edit(&r);
		must(hcl_sample_snp(a->pki, &s, &r, &a->report, NULL) == 0, "HCL report", 0);
	}
	if (a->damage)
		a->damage(a->report.data, a->report.len);
	buf_put_zero(&a->report, INDEX_SIZE - a->report.len);
}

static void answer_read(struct layer *l, uint16_t size, uint16_t off)
{
	struct azure_tpm *a = l->a;

	if (a->waiting > 0 && off == 0 && --a->waiting == 0)
		memcpy(a->user_data, a->pending, sizeof(a->user_data));
	if (off == 0)
		make_report(a);
	must(off + size <= INDEX_SIZE, "read past the index", off);
	buf_put_u16be(&l->answer, TPM2_ST_SESSIONS);
	buf_put_u32be(&l->answer, 10U + 4 + 2 + size + 5);
	buf_put_u32be(&l->answer, 0);
	buf_put_u32be(&l->answer, 2U + size);
	buf_put_u16be(&l->answer, size);
	buf_append(&l->answer, a->report.data + off, size);
	buf_append(&l->answer, "\0\0\1\0\0", 5); /* password session */
}

static void take_user_data(struct azure_tpm *a, const uint8_t *cmd, size_t size)
{
	if (a->stale || size < 64 + 2)
		return;
	memcpy(a->pending, cmd + size - 2 - 64, 64); /* before the offset */
	a->waiting = a->reads_late + 1;
}

static TSS2_RC layer_transmit(TSS2_TCTI_CONTEXT *ctx, size_t size, const uint8_t *cmd)
{
	struct layer *l = (struct layer *)ctx;
	struct rd r = RD_INIT(cmd, size);
	uint32_t code, index;

	rd_skip(&r, 6);
	code = rd_u32be(&r);
	if (code != CC_NV_READ_PUBLIC)
		rd_skip(&r, 4); /* authorization handle */
	index = rd_u32be(&r);
	buf_reset(&l->answer);
	l->code = code;
	l->is_public = code == CC_NV_READ_PUBLIC && index == NV_HCL_REPORT;
	if (code == CC_NV_WRITE && index == NV_HCL_USER_DATA)
		take_user_data(l->a, cmd, size);
	if (code == CC_NV_READ && index == NV_HCL_REPORT) {
		rd_seek(&r, size - 4);
		const uint16_t n = rd_u16be(&r);

		answer_read(l, n, rd_u16be(&r));
		return TSS2_RC_SUCCESS;
	}
	return Tss2_Tcti_Transmit((TSS2_TCTI_CONTEXT *)l->inner, size, cmd);
}

/* swtpm's index is small; this one is said to be INDEX_SIZE, under the Name that goes with it. */
static void widen(uint8_t *response, size_t size)
{
	const size_t area = 10 + 2, area_len = 4 + 2 + 4 + 2 + 2, name = area + area_len + 2 + 2;
	uint8_t digest[DIGEST_MAX];

	must(size == name + 32, "NV_ReadPublic", (unsigned int)size);
	response[area + area_len - 2] = INDEX_SIZE >> 8;
	response[area + area_len - 1] = INDEX_SIZE & 0xFF;
	must(digest_bytes(DIGEST_SHA256, response + area, area_len, digest, NULL) == 0, "digest", 0);
	memcpy(response + name, digest, 32);
}

static TSS2_RC layer_receive(TSS2_TCTI_CONTEXT *ctx, size_t *size, uint8_t *response, int32_t timeout)
{
	struct layer *l = (struct layer *)ctx;
	TSS2_RC rc;

	if (l->answer.len == 0) {
		rc = Tss2_Tcti_Receive((TSS2_TCTI_CONTEXT *)l->inner, size, response, timeout);
		if (rc == TSS2_RC_SUCCESS && response && l->is_public && *size > 10)
			widen(response, *size);
		if (rc == TSS2_RC_SUCCESS && response && l->code == l->a->tamper && *size > 40 && response[1] == 2)
			response[*size - 30] ^= 1; /* before the sessions' part */
		return rc;
	}
	if (response && *size < l->answer.len)
		return TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
	if (response)
		memcpy(response, l->answer.data, l->answer.len);
	*size = l->answer.len;
	return TSS2_RC_SUCCESS;
}

static int layer_open(const struct tpm_access *self, int root_fd, void **ret, struct err **err)
{
	struct azure_tpm *a = (struct azure_tpm *)(uintptr_t)self;
	const struct tpm_access *inner = swtpm_access(a->swtpm);
	struct layer *l = calloc(1, sizeof(*l));
	TSS2_TCTI_CONTEXT_COMMON_V1 *below;

	must(l != NULL, "out of memory", 0);
	buf_init(&l->answer, 4096);
	l->a = a;
	if (inner->open(inner, root_fd, &l->inner, err) < 0) {
		free(l);
		return -1;
	}
	below = l->inner;
	l->common.version = 1;
	l->common.magic = below->magic;
	l->common.transmit = layer_transmit;
	l->common.receive = layer_receive;
	*ret = l;
	return 0;
}

static void layer_close(void *tcti)
{
	struct layer *l = tcti;

	swtpm_access(l->a->swtpm)->close(l->inner);
	buf_free(&l->answer);
	free(l);
}

static bool layer_present(const struct tpm_access *self, int root_fd)
{
	return true;
}

void azure_tpm_init(struct azure_tpm *a, struct swtpm *s, const struct testpki *pki)
{
	*a = (struct azure_tpm){
		.access = { .name = "vTPM of the paravisor", .open = layer_open, .close = layer_close, .present = layer_present },
		.swtpm = s,
		.pki = pki,
		.configuration = "{\"secure-boot\":true,\"tpm-enabled\":true,\"tpm-persisted\":true,\"vmUniqueId\":\"TEST\"}",
	};
	buf_init(&a->report, 2 * INDEX_SIZE);
	azure_tpm_make_key(s, true, HANDLE_AZURE_AK, &a->ak);
	azure_tpm_make_key(s, false, HANDLE_EK_RSA, &a->ek);
	azure_tpm_nv(s, NV_HCL_REPORT, (const uint8_t *)"", 1);
}

void azure_tpm_clear(struct azure_tpm *a)
{
	buf_free(&a->report);
}
