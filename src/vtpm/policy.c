/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "vtpm/policy.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "crypto/digest.h"

/* TPM 2.0 Part 2, 6.5.2 and 6.12. */
#define CC_POLICY_NV 0x149
#define CC_POLICY_AUTHORIZE 0x16a
#define CC_POLICY_AUTH_VALUE 0x16b
#define CC_POLICY_PCR 0x17f
#define EO_UNSIGNED_LE 0x0009

/* The longest: old digest, code, PCR selection of one bank, digest; or old digest, code, digest, Name. */
#define STEP_MAX (POLICY_DIGEST + 4 + POLICY_DIGEST + TPM_NAME_MAX)

static int hash(struct buf *b, uint8_t out[static POLICY_DIGEST], struct err **err)
{
	uint8_t digest[DIGEST_MAX];

	if (buf_check(b, err) < 0 || digest_bytes(DIGEST_SHA256, b->data, b->len, digest, err) < 0)
		return -1;
	memcpy(out, digest, POLICY_DIGEST);
	return 0;
}

int policy_pcr_digest(const struct pcr_values *v, uint32_t mask, uint8_t out[static POLICY_DIGEST], struct err **err)
{
	_cleanup_buf_ struct buf b = BUF_INIT(PCR_COUNT * PCR_DIGEST_MAX);

	if ((v->mask & mask) != mask)
		return err_set(err, ERR_INTERNAL, "policy", "the value of a PCR is missing");
	for (unsigned int i = 0; i < PCR_COUNT; i++)
		if (mask & UINT32_C(1) << i)
			buf_append(&b, v->value[i], pcr_bank_size(v->bank));
	return hash(&b, out, err);
}

/* d = H(d || command || TPML_PCR_SELECTION || digest of the values). */
static int step_pcr(uint8_t d[static POLICY_DIGEST], enum pcr_bank bank, uint32_t mask, const uint8_t *values, struct err **err)
{
	_cleanup_buf_ struct buf b = BUF_INIT(STEP_MAX);

	buf_append(&b, d, POLICY_DIGEST);
	buf_put_u32be(&b, CC_POLICY_PCR);
	buf_put_u32be(&b, 1);
	buf_put_u16be(&b, pcr_bank_alg(bank));
	buf_put_u8(&b, 3);
	for (int shift = 0; shift < PCR_COUNT; shift += 8)
		buf_put_u8(&b, (uint8_t)(mask >> shift));
	buf_append(&b, values, POLICY_DIGEST);
	return hash(&b, d, err);
}

/* d = H(d || command || H(operand || offset || operation) || Name). */
static int step_nv(uint8_t d[static POLICY_DIGEST], const struct policy_nv *nv, struct err **err)
{
	_cleanup_buf_ struct buf args = BUF_INIT(12), b = BUF_INIT(STEP_MAX);
	uint8_t args_digest[POLICY_DIGEST];

	buf_put_u64be(&args, nv->limit);
	buf_put_u16be(&args, 0);
	buf_put_u16be(&args, EO_UNSIGNED_LE);
	if (hash(&args, args_digest, err) < 0)
		return -1;
	buf_append(&b, d, POLICY_DIGEST);
	buf_put_u32be(&b, CC_POLICY_NV);
	buf_append(&b, args_digest, POLICY_DIGEST);
	buf_append(&b, nv->name.bytes, nv->name.len);
	return hash(&b, d, err);
}

/* The digest so far is discarded; d = H(H(zeros || command || Name) || policyRef), policyRef being empty. */
static int step_authorize(uint8_t d[static POLICY_DIGEST], const struct tpm_name *signer, struct err **err)
{
	_cleanup_buf_ struct buf b = BUF_INIT(STEP_MAX);
	uint8_t outer[DIGEST_MAX];

	buf_put_zero(&b, POLICY_DIGEST);
	buf_put_u32be(&b, CC_POLICY_AUTHORIZE);
	buf_append(&b, signer->bytes, signer->len);
	if (hash(&b, d, err) < 0 || digest_bytes(DIGEST_SHA256, d, POLICY_DIGEST, outer, err) < 0)
		return -1;
	memcpy(d, outer, POLICY_DIGEST);
	return 0;
}

static int step_auth_value(uint8_t d[static POLICY_DIGEST], struct err **err)
{
	_cleanup_buf_ struct buf b = BUF_INIT(STEP_MAX);

	buf_append(&b, d, POLICY_DIGEST);
	buf_put_u32be(&b, CC_POLICY_AUTH_VALUE);
	return hash(&b, d, err);
}

int policy_approved(const struct policy *p, uint8_t out[static POLICY_DIGEST], struct err **err)
{
	uint8_t d[POLICY_DIGEST] = { 0 };

	if (step_pcr(d, p->bank, p->signed_pcrs, p->signed_digest, err) < 0)
		return -1;
	if (p->version.index && step_nv(d, &p->version, err) < 0)
		return -1;
	memcpy(out, d, POLICY_DIGEST);
	return 0;
}

int policy_digest(const struct policy *p, uint8_t out[static POLICY_DIGEST], struct err **err)
{
	uint8_t d[POLICY_DIGEST] = { 0 };

	if (p->signer && step_authorize(d, &p->signer->name, err) < 0)
		return -1;
	if (p->pcrs && step_pcr(d, p->bank, p->pcrs, p->pcr_digest, err) < 0)
		return -1;
	if (p->offline.index && step_nv(d, &p->offline, err) < 0)
		return -1;
	if (p->pin && step_auth_value(d, err) < 0)
		return -1;
	memcpy(out, d, POLICY_DIGEST);
	return 0;
}

int policy_find_signature(struct policy *p, const struct pcr_sigs *sigs, struct err **err)
{
	struct policy trial = *p;
	uint8_t want[POLICY_DIGEST];

	for (size_t i = 0; i < sigs->n; i++) {
		const struct pcr_sig *e = &sigs->entry[i];

		if (e->pcrs != p->signed_pcrs || memcmp(e->fingerprint, p->signer->fingerprint, sizeof(e->fingerprint)) != 0 ||
		    (p->version.index && !e->has_version))
			continue;
		trial.version.limit = e->has_version ? e->version : 0;
		if (policy_approved(&trial, want, err) < 0)
			return -1;
		if (memcmp(want, e->policy, sizeof(want)) != 0 || (p->signature && trial.version.limit <= p->version.limit))
			continue;
		p->version.limit = trial.version.limit;
		p->signature = e;
	}
	return 0;
}
