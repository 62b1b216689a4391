/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The part of pcr.h that asks a TPM: which banks, reading, extending all of them. */
#include <string.h>

#include "crypto/digest.h"
#include "vtpm/pcr.h"
#include "vtpm/pcr_by_hand.h"
#include "vtpm/session.h"

#define READ_TRIES 20 /* others may extend between two parts of one reading */

static int bank_of(uint16_t alg)
{
	for (int b = 0; b < PCR_BANKS; b++)
		if (pcr_bank_alg((enum pcr_bank)b) == alg)
			return b;
	return -1;
}

static uint32_t selected(const TPMS_PCR_SELECTION *s)
{
	uint32_t mask = 0;

	for (unsigned int i = 0; i < s->sizeofSelect && i < sizeof(s->pcrSelect) && i < sizeof(mask); i++)
		mask |= (uint32_t)s->pcrSelect[i] << 8 * i;
	return mask;
}

static TPMS_PCR_SELECTION selection(enum pcr_bank bank, uint32_t mask)
{
	return (TPMS_PCR_SELECTION){
		.hash = pcr_bank_alg(bank),
		.sizeofSelect = 3,
		.pcrSelect = { (uint8_t)mask, (uint8_t)(mask >> 8), (uint8_t)(mask >> 16) },
	};
}

static int unknown_bank(uint16_t alg, struct err **err)
{
	err_set(err, ERR_TPM, "pcr-bank", "the TPM keeps a PCR bank of the unknown algorithm 0x%04x, which cannot be capped", alg);
	return err_hint(err, "switch that bank off in the firmware, or with tpm2_pcrallocate and a restart");
}

static TSS2_RC ask_banks(struct tpm *t, TPML_PCR_SELECTION *ret)
{
	_cleanup_esys_ TPMS_CAPABILITY_DATA *data = NULL;
	TPMI_YES_NO more;
	TSS2_RC rc;

	if (!t->esys)
		return by_hand_banks(t, ret);
	rc = Esys_GetCapability(t->esys, session_for(t, SESSION_AUDIT), ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_PCRS, 0, TPM2_NUM_PCR_BANKS,
				&more, &data);
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	if (data->capability != TPM2_CAP_PCRS || more)
		return TSS2_ESYS_RC_MALFORMED_RESPONSE;
	*ret = data->data.assignedPCR;
	return rc;
}

int pcr_active_banks(struct tpm *t, uint32_t *ret, struct err **err)
{
	TPML_PCR_SELECTION banks;
	uint32_t active = 0;
	TSS2_RC rc;

	if (t->banks != 0) {
		*ret = t->banks;
		return 0;
	}
	rc = TPM_CALL(t, ask_banks(t, &banks));
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(rc, "asking the TPM for its PCR banks", err);
	for (uint32_t i = 0; i < banks.count && i < TPM2_NUM_PCR_BANKS; i++) {
		const TPMS_PCR_SELECTION *s = &banks.pcrSelections[i];

		if (selected(s) == 0)
			continue;
		if (bank_of(s->hash) < 0)
			return unknown_bank(s->hash, err);
		active |= UINT32_C(1) << bank_of(s->hash);
		t->bank_pcrs[bank_of(s->hash)] = selected(s);
	}
	if (active == 0)
		return err_set(err, ERR_TPM, "pcr-bank", "the TPM keeps no PCR bank at all");
	*ret = t->banks = active;
	return 0;
}

/* Files one answer's digests under bank and PCR; what it told is taken out of left[]. */
static int take_values(const TPML_PCR_SELECTION *out, const TPML_DIGEST *digests, struct pcr_values *values, uint32_t *left,
		       struct err **err)
{
	uint32_t next = 0;

	for (uint32_t i = 0; i < out->count && i < TPM2_NUM_PCR_BANKS; i++) {
		const int bank = bank_of(out->pcrSelections[i].hash);
		const uint32_t mask = selected(&out->pcrSelections[i]);

		if (mask == 0)
			continue;
		if (bank < 0 || (mask & ~left[bank]) != 0)
			return tpm_fail(TSS2_ESYS_RC_MALFORMED_RESPONSE, "reading PCRs", err);
		for (unsigned int pcr = 0; pcr < PCR_COUNT; pcr++) {
			const size_t size = pcr_bank_size((enum pcr_bank)bank);

			if (!(mask >> pcr & 1))
				continue;
			if (next >= digests->count || digests->digests[next].size != size)
				return tpm_fail(TSS2_ESYS_RC_MALFORMED_RESPONSE, "reading PCRs", err);
			memcpy(values[bank].value[pcr], digests->digests[next++].buffer, size);
			values[bank].mask |= UINT32_C(1) << pcr;
			left[bank] &= ~(UINT32_C(1) << pcr);
		}
	}
	return next == digests->count ? 0 : tpm_fail(TSS2_ESYS_RC_MALFORMED_RESPONSE, "reading PCRs", err);
}

static TSS2_RC ask_values(struct tpm *t, const TPML_PCR_SELECTION *in, uint32_t *ret_counter, TPML_PCR_SELECTION *ret_out, TPML_DIGEST *ret)
{
	_cleanup_esys_ TPML_PCR_SELECTION *out = NULL;
	_cleanup_esys_ TPML_DIGEST *digests = NULL;
	TSS2_RC rc;

	if (!t->esys)
		return by_hand_read(t, in, ret_counter, ret_out, ret);
	rc = Esys_PCR_Read(t->esys, session_for(t, SESSION_AUDIT), ESYS_TR_NONE, ESYS_TR_NONE, in, ret_counter, &out, &digests);
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	*ret_out = *out;
	*ret = *digests;
	return rc;
}

/* One PCR_Read for what is left; the TPM gives up to eight digests at a time. */
static int read_some(struct tpm *t, struct pcr_values *values, uint32_t *left, uint32_t *ret_counter, struct err **err)
{
	TPML_PCR_SELECTION in = { 0 }, out;
	TPML_DIGEST digests;
	TSS2_RC rc;

	for (int b = 0; b < PCR_BANKS; b++)
		if (left[b] != 0)
			in.pcrSelections[in.count++] = selection((enum pcr_bank)b, left[b]);
	rc = TPM_CALL(t, ask_values(t, &in, ret_counter, &out, &digests));
	if (tpm_rc_is(rc, TPM2_RC_HASH))
		return err_set(err, ERR_TPM, "pcr-bank", "the TPM does not know PCR bank %s", pcr_bank_name((enum pcr_bank)bank_of(in.pcrSelections[0].hash)));
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(rc, "reading PCRs", err);
	if (digests.count == 0)
		return err_set(err, ERR_TPM, "pcr-bank", "PCR bank %s of the TPM is not active",
			       pcr_bank_name((enum pcr_bank)bank_of(in.pcrSelections[0].hash)));
	return take_values(&out, &digests, values, left, err);
}

/* The wanted PCRs of each bank, all of one moment. values has PCR_BANKS elements. */
static int read_banks(struct tpm *t, const uint32_t *wanted, struct pcr_values *values, struct err **err)
{
	for (int try = 0; try < READ_TRIES; try++) {
		uint32_t left[PCR_BANKS], first = 0, counter = 0;
		bool more = true, same = true;

		memcpy(left, wanted, sizeof(left));
		for (int part = 0; more; part++) {
			if (read_some(t, values, left, &counter, err) < 0)
				return -1;
			if (part == 0)
				first = counter;
			same = same && counter == first;
			more = false;
			for (int b = 0; b < PCR_BANKS; b++)
				more = more || left[b] != 0;
		}
		if (same)
			return 0;
	}
	return err_set(err, ERR_TPM, "tpm-busy", "PCRs change as fast as they are read");
}

int pcr_read(struct tpm *t, enum pcr_bank bank, uint32_t mask, struct pcr_values *ret, struct err **err)
{
	struct pcr_values values[PCR_BANKS] = { 0 };
	uint32_t wanted[PCR_BANKS] = { 0 };

	mask &= (UINT32_C(1) << PCR_COUNT) - 1;
	wanted[bank] = mask;
	if (mask != 0 && read_banks(t, wanted, values, err) < 0)
		return -1;
	values[bank].bank = bank;
	*ret = values[bank];
	return 0;
}

_Static_assert(ARRAY_SIZE(((struct tpm *)0)->bank_pcrs) == PCR_BANKS, "one for each bank");

/* One PCR in all active banks that keep it: more than eight there are not, so one command. */
static int read_everywhere(struct tpm *t, unsigned int pcr, struct pcr_values *values, uint32_t *ret_active, struct err **err)
{
	uint32_t wanted[PCR_BANKS] = { 0 }, active;

	if (pcr >= PCR_COUNT)
		return err_set(err, ERR_INTERNAL, "pcrs", "there is no PCR %u", pcr);
	if (pcr_active_banks(t, &active, err) < 0)
		return -1;
	*ret_active = 0;
	for (int b = 0; b < PCR_BANKS; b++) {
		values[b].bank = (enum pcr_bank)b;
		wanted[b] = active >> b & 1 ? t->bank_pcrs[b] & UINT32_C(1) << pcr : 0;
		*ret_active |= wanted[b] ? UINT32_C(1) << b : 0;
	}
	if (*ret_active == 0)
		return err_set(err, ERR_TPM, "pcr-bank", "no PCR bank of the TPM keeps PCR %u", pcr);
	return read_banks(t, wanted, values, err);
}

int pcr_moved(struct tpm *t, unsigned int pcr, bool *ret, struct err **err)
{
	struct pcr_values now[PCR_BANKS] = { 0 };
	uint32_t active;
	bool moved = true;

	if (read_everywhere(t, pcr, now, &active, err) < 0)
		return -1;
	for (int b = 0; b < PCR_BANKS; b++)
		moved = moved && (!(active >> b & 1) || !pcr_is_reset(&now[b], pcr));
	*ret = moved;
	return 0;
}

/* A bank that the TPM keeps and our OpenSSL cannot compute: SM3 in many builds. */
static bool computable(enum pcr_bank bank)
{
	uint8_t digest[PCR_DIGEST_MAX];

	return pcr_event_digest(bank, "", 0, digest, NULL) == 0;
}

int pcr_holds(struct tpm *t, unsigned int pcr, const struct pcr_event *events, size_t n, bool *ret, struct err **err)
{
	struct pcr_values now[PCR_BANKS] = { 0 };
	bool same = true, any = false;
	uint32_t active;

	if (read_everywhere(t, pcr, now, &active, err) < 0)
		return -1;
	for (int b = 0; b < PCR_BANKS; b++) {
		uint8_t want[PCR_DIGEST_MAX] = { 0 };

		if (!(active >> b & 1) || !computable((enum pcr_bank)b))
			continue;
		for (size_t i = 0; i < n; i++)
			if (pcr_extend_value((enum pcr_bank)b, want, events[i].data, events[i].len, want, err) < 0)
				return -1;
		same = same && memcmp(now[b].value[pcr], want, pcr_bank_size((enum pcr_bank)b)) == 0;
		any = true;
	}
	*ret = same && any;
	return 0;
}

static bool all_computable(uint32_t active)
{
	for (int b = 0; b < PCR_BANKS; b++)
		if (active >> b & 1 && !computable((enum pcr_bank)b))
			return false;
	return true;
}

#define BY_HAND (~(uint32_t)((1 << PCR_SHA3_256) - 1))

static int extend_digests(struct tpm *t, unsigned int pcr, uint32_t active, const void *event, size_t len, struct err **err)
{
	TPML_DIGEST_VALUES digests = { 0 };
	TSS2_RC rc;

	for (int b = 0; b < PCR_BANKS; b++) {
		TPMT_HA *d = &digests.digests[digests.count];

		if (!(active >> b & 1))
			continue;
		d->hashAlg = pcr_bank_alg((enum pcr_bank)b);
		if (pcr_event_digest((enum pcr_bank)b, event, len, (uint8_t *)&d->digest, err) < 0)
			return -1;
		digests.count++;
	}
	if (active & BY_HAND || !t->esys)
		rc = TPM_CALL(t, by_hand_extend(t, pcr, &digests));
	else
		rc = TPM_CALL(t, Esys_PCR_Extend(t->esys, ESYS_TR_PCR0 + pcr, session_auth(t, SESSION_AUTH), ESYS_TR_NONE, ESYS_TR_NONE, &digests));
	return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(rc, "extending a PCR", err);
}

static int extend_short(struct tpm *t, unsigned int pcr, const void *event, size_t len, struct err **err)
{
	_cleanup_esys_ TPML_DIGEST_VALUES *digests = NULL;
	TPM2B_EVENT e = { .size = (uint16_t)len };
	TSS2_RC rc;

	memcpy(e.buffer, event, len);
	if (!t->esys)
		rc = TPM_CALL(t, by_hand_event(t, pcr, &e));
	else
		rc = TPM_CALL(t, Esys_PCR_Event(t->esys, ESYS_TR_PCR0 + pcr, session_auth(t, SESSION_AUTH), ESYS_TR_NONE, ESYS_TR_NONE, &e, &digests));
	return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(rc, "extending a PCR by an event", err);
}

static void next_piece(const uint8_t **at, size_t *left, TPM2B_MAX_BUFFER *ret)
{
	ret->size = (uint16_t)(*left < sizeof(ret->buffer) ? *left : sizeof(ret->buffer));
	memcpy(ret->buffer, *at, ret->size);
	*at += ret->size;
	*left -= ret->size;
}

/* One that is longer than a command takes. */
static int extend_long(struct tpm *t, unsigned int pcr, const void *event, size_t len, struct err **err)
{
	_cleanup_loaded_ struct tpm_loaded sequence = TPM_LOADED(t);
	_cleanup_esys_ TPML_DIGEST_VALUES *digests = NULL;
	static const TPM2B_AUTH no_auth = { 0 };
	const uint8_t *at = event;
	TPM2B_MAX_BUFFER piece;
	TSS2_RC rc;

	rc = TPM_CALL(t, Esys_HashSequenceStart(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &no_auth, TPM2_ALG_NULL, &sequence.tr));
	if (rc != TSS2_RC_SUCCESS) {
		sequence.tr = ESYS_TR_NONE;
		return tpm_fail(rc, "beginning an event", err);
	}
	for (next_piece(&at, &len, &piece); len > 0; next_piece(&at, &len, &piece)) {
		rc = TPM_CALL(t, Esys_SequenceUpdate(t->esys, sequence.tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &piece));
		if (rc != TSS2_RC_SUCCESS)
			return tpm_fail(rc, "handing over an event", err);
	}
	rc = TPM_CALL(t, Esys_EventSequenceComplete(t->esys, ESYS_TR_PCR0 + pcr, sequence.tr, session_auth(t, SESSION_AUTH), ESYS_TR_PASSWORD,
						    ESYS_TR_NONE, &piece, &digests));
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(rc, "extending a PCR by an event", err);
	sequence.tr = ESYS_TR_NONE; /* the TPM let go of it, and ESYS too */
	return 0;
}

static int extend(struct tpm *t, unsigned int pcr, uint32_t active, const void *event, size_t len, struct err **err)
{
	if (all_computable(active))
		return extend_digests(t, pcr, active, event, len, err);
	/* The answer to what comes next holds a digest of each bank, and libtss2 cannot read one of SHA-3. */
	if (active & BY_HAND)
		return err_set(err, ERR_TPM, "pcr-bank", "the TPM keeps a PCR bank of SHA-3, and one that this OpenSSL cannot compute");
	/* Then the TPM hashes, for all its banks. */
	return len <= sizeof(((TPM2B_EVENT *)0)->buffer) ? extend_short(t, pcr, event, len, err) : extend_long(t, pcr, event, len, err);
}

static bool same_values(const struct pcr_values *a, const struct pcr_values *b, uint32_t active, unsigned int pcr)
{
	for (int i = 0; i < PCR_BANKS; i++)
		if (active >> i & 1 && memcmp(a[i].value[pcr], b[i].value[pcr], pcr_bank_size((enum pcr_bank)i)) != 0)
			return false;
	return true;
}

/* Of a bank that we cannot compute we see that it has moved. */
static int check_extended(const struct pcr_extension *x, const struct pcr_values *now, unsigned int pcr, const void *event, size_t len,
			  struct err **err)
{
	uint8_t expected[PCR_DIGEST_MAX];

	for (int b = 0; b < PCR_BANKS; b++) {
		const size_t size = pcr_bank_size((enum pcr_bank)b);
		const uint8_t *was = x->before[b].value[pcr], *is = now[b].value[pcr];
		bool good;

		if (!(x->active >> b & 1))
			continue;
		if (!computable((enum pcr_bank)b))
			good = memcmp(is, was, size) != 0;
		else if (pcr_extend_value((enum pcr_bank)b, was, event, len, expected, err) < 0)
			return -1;
		else
			good = memcmp(is, expected, size) == 0;
		if (!good)
			return err_set(err, ERR_CAP, "cap-readback", "PCR %u (%s) is not what the event makes of it", pcr,
				       pcr_bank_name((enum pcr_bank)b));
	}
	return 0;
}

int pcr_extend_once(struct tpm *t, unsigned int pcr, const void *event, size_t len, struct pcr_extension *x, struct err **err)
{
	struct pcr_values now[PCR_BANKS] = { 0 };
	const bool again = x->active != 0;
	uint32_t active;

	if (read_everywhere(t, pcr, again ? now : x->before, &active, err) < 0)
		return -1;
	if (again && active != x->active)
		return err_set(err, ERR_CAP, "cap-readback", "the TPM keeps other PCR banks than a moment ago");
	x->active = active;
	if (again && !same_values(x->before, now, active, pcr))
		return check_extended(x, now, pcr, event, len, err);
	if (extend(t, pcr, active, event, len, err) < 0 || read_everywhere(t, pcr, now, &active, err) < 0)
		return -1;
	return check_extended(x, now, pcr, event, len, err);
}

int pcr_extend_all(struct tpm *t, unsigned int pcr, const void *event, size_t len, struct err **err)
{
	struct pcr_extension x = { 0 };

	return pcr_extend_once(t, pcr, event, len, &x, err);
}
