/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The active relay: it carries our commands to the genuine TPM, unaltered, and puts its own between them while the PCRs match. Salted
 * sessions do not help, it needs none of ours (C5). What the manual says about it is shown here: without a second factor it has the
 * secret; a PIN or the broker's part saves the volume.
 */
#include "tests/lib/vtpm_boot.h"

#include "base/cleanup.h"
#include "crypto/hkdf.h"
#include "tests/lib/tpm_interposer.h"
#include "tests/unit/tpm_shared.h"
#include "vtpm/seal.h"

struct attack {
	struct shared_access wire, own;
	const struct sealed_blob *b; /* from the host's disk */
	struct tpm_name primary;     /* it asks the TPM */
	bool done;
	TSS2_RC rc; /* the TPM's answer to its Unseal */
	uint8_t got[SEAL_DATA_MAX];
	size_t len;
};

/* Nothing but standard commands: read the primary, load the file's object, PolicyPCR with what the TPM has, Unseal. */
static void steal(struct attack *a, struct tpm *t)
{
	_cleanup_loaded_ struct tpm_loaded object = TPM_LOADED(t), session = TPM_LOADED(t);
	_cleanup_esys_ TPM2B_SENSITIVE_DATA *data = NULL;
	TPML_PCR_SELECTION selection;
	TPM2B_PUBLIC pub;

	assert_ok(srk_trust(t, &a->primary, &_err));
	assert_ok(seal_check_public(&a->b->pub, a->b->pin, &pub, &_err));
	assert_ok(seal_load(t, &pub, &a->b->priv, &object, &_err));
	assert_ok(session_policy(t, &session, &_err));
	seal_selection(PCR_SHA256, BOOT_PCRS | UINT32_C(1) << BOOT_CAP, &selection);
	assert_int_equal(Esys_PolicyPCR(t->esys, session.tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL, &selection), 0);
	if (a->b->pin)
		assert_int_equal(Esys_PolicyAuthValue(t->esys, session.tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE), 0);
	a->rc = Esys_Unseal(t->esys, object.tr, session.tr, ESYS_TR_NONE, ESYS_TR_NONE, &data);
	if (a->rc != TSS2_RC_SUCCESS)
		return;
	a->len = data->size;
	memcpy(a->got, data->buffer, data->size);
}

/* At the victim's PCR_Read: it is in the boot state, and has not unsealed yet. */
static void relay(struct tpm_interposer *i, bool command, uint8_t *message, size_t *len)
{
	struct attack *a = i->relay_ctx;
	struct tpm *t = NULL;

	if (!command || a->done || i->codes[i->commands - 1] != TPM2_CC_PCR_Read)
		return;
	a->done = true;
	a->own = a->wire;
	a->own.access = borrowed(&a->own);
	assert_ok(tpm_open(&a->own.access, AT_FDCWD, deadline_in_ms(20000), &t, &_err));
	steal(a, t);
	tpm_close(t);
}

/* The victim seals at one boot; at the next it unseals over the relay, and notices nothing. */
static void attacked_boot(const char *pin, struct attack *a)
{
	struct vtpm_rules r = boot_rules();
	struct tpm_interposer i;
	struct sealed_blob b;
	enum sealed_origin origin;
	struct swtpm *s;

	memset(a, 0, sizeof(*a));
	s = boot_machine(&a->primary);
	r.pin = pin != NULL;
	boot_seal_now(s, &a->primary, &r, pin, &b);
	boot_system(s, "system");
	if (pin)
		assert_int_equal(swtpm_sh(s, "tpm2_dictionarylockout --clear-lockout"), 0);
	a->b = &b;
	share(&a->wire, swtpm_access(s));
	interposer_init(&i, &a->wire.access, NULL);
	i.relay = relay;
	i.relay_ctx = a;
	assert_ok(boot_unseal_full(&i.access, &a->primary, &r, &b, pin, true, false, &origin, &_err));
	assert_true(a->done);
	/* It passed our traffic on, and read none of it. */
	assert_false(interposer_saw(&i, BOOT_SECRET, 8));
	interposer_clear(&i);
	sealed_blob_clear(&b);
	swtpm_stop(s);
}

static void test_what_is_lost(void **state)
{
	struct attack a;

	attacked_boot(NULL, &a);
	assert_int_equal(a.rc, 0);
	assert_int_equal(a.len, SEALED_PAYLOAD_LEN);
	assert_memory_equal(a.got + 4, BOOT_SECRET, SEALED_SECRET_LEN);
}

/* It can do all of the policy but the PIN, which the TPM counts. */
static void test_pin_saves(void **state)
{
	struct attack a;

	attacked_boot("1234", &a);
	assert_true(tpm_rc_is(a.rc, TPM2_RC_AUTH_FAIL));
	assert_int_equal(a.len, 0);
}

/* Mode kbs+vtpm: the stolen part is not the passphrase, and without the broker's part it makes none. */
static void test_both_factors_save(void **state)
{
	static const char uuid[] = "6f1c2d3e-1111-4222-8333-444455556666";
	_cleanup_secret_ struct secret *kbs = boot_secret("the part that the broker gives"), *guess = boot_secret("a part that it guesses...."),
				       *sealed = NULL, *right = NULL, *wrong = NULL, *alone = NULL;
	struct attack a;

	attacked_boot(NULL, &a);
	assert_ok(secret_from(a.got + 4, SEALED_SECRET_LEN, &sealed, &_err));
	assert_ok(both_parts_passphrase(kbs, sealed, uuid, "root", &right, &_err));
	assert_ok(both_parts_passphrase(guess, sealed, uuid, "root", &wrong, &_err));
	assert_ok(secret_base64(sealed, &alone, &_err));
	assert_false(secret_equal(right, wrong));
	assert_false(secret_equal(right, alone));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_lost),
		cmocka_unit_test(test_pin_saves),
		cmocka_unit_test(test_both_factors_save),
	};

	swtpm_or_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
