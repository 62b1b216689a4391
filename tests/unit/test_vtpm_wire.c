/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Somebody between us and the TPM (tpm-sealing.md 3): what he sees, and what becomes of what he alters, exchanges or breaks off. An
 * altered answer may be refused under any id; it is never believed. Inside the session the id says what happened.
 */
#include "tests/lib/vtpm_check.h"

#include "tests/lib/tpm_interposer.h"

#define INDEX 0x01800200
#define STORED "stored in the TPM: NV contents!!" /* 32 bytes */
#define SEALED "sensitive data of a new object!!"

struct bench {
	struct swtpm *mine, *other;
	struct tpm_name name; /* of mine's storage primary */
	struct pcr_values pcrs;
	struct tpm_interposer i;
};

/* PolicyPCR is not needed to show what crosses the wire: an index that its empty authorization may write. */
static void plain_index(TPM2B_NV_PUBLIC *ret)
{
	static const uint8_t policy[32] = { 0 };

	nv_pin_public(INDEX, 32, policy, ret);
	ret->nvPublic.attributes = (ret->nvPublic.attributes & ~TPMA_NV_POLICYWRITE) | TPMA_NV_AUTHWRITE;
	ret->nvPublic.authPolicy.size = 0;
}

static int nv_store(struct tpm *t, struct nv *n, const void *data, struct err **err)
{
	TPM2B_MAX_NV_BUFFER buffer = { .size = 32 };
	TSS2_RC rc;

	memcpy(buffer.buffer, data, 32);
	rc = TPM_CALL(t, Esys_NV_Write(t->esys, n->index.tr, n->index.tr, session_auth(t, SESSION_DECRYPT), ESYS_TR_NONE, ESYS_TR_NONE,
				       &buffer, 0));
	return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail(rc, "storing", err);
}

/* The other TPM has all that mine has, as far as that can be made. */
static struct tpm *equipped(struct swtpm *s, struct tpm_name *ret_name)
{
	struct tpm *t = check_trusted(s, ret_name);
	struct nv n = NV_INIT(t);
	TPM2B_NV_PUBLIC wanted;

	plain_index(&wanted);
	assert_ok(nv_define(t, &wanted, NULL, &n, &_err));
	assert_ok(nv_store(t, &n, STORED, &_err));
	nv_release(&n);
	return t;
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct tpm *t;

	b->mine = swtpm_start();
	b->other = swtpm_start();
	tpm_close(equipped(b->other, &b->name));
	t = equipped(b->mine, &b->name);
	assert_ok(pcr_extend_all(t, 7, "x", 1, &_err));
	assert_ok(pcr_read(t, PCR_SHA256, 1 << 7, &b->pcrs, &_err));
	tpm_close(t);
	interposer_init(&b->i, swtpm_access(b->mine), swtpm_access(b->other));
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	interposer_clear(&b->i);
	swtpm_stop(b->mine);
	swtpm_stop(b->other);
	free(b);
	return 0;
}

/* Trust, PCRs, NV: what the engine decides by. The values are compared by the caller. */
static int flow(struct bench *b, struct pcr_values *pcrs, uint8_t got[32], struct err **err)
{
	_cleanup_tpm_ struct tpm *t = NULL;
	struct nv n = { .index = { .tr = ESYS_TR_NONE } };
	TPM2B_NV_PUBLIC wanted;
	int r;

	interposer_rewind(&b->i);
	if (tpm_open(&b->i.access, AT_FDCWD, deadline_in_ms(5000), &t, err) < 0)
		return -1;
	plain_index(&wanted);
	if (srk_trust(t, &b->name, err) < 0 || pcr_read(t, PCR_SHA256, 1 << 7, pcrs, err) < 0 || nv_get(t, &wanted, &n, err) < 0)
		return -1;
	r = nv_read(t, &n, got, 32, err);
	nv_release(&n);
	return r;
}

static bool right(const struct bench *b, const struct pcr_values *pcrs, const uint8_t got[32])
{
	return memcmp(pcrs, &b->pcrs, sizeof(*pcrs)) == 0 && memcmp(got, STORED, 32) == 0;
}

/* Opening and trusting costs two commands; a reading each one, an index one more to look at it. The bench's budget builds on it. */
static void test_commands(void **state)
{
	static const uint32_t expected[] = { TPM2_CC_ReadPublic, TPM2_CC_StartAuthSession, TPM2_CC_PCR_Read, TPM2_CC_NV_ReadPublic,
					     TPM2_CC_NV_Read,	 TPM2_CC_FlushContext };
	struct bench *b = *state;
	struct pcr_values pcrs;
	uint8_t got[32];

	assert_ok(flow(b, &pcrs, got, &_err));
	assert_true(right(b, &pcrs, got));
	assert_int_equal(b->i.commands, ARRAY_SIZE(expected));
	assert_memory_equal(b->i.codes, expected, sizeof(expected));
}

static int create(struct tpm *t, const void *data, struct err **err)
{
	_cleanup_esys_ TPM2B_PRIVATE *priv = NULL;
	_cleanup_esys_ TPM2B_PUBLIC *pub = NULL;
	TPM2B_SENSITIVE_CREATE in = { .sensitive = { .data = { .size = 32 } } };
	TPM2B_PUBLIC wanted = { .publicArea = { .type = TPM2_ALG_KEYEDHASH, .nameAlg = TPM2_ALG_SHA256, .objectAttributes = TPMA_OBJECT_FIXEDTPM |
				TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_USERWITHAUTH, .parameters = { .keyedHashDetail = { .scheme = { .scheme = TPM2_ALG_NULL } } } } };
	TPM2B_DATA none = { 0 };
	TPML_PCR_SELECTION no_pcrs = { 0 };
	_cleanup_loaded_ struct tpm_loaded object = TPM_LOADED(t);
	_cleanup_esys_ TPM2B_SENSITIVE_DATA *out = NULL;
	TSS2_RC rc;

	memcpy(in.sensitive.data.buffer, data, 32);
	rc = Esys_Create(t->esys, t->primary, session_auth(t, SESSION_BOTH), ESYS_TR_NONE, ESYS_TR_NONE, &in, &wanted, &none, &no_pcrs, &priv, &pub,
			 NULL, NULL, NULL);
	if (rc == TSS2_RC_SUCCESS)
		rc = Esys_Load(t->esys, t->primary, session_auth(t, SESSION_DECRYPT), ESYS_TR_NONE, ESYS_TR_NONE, priv, pub, &object.tr);
	if (rc == TSS2_RC_SUCCESS)
		rc = Esys_Unseal(t->esys, object.tr, session_auth(t, SESSION_ENCRYPT), ESYS_TR_NONE, ESYS_TR_NONE, &out);
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(rc, "sealing", err);
	assert_int_equal(out->size, 32);
	assert_memory_equal(out->buffer, data, 32);
	return 0;
}

static void test_transcript(void **state)
{
	struct bench *b = *state;
	struct pcr_values pcrs;
	struct nv n = { 0 };
	uint8_t got[32];
	struct tpm *t;

	assert_ok(flow(b, &pcrs, got, &_err));
	assert_false(interposer_saw(&b->i, STORED, 32));
	for (size_t off = 0; off + 8 <= 32; off += 8)
		assert_false(interposer_saw(&b->i, &STORED[off], 8));
	interposer_rewind(&b->i);
	t = check_open(&b->i.access);
	assert_ok(srk_trust(t, &b->name, &_err));
	assert_ok(create(t, SEALED, &_err));
	assert_ok(nv_find(t, INDEX, &n, &_err));
	assert_ok(nv_store(t, &n, "something else to be stored, too", &_err));
	assert_ok(nv_store(t, &n, STORED, &_err));
	for (size_t off = 0; off + 8 <= 32; off += 8) {
		assert_false(interposer_saw(&b->i, &SEALED[off], 8));
		assert_false(interposer_saw(&b->i, &"something else to be stored, too"[off], 8));
		assert_false(interposer_saw(&b->i, &STORED[off], 8));
	}
	nv_release(&n);
	tpm_close(t);
	/* Without the session he reads along: the search finds what there is to find. */
	interposer_rewind(&b->i);
	t = check_open(&b->i.access);
	assert_ok(nv_find(t, INDEX, &n, &_err));
	assert_ok(nv_read(t, &n, got, 32, &_err));
	assert_true(interposer_saw(&b->i, STORED, 32));
	nv_release(&n);
	tpm_close(t);
}

/* Commands before which nothing is proven, whose damage shows later or not at all (a qualified name that nobody uses). */
static bool in_session(uint32_t code)
{
	return code == TPM2_CC_PCR_Read || code == TPM2_CC_NV_Read;
}

/* What a damaged answer hid from us stays in the TPM where there is no resource manager, until its three slots are full. */
static void flush_all(struct swtpm *s)
{
	static const uint32_t kinds[] = { TPM2_HR_TRANSIENT, TPM2_LOADED_SESSION_FIRST };
	_cleanup_tpm_ struct tpm *t = check_open(swtpm_access(s));

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		_cleanup_esys_ TPMS_CAPABILITY_DATA *data = NULL;
		TPMI_YES_NO more;

		assert_int_equal(Esys_GetCapability(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_HANDLES, kinds[k], 10, &more, &data),
				 TSS2_RC_SUCCESS);
		for (uint32_t n = 0; n < data->data.handles.count; n++) {
			const uint32_t h = data->data.handles.handle[n];
			uint8_t answer[64];
			size_t len = sizeof(answer);
			const uint8_t command[] = { 0x80, 1, 0, 0, 0, 14, 0, 0, 1, 0x65, (uint8_t)(h >> 24), (uint8_t)(h >> 16), (uint8_t)(h >> 8),
						    (uint8_t)h };

			assert_int_equal(Tss2_Tcti_Transmit(t->tcti, sizeof(command), command), TSS2_RC_SUCCESS);
			assert_int_equal(Tss2_Tcti_Receive(t->tcti, &len, answer, TSS2_TCTI_TIMEOUT_BLOCK), TSS2_RC_SUCCESS);
		}
	}
}

static void flipped(struct bench *b, uint32_t code, size_t at, uint8_t mask)
{
	_cleanup_err_ struct err *err = NULL;
	struct pcr_values pcrs;
	uint8_t got[32];

	b->i.flip.code = code;
	b->i.flip.nth = 1;
	b->i.flip.at = at;
	b->i.flip.mask = mask;
	if (flow(b, &pcrs, got, &err) == 0) {
		if (!right(b, &pcrs, got) || (in_session(code) && at >= 10))
			fail_msg("command 0x%x byte %zu mask %02x: believed", code, at, mask);
	} else if (err_class(err) != ERR_TPM ||
		   (in_session(code) && at >= 10 && strcmp(err_id(err), "tpm-session") != 0)) {
		fail_msg("command 0x%x byte %zu mask %02x: %s (%s)", code, at, mask, err_id(err), err_message(err));
	}
	if (!in_session(code))
		flush_all(b->mine);
}

static void test_altered(void **state)
{
	struct bench *b = *state;
	struct pcr_values pcrs;
	uint8_t got[32];
	size_t lens[8];
	uint32_t codes[8];

	assert_ok(flow(b, &pcrs, got, &_err));
	assert_int_equal(b->i.commands, 6);
	memcpy(lens, b->i.answer_len, sizeof(lens));
	memcpy(codes, b->i.codes, sizeof(codes));
	for (size_t c = 0; c < 5; c++) {
		for (size_t at = 0; at < lens[c]; at++)
			flipped(b, codes[c], at, (uint8_t)(1u << (at * 5 + c) % 8));
	}
}

static void test_swapped(void **state)
{
	struct bench *b = *state;

	for (unsigned int nth = 1; nth <= 5; nth++) {
		_cleanup_err_ struct err *err = NULL;
		struct pcr_values pcrs;
		uint8_t got[32];

		b->i.swap.nth = nth;
		assert_int_equal(flow(b, &pcrs, got, &err), -1);
		assert_int_equal(err_class(err), ERR_TPM);
		if (strcmp(err_id(err), nth == 1 ? "tpm-replaced" : "tpm-session") != 0)
			fail_msg("from command %u on: %s (%s)", nth, err_id(err), err_message(err));
	}
}

static void test_dropped(void **state)
{
	struct bench *b = *state;

	for (unsigned int nth = 1; nth <= 5; nth++) {
		struct pcr_values pcrs;
		uint8_t got[32];

		b->i.drop.nth = nth;
		assert_fails(flow(b, &pcrs, got, &_err), ERR_TPM, "tpm-io");
	}
}

/* He shows a key of his own in place of the storage primary, persistent or made anew. */
static void impostor(struct tpm_interposer *i, bool command, uint8_t *message, size_t *len)
{
	/* x of the ECC template's TPM2B_PUBLIC; CreatePrimary's answer has a handle and a parameter size before it. */
	const size_t x = 10 + 2 + 2 + 2 + 4 + 8 * 2;
	const uint32_t code = i->codes[i->commands - 1];

	if (!command && code == TPM2_CC_ReadPublic && *len > x)
		message[x] ^= 0x40;
	if (!command && code == TPM2_CC_CreatePrimary && *len > x + 8)
		message[x + 8] ^= 0x40;
}

static void test_impostor(void **state)
{
	struct bench *b = *state;
	struct pcr_values pcrs;
	uint8_t got[32];

	b->i.relay = impostor;
	assert_fails(flow(b, &pcrs, got, &_err), ERR_TPM, "tpm-session");
	for (unsigned int c = 0; c < b->i.commands; c++)
		assert_int_not_equal(b->i.codes[c], TPM2_CC_StartAuthSession); /* not a byte of salt was sent */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_commands, setup, teardown),
		cmocka_unit_test_setup_teardown(test_transcript, setup, teardown),
		cmocka_unit_test_setup_teardown(test_altered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_swapped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_impostor, setup, teardown),
	};

	swtpm_or_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
