/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "vtpm/pcr_by_hand.h"

#include "base/buf.h"
#include "vtpm/pcr.h"

#define COMMAND_MAX 512
#define HEAD 10
#define PASSWORD_AREA 9

static size_t digest_size_of(uint16_t alg)
{
	for (int b = 0; b < PCR_BANKS; b++)
		if (pcr_bank_alg((enum pcr_bank)b) == alg)
			return pcr_bank_size((enum pcr_bank)b);
	return 0;
}

static void put_body(struct buf *out, unsigned int pcr, const TPML_DIGEST_VALUES *digests)
{
	buf_put_u32be(out, pcr);
	buf_put_u32be(out, PASSWORD_AREA);
	buf_put_u32be(out, TPM2_RS_PW);
	buf_put_u16be(out, 0); /* nonce */
	buf_put_u8(out, 0);    /* attributes */
	buf_put_u16be(out, 0); /* the empty authorization of a PCR */
	buf_put_u32be(out, digests->count);
	for (uint32_t i = 0; i < digests->count; i++) {
		buf_put_u16be(out, digests->digests[i].hashAlg);
		buf_append(out, &digests->digests[i].digest, digest_size_of(digests->digests[i].hashAlg));
	}
}

static TSS2_RC exchange(struct tpm *t, const struct buf *command)
{
	uint8_t answer[TPM2_MAX_RESPONSE_SIZE];
	size_t len = sizeof(answer), at = 2;
	uint32_t size = 0, code = 0;
	TSS2_RC rc = Tss2_Tcti_Transmit(t->watch, command->len, command->data);

	if (rc == TSS2_RC_SUCCESS)
		rc = Tss2_Tcti_Receive(t->watch, &len, answer, TSS2_TCTI_TIMEOUT_BLOCK);
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	if (len < HEAD || Tss2_MU_UINT32_Unmarshal(answer, len, &at, &size) != TSS2_RC_SUCCESS ||
	    Tss2_MU_UINT32_Unmarshal(answer, len, &at, &code) != TSS2_RC_SUCCESS || size != len)
		return TSS2_ESYS_RC_MALFORMED_RESPONSE;
	return code;
}

int pcr_extend_by_hand(struct tpm *t, unsigned int pcr, const TPML_DIGEST_VALUES *digests, struct err **err)
{
	_cleanup_buf_ struct buf body = BUF_INIT(COMMAND_MAX), command = BUF_INIT(HEAD + COMMAND_MAX);
	TSS2_RC rc;

	put_body(&body, pcr, digests);
	buf_put_u16be(&command, TPM2_ST_SESSIONS);
	buf_put_u32be(&command, (uint32_t)(HEAD + body.len));
	buf_put_u32be(&command, TPM2_CC_PCR_Extend);
	buf_append(&command, body.data, body.len);
	if (buf_check(&body, err) < 0 || buf_check(&command, err) < 0)
		return -1;
	rc = TPM_CALL(t, exchange(t, &command));
	return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(rc, "extending a PCR", err);
}
