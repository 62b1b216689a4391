/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "vtpm/pcr_by_hand.h"

#include "base/buf.h"
#include "vtpm/pcr.h"

#define COMMAND_MAX 2048
#define HEAD 10
#define PASSWORD_AREA 9
#define SELECT_SIZE 3 /* bytes for 24 PCRs */

struct exchange {
	struct buf body;
	uint8_t answer[TPM2_MAX_RESPONSE_SIZE];
	struct rd rd; /* the answer behind its head */
};
#define EXCHANGE_INIT { .body = BUF_INIT(COMMAND_MAX) }

static void exchange_clear(struct exchange *x)
{
	buf_free(&x->body);
}
#define _cleanup_exchange_ __attribute__((cleanup(exchange_clear)))

/* Sends what x->body holds behind a head. The TPM's code, or that of what went wrong on the way. */
static TSS2_RC exchange(struct tpm *t, uint16_t tag, uint32_t code, struct exchange *x)
{
	_cleanup_buf_ struct buf command = BUF_INIT(HEAD + COMMAND_MAX);
	size_t len = sizeof(x->answer);
	uint32_t size, answer;
	TSS2_RC rc;

	buf_put_u16be(&command, tag);
	buf_put_u32be(&command, (uint32_t)(HEAD + x->body.len));
	buf_put_u32be(&command, code);
	buf_append(&command, x->body.data, x->body.len);
	if (!buf_ok(&x->body) || !buf_ok(&command))
		return TSS2_ESYS_RC_MEMORY;
	rc = Tss2_Tcti_Transmit(t->watch, command.len, command.data);
	if (rc == TSS2_RC_SUCCESS)
		rc = Tss2_Tcti_Receive(t->watch, &len, x->answer, TSS2_TCTI_TIMEOUT_BLOCK);
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	x->rd = (struct rd)RD_INIT(x->answer, len);
	rd_skip(&x->rd, 2);
	size = rd_u32be(&x->rd);
	answer = rd_u32be(&x->rd);
	return x->rd.bad || size != len ? TSS2_ESYS_RC_MALFORMED_RESPONSE : answer;
}

/* After the last field of an answer without sessions. */
static TSS2_RC at_end(const struct rd *r)
{
	return r->bad || rd_left(r) ? TSS2_ESYS_RC_MALFORMED_RESPONSE : TSS2_RC_SUCCESS;
}

static size_t digest_size_of(uint16_t alg)
{
	for (int b = 0; b < PCR_BANKS; b++)
		if (pcr_bank_alg((enum pcr_bank)b) == alg)
			return pcr_bank_size((enum pcr_bank)b);
	return 0;
}

static void put_selections(struct buf *out, const TPML_PCR_SELECTION *s)
{
	buf_put_u32be(out, s->count);
	for (uint32_t i = 0; i < s->count; i++) {
		buf_put_u16be(out, s->pcrSelections[i].hash);
		buf_put_u8(out, SELECT_SIZE);
		buf_append(out, s->pcrSelections[i].pcrSelect, SELECT_SIZE);
	}
}

static void get_selections(struct rd *r, TPML_PCR_SELECTION *ret)
{
	*ret = (TPML_PCR_SELECTION){ .count = rd_u32be(r) };
	if (ret->count > TPM2_NUM_PCR_BANKS)
		r->bad = true;
	for (uint32_t i = 0; i < ret->count && !r->bad; i++) {
		TPMS_PCR_SELECTION *s = &ret->pcrSelections[i];

		s->hash = rd_u16be(r);
		s->sizeofSelect = rd_u8(r);
		if (s->sizeofSelect > sizeof(s->pcrSelect))
			r->bad = true;
		else
			rd_copy(r, s->pcrSelect, s->sizeofSelect);
	}
}

TSS2_RC by_hand_startup(struct tpm *t)
{
	_cleanup_exchange_ struct exchange x = EXCHANGE_INIT;

	buf_put_u16be(&x.body, TPM2_SU_CLEAR);
	return exchange(t, TPM2_ST_NO_SESSIONS, TPM2_CC_Startup, &x);
}

TSS2_RC by_hand_banks(struct tpm *t, TPML_PCR_SELECTION *ret)
{
	_cleanup_exchange_ struct exchange x = EXCHANGE_INIT;
	uint8_t more;
	TSS2_RC rc;

	buf_put_u32be(&x.body, TPM2_CAP_PCRS);
	buf_put_u32be(&x.body, 0);
	buf_put_u32be(&x.body, TPM2_NUM_PCR_BANKS);
	rc = exchange(t, TPM2_ST_NO_SESSIONS, TPM2_CC_GetCapability, &x);
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	more = rd_u8(&x.rd);
	if (rd_u32be(&x.rd) != TPM2_CAP_PCRS || more)
		return TSS2_ESYS_RC_MALFORMED_RESPONSE;
	get_selections(&x.rd, ret);
	return at_end(&x.rd);
}

static void get_digests(struct rd *r, TPML_DIGEST *ret)
{
	*ret = (TPML_DIGEST){ .count = rd_u32be(r) };
	if (ret->count > ARRAY_SIZE(ret->digests))
		r->bad = true;
	for (uint32_t i = 0; i < ret->count && !r->bad; i++) {
		TPM2B_DIGEST *d = &ret->digests[i];

		d->size = rd_u16be(r);
		if (d->size > sizeof(d->buffer))
			r->bad = true;
		else
			rd_copy(r, d->buffer, d->size);
	}
}

TSS2_RC by_hand_read(struct tpm *t, const TPML_PCR_SELECTION *in, uint32_t *ret_counter, TPML_PCR_SELECTION *ret_out, TPML_DIGEST *ret)
{
	_cleanup_exchange_ struct exchange x = EXCHANGE_INIT;
	TSS2_RC rc;

	put_selections(&x.body, in);
	rc = exchange(t, TPM2_ST_NO_SESSIONS, TPM2_CC_PCR_Read, &x);
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	*ret_counter = rd_u32be(&x.rd);
	get_selections(&x.rd, ret_out);
	get_digests(&x.rd, ret);
	return at_end(&x.rd);
}

static void put_pcr(struct buf *out, unsigned int pcr)
{
	buf_put_u32be(out, pcr);
	buf_put_u32be(out, PASSWORD_AREA);
	buf_put_u32be(out, TPM2_RS_PW);
	buf_put_u16be(out, 0); /* nonce */
	buf_put_u8(out, 0);    /* attributes */
	buf_put_u16be(out, 0); /* the empty authorization of a PCR */
}

TSS2_RC by_hand_extend(struct tpm *t, unsigned int pcr, const TPML_DIGEST_VALUES *digests)
{
	_cleanup_exchange_ struct exchange x = EXCHANGE_INIT;

	put_pcr(&x.body, pcr);
	buf_put_u32be(&x.body, digests->count);
	for (uint32_t i = 0; i < digests->count; i++) {
		buf_put_u16be(&x.body, digests->digests[i].hashAlg);
		buf_append(&x.body, &digests->digests[i].digest, digest_size_of(digests->digests[i].hashAlg));
	}
	return exchange(t, TPM2_ST_SESSIONS, TPM2_CC_PCR_Extend, &x);
}

TSS2_RC by_hand_event(struct tpm *t, unsigned int pcr, const TPM2B_EVENT *event)
{
	_cleanup_exchange_ struct exchange x = EXCHANGE_INIT;

	put_pcr(&x.body, pcr);
	buf_put_u16be(&x.body, event->size);
	buf_append(&x.body, event->buffer, event->size);
	return exchange(t, TPM2_ST_SESSIONS, TPM2_CC_PCR_Event, &x);
}
