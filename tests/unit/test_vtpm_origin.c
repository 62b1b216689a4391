/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Objects that open and are still not ours (C4): fixedTPM, fixedParent and the exact policy prove nothing about who sealed. Each is shown
 * to open when nobody asks for its origin, and to be refused with the reason when somebody does.
 */
#include "tests/unit/vtpm_stranger.h"

#include "base/cleanup.h"
#include "base/encode.h"
#include "crypto/digest.h"
#include "vtpm/policy_run.h"
#include "vtpm/seal.h"
#include "vtpm/state.h"

static void test_other_system(void **state)
{
	struct machine *m = *state;
	enum sealed_origin origin;
	char first[9];

	expect_origin(m, ORIGIN_CREATION);
	boot_system(m->s, "evil system");
	seal_evil(m);
	boot_system(m->s, "system");
	expect_refused(m, "other values when it was made");
	assert_ok(unseal(m, false, &origin, first, &_err));
	assert_memory_equal(first, &EVIL_SECRET[24], 8);
}

static void test_after_the_cap(void **state)
{
	struct machine *m = *state;

	boot_cap(m->s);
	seal_evil(m);
	boot_system(m->s, "system");
	expect_refused(m, "the cap register had moved");
}

/* Creation data can be edited, but then the TPM does not know the ticket; those of another object are not this one's. */
static void test_forged_creation(void **state)
{
	struct machine *m = *state;
	struct sealed_bytes good = m->b.creation_data, ticket = m->b.creation_ticket;
	uint8_t *evil_data, *evil_ticket;
	size_t evil_len, evil_ticket_len;

	m->b.creation_data = m->b.creation_ticket = (struct sealed_bytes){ 0 };
	boot_system(m->s, "evil system");
	seal_evil(m);
	evil_data = m->b.creation_data.data;
	evil_len = m->b.creation_data.len;
	evil_ticket = m->b.creation_ticket.data;
	evil_ticket_len = m->b.creation_ticket.len;
	boot_system(m->s, "system");
	assert_int_equal(evil_len, good.len);
	m->b.creation_data = good; /* the words of the good one ... */
	expect_refused(m, "does not know its creation ticket"); /* ... under the attacker's ticket */
	m->b.creation_ticket = ticket;
	expect_refused(m, "does not know its creation ticket"); /* both of the good one */
	m->b.creation_data = (struct sealed_bytes){ evil_data, evil_len };
	m->b.creation_ticket = (struct sealed_bytes){ evil_ticket, evil_ticket_len };
	free(good.data);
	free(ticket.data);
}

static void test_other_creator(void **state)
{
	struct machine *m = *state;
	enum sealed_origin origin;
	char first[9];

	m->creation_mask &= ~(UINT32_C(1) << BOOT_CAP);
	seal_evil(m);
	expect_refused(m, "other PCRs");
	for (size_t i = 0; i + 11 <= m->b.creation_data.len; i++)
		if (memcmp(m->b.creation_data.data + i, "cryptattest", 11) == 0)
			m->b.creation_data.data[i] = 'C';
	expect_refused(m, "another program");
	/* The null hierarchy's tickets are nobody's. */
	sealed_blob_clear(&m->b);
	boot_seal_now(m->s, &m->primary, &m->r, NULL, &m->b);
	m->b.creation_ticket.data[5] = 0x07; /* TPM_RH_NULL */
	expect_refused(m, "of another hierarchy");
	m->b.creation_ticket.data[5] = 0x01;
	assert_ok(unseal(m, true, &origin, first, &_err));
}

/* Every byte of both parts counts. */
static void test_altered_creation(void **state)
{
	struct machine *m = *state;
	struct sealed_bytes *const parts[] = { &m->b.creation_data, &m->b.creation_ticket };

	for (size_t p = 0; p < ARRAY_SIZE(parts); p++)
		for (size_t i = 0; i < parts[p]->len; i++) {
			_cleanup_err_ struct err *e = NULL;
			enum sealed_origin origin;
			char first[9];

			parts[p]->data[i] ^= 1;
			if (unseal(m, true, &origin, first, &e) == 0 || !text_eq(err_id(e), "sealed-origin"))
				fail_msg("byte %zu of part %zu: %s", i, p, err_message(e));
			parts[p]->data[i] ^= 1;
		}
	expect_origin(m, ORIGIN_CREATION);
}

/*
 * TPM2_Import of an object that was made in software, without an outer wrapper: the sensitive area lies in the clear. What the TPM does
 * not allow is that such an object says fixedTPM or fixedParent.
 */
static TSS2_RC import(struct vtpm *v, const struct secret *data, const uint8_t *policy, TPMA_OBJECT attributes, TPM2B_PUBLIC *pub,
		      TPM2B_PRIVATE **ret)
{
	static const TPMT_SYM_DEF_OBJECT none = { .algorithm = TPM2_ALG_NULL };
	static const TPM2B_DATA no_key = { .size = 0 };
	static const TPM2B_ENCRYPTED_SECRET no_seed = { .size = 0 };
	TPM2B_SENSITIVE sensitive = { .sensitiveArea = { .sensitiveType = TPM2_ALG_KEYEDHASH, .seedValue = { .size = 32 } } };
	TPM2B_PRIVATE duplicate = { 0 };
	uint8_t both[32 + SEAL_DATA_MAX] = { 0 }, unique[DIGEST_MAX];
	size_t len = 0;

	sensitive.sensitiveArea.sensitive.bits.size = (UINT16)secret_len(data);
	memcpy(sensitive.sensitiveArea.sensitive.bits.buffer, secret_cdata(data), secret_len(data));
	memcpy(both + 32, secret_cdata(data), secret_len(data));
	assert_ok(digest_bytes(DIGEST_SHA256, both, 32 + secret_len(data), unique, &_err));
	*pub = (TPM2B_PUBLIC){ .publicArea = { .type = TPM2_ALG_KEYEDHASH,
					       .nameAlg = TPM2_ALG_SHA256,
					       .objectAttributes = attributes,
					       .authPolicy = { .size = POLICY_DIGEST },
					       .parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL,
					       .unique.keyedHash = { .size = 32 } } };
	memcpy(pub->publicArea.authPolicy.buffer, policy, POLICY_DIGEST);
	memcpy(pub->publicArea.unique.keyedHash.buffer, unique, 32);
	assert_int_equal(Tss2_MU_TPM2B_SENSITIVE_Marshal(&sensitive, duplicate.buffer, sizeof(duplicate.buffer), &len), 0);
	duplicate.size = (UINT16)len;
	return Esys_Import(v->t->esys, v->t->primary, session_for(v->t, SESSION_AUTH), ESYS_TR_NONE, ESYS_TR_NONE, &no_key, pub, &duplicate,
			   &no_seed, &none, ret);
}

static void put_object(struct sealed_blob *b, const TPM2B_PUBLIC *pub, const TPM2B_PRIVATE *priv)
{
	uint8_t bytes[SEALED_PART_MAX];
	size_t n = 0;

	free(b->pub.data);
	free(b->priv.data);
	assert_int_equal(Tss2_MU_TPM2B_PUBLIC_Marshal(pub, bytes, sizeof(bytes), &n), 0);
	b->pub = (struct sealed_bytes){ memcpy(malloc(n), bytes, n), n };
	n = 0;
	assert_int_equal(Tss2_MU_TPM2B_PRIVATE_Marshal(priv, bytes, sizeof(bytes), &n), 0);
	b->priv = (struct sealed_bytes){ memcpy(malloc(n), bytes, n), n };
}

static void test_imported(void **state)
{
	struct machine *m = *state;
	_cleanup_secret_ struct secret *bytes = evil_payload(), *out = NULL;
	_cleanup_esys_ TPM2B_PRIVATE *priv = NULL;
	struct vtpm *v = boot_open(swtpm_access(m->s), &m->primary);
	enum sealed_origin origin;
	struct vtpm_state s;
	TPM2B_PUBLIC pub;
	char first[9];

	assert_int_equal(tpm_rc_base(import(v, bytes, m->policy, TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_NODA, &pub, &priv)),
			 TPM2_RC_ATTRIBUTES);
	assert_int_equal(import(v, bytes, m->policy, TPMA_OBJECT_NODA, &pub, &priv), 0);
	/* The TPM would open it. */
	assert_ok(vtpm_state_read(v, &m->r, NULL, 0, &s, &_err));
	put_object(&m->b, &pub, priv);
	{
		_cleanup_loaded_ struct tpm_loaded session = TPM_LOADED(v->t), object = TPM_LOADED(v->t);

		assert_ok(seal_load(v->t, &pub, &m->b.priv, &object, &_err));
		assert_ok(session_policy(v->t, &session, &_err));
		assert_ok(policy_run(v->t, session.tr, &s.policy, &_err));
		assert_ok(seal_unseal(v->t, object.tr, &session, NULL, &out, &_err));
		assert_true(secret_equal(out, bytes));
	}
	vtpm_state_clear(&s);
	vtpm_close(v);
	assert_fails(unseal(m, false, &origin, first, &_err), ERR_TPM, "sealed-attributes");
	assert_fails(unseal(m, true, &origin, first, &_err), ERR_TPM, "sealed-attributes");
	/* A file that says fixedTPM of it: the TPM does not load that. */
	pub.publicArea.objectAttributes |= TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT;
	put_object(&m->b, &pub, priv);
	assert_fails(unseal(m, false, &origin, first, &_err), ERR_TPM, "tpm-replaced");
}

/* An object that a password opens has the right policy too. */
static void test_password_object(void **state)
{
	struct machine *m = *state;
	TPM2B_PUBLIC pub;

	m->b.pub.data[2 + 4 + 3] |= TPMA_OBJECT_USERWITHAUTH;
	assert_fails(seal_check_public(&m->b.pub, false, &pub, &_err), ERR_TPM, "sealed-attributes");
	m->b.pub.data[2 + 4 + 3] &= (uint8_t)~TPMA_OBJECT_USERWITHAUTH;
	assert_ok(seal_check_public(&m->b.pub, false, &pub, &_err));
	assert_fails(seal_check_public(&m->b.pub, true, &pub, &_err), ERR_TPM, "sealed-attributes"); /* noDA, and a PIN */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(test_other_system),	  t(test_after_the_cap), t(test_forged_creation), t(test_other_creator),
		t(test_altered_creation), t(test_imported),	 t(test_password_object),
	};

	swtpm_or_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
