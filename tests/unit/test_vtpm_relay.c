/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Unsealing as the one on the bus sees it: which commands, what they show, and what happens when they are lost, altered or redirected. */
#include "tests/lib/vtpm_boot.h"

#include <tss2/tss2_tpm2_types.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "tests/lib/tpm_interposer.h"
#include "tests/unit/tpm_shared.h"
#include "vtpm/seal.h"

struct machine {
	struct swtpm *s;
	struct tpm_name primary;
	struct vtpm_rules r;
	struct sealed_blob b;
	struct tpm_interposer i;
};

static int setup(void **state)
{
	static struct machine m;

	memset(&m, 0, sizeof(m));
	m.s = boot_machine(&m.primary);
	m.r = boot_rules();
	interposer_init(&m.i, swtpm_access(m.s), NULL);
	*state = &m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	sealed_blob_clear(&m->b);
	interposer_clear(&m->i);
	swtpm_stop(m->s);
	return 0;
}

static void seal(struct machine *m, const char *pin)
{
	boot_seal_now(m->s, &m->primary, &m->r, pin, &m->b);
}

/* Through the interposer; 0 only with the right secret. */
static int unseal(struct machine *m, const char *pin, bool need_origin, struct err **err)
{
	enum sealed_origin origin;

	interposer_rewind(&m->i);
	return boot_unseal_full(&m->i.access, &m->primary, &m->r, &m->b, pin, need_origin, false, &origin, err);
}

static void expect_commands(const struct machine *m, const uint32_t *want, size_t n)
{
	for (size_t i = 0; i < n || i < m->i.commands; i++)
		if (i >= n || i >= m->i.commands || m->i.codes[i] != want[i])
			fail_msg("command %zu of %u is 0x%x, not 0x%x", i, m->i.commands, i < m->i.commands ? m->i.codes[i] : 0,
				 i < n ? want[i] : 0);
}

/* Up to and with the one that gives the secret. */
static unsigned int until_secret(const struct machine *m)
{
	for (unsigned int n = 0; n < m->i.commands; n++)
		if (m->i.codes[n] == TPM2_CC_Unseal)
			return n + 1;
	fail_msg("no secret was asked for");
	return 0;
}

/* What a boot costs. A TPM takes milliseconds to tens of them for each: whoever adds one says here why. */
static void test_commands(void **state)
{
	static const uint32_t plain[] = {
		TPM2_CC_ReadPublic, TPM2_CC_StartAuthSession, TPM2_CC_PCR_Read, TPM2_CC_Load, TPM2_CC_StartAuthSession, TPM2_CC_PolicyPCR,
		TPM2_CC_Unseal,	    TPM2_CC_FlushContext,     TPM2_CC_FlushContext,
	};
	static const uint32_t proven[] = {
		TPM2_CC_ReadPublic,	   TPM2_CC_StartAuthSession, TPM2_CC_PCR_Read, TPM2_CC_Load,	     TPM2_CC_CertifyCreation,
		TPM2_CC_StartAuthSession, TPM2_CC_PolicyPCR,	     TPM2_CC_Unseal,   TPM2_CC_FlushContext, TPM2_CC_FlushContext,
	};
	static const uint32_t with_pin[] = {
		TPM2_CC_ReadPublic,	       TPM2_CC_StartAuthSession, TPM2_CC_PCR_Read,	    TPM2_CC_Load,
		TPM2_CC_CertifyCreation,       TPM2_CC_GetCapability, /* locked out? */
		TPM2_CC_StartAuthSession,      TPM2_CC_PolicyPCR,	 TPM2_CC_PolicyAuthValue, TPM2_CC_Unseal,
		TPM2_CC_FlushContext,	       TPM2_CC_FlushContext,
	};
	struct machine *m = *state;

	seal(m, NULL);
	assert_ok(unseal(m, NULL, false, &_err));
	expect_commands(m, plain, ARRAY_SIZE(plain));
	assert_ok(unseal(m, NULL, true, &_err));
	expect_commands(m, proven, ARRAY_SIZE(proven));
	sealed_blob_clear(&m->b);
	m->r.pin = true;
	seal(m, "1234");
	assert_ok(unseal(m, "1234", true, &_err));
	expect_commands(m, with_pin, ARRAY_SIZE(with_pin));
}

/* The secret, the payload, the PIN and its value: not in the clear, neither when sealed nor when unsealed. */
static void test_transcript(void **state)
{
	struct machine *m = *state;
	_cleanup_secret_ struct secret *pin = boot_secret("a PIN of some length"), *value = NULL;
	struct vtpm *v;
	uint8_t vk_id[32];

	m->r.pin = true;
	v = boot_open(&m->i.access, &m->primary);
	boot_seal(v, &m->r, "a PIN of some length", &m->b);
	vtpm_close(v);
	assert_ok(boot_unseal_full(&m->i.access, &m->primary, &m->r, &m->b, "a PIN of some length", true, false, &(enum sealed_origin){ 0 },
				   &_err));
	assert_ok(seal_pin_value(pin, m->b.pin_salt, sizeof(m->b.pin_salt), &value, &_err));
	assert_int_equal(hex_decode(BOOT_VK_ID, 64, vk_id, 32, NULL), 0);
	assert_true(interposer_saw(&m->i, m->b.pub.data, m->b.pub.len)); /* it does see what is not secret */
	assert_false(interposer_saw(&m->i, BOOT_SECRET, 8));
	assert_false(interposer_saw(&m->i, &BOOT_SECRET[16], 8));
	assert_false(interposer_saw(&m->i, vk_id, 8));
	assert_false(interposer_saw(&m->i, secret_cdata(pin), 8));
	assert_false(interposer_saw(&m->i, secret_cdata(value), 8));
}

/* The connection breaks at each command in turn. */
static void test_drop(void **state)
{
	struct machine *m = *state;
	unsigned int last;

	seal(m, NULL);
	assert_ok(unseal(m, NULL, true, &_err));
	last = until_secret(m);
	for (unsigned int n = 1; n <= last; n++) {
		m->i.drop.nth = n;
		assert_fails(unseal(m, NULL, true, &_err), ERR_TPM, "tpm-io");
		boot_system(m->s, "system");
	}
	m->i.drop.nth = 0;
	assert_ok(unseal(m, NULL, true, &_err));
}

static bool in_session(uint32_t code)
{
	return code == TPM2_CC_PCR_Read || code == TPM2_CC_Load || code == TPM2_CC_CertifyCreation || code == TPM2_CC_Unseal;
}

/* One bit of an answer: refused, or it did not matter. Behind the header of an answer in the session it always matters. */
static void flip(struct machine *m, unsigned int nth, uint32_t code, size_t at)
{
	_cleanup_err_ struct err *e = NULL;

	m->i.flip.nth = nth;
	m->i.flip.at = at;
	m->i.flip.mask = 1;
	if (unseal(m, NULL, true, &e) == 0) {
		if (in_session(code) && at >= 10)
			fail_msg("byte %zu of the answer to command 0x%x does not count", at, code);
		return;
	}
	if (err_class(e) != ERR_TPM && err_class(e) != ERR_CAP)
		fail_msg("byte %zu of the answer to 0x%x: %s", at, code, err_message(e));
	if (in_session(code) && at >= 14 && !text_eq(err_id(e), "tpm-session"))
		fail_msg("byte %zu of the answer to 0x%x: %s (%s)", at, code, err_message(e), err_id(e));
	/* A handle that was altered stays in the TPM: without a resource manager only a reset frees it. */
	boot_system(m->s, "system");
}

static void test_flips(void **state)
{
	struct machine *m = *state;
	uint32_t codes[16];
	size_t len[16];
	unsigned int last;

	seal(m, NULL);
	assert_ok(unseal(m, NULL, true, &_err));
	last = until_secret(m);
	assert_true(last <= ARRAY_SIZE(codes));
	memcpy(codes, m->i.codes, sizeof(codes));
	memcpy(len, m->i.answer_len, sizeof(len));
	for (unsigned int n = 1; n <= last; n++) {
		static const size_t header[] = { 1, 5, 9, 13 };
		const size_t l = len[n - 1];

		for (size_t i = 0; i < ARRAY_SIZE(header); i++)
			if (header[i] < l)
				flip(m, n, codes[n - 1], header[i]);
		for (size_t at = 14; at < l; at += 1 + l / 5)
			flip(m, n, codes[n - 1], at);
		if (l > 14)
			flip(m, n, codes[n - 1], l - 1);
	}
}

/* Another TPM, in the same state and with a primary of its own, answers from some command on. */
static void test_swap(void **state)
{
	struct machine *m = *state;
	struct swtpm *other;
	struct tpm_name primary;
	unsigned int last;

	seal(m, NULL);
	assert_ok(unseal(m, NULL, true, &_err));
	last = until_secret(m);
	other = boot_machine(&primary);
	m->i.second = swtpm_access(other);
	for (unsigned int n = 1; n <= last; n++) {
		_cleanup_err_ struct err *e = NULL;

		m->i.swap.nth = n;
		assert_true(unseal(m, NULL, true, &e) < 0);
		assert_int_equal(err_class(e), ERR_TPM);
		boot_system(m->s, "system");
		boot_system(other, "system");
	}
	swtpm_stop(other);
}

struct meddler {
	struct shared_access wire, own;
	unsigned int times, left;
	unsigned int pcr;
};

static void extend_before_unseal(struct tpm_interposer *i, bool command, uint8_t *message, size_t *len)
{
	struct meddler *x = i->relay_ctx;

	if (!command || i->codes[i->commands - 1] != TPM2_CC_Unseal || x->left == 0)
		return;
	x->left--;
	x->times++;
	x->own = x->wire;
	x->own.access = borrowed(&x->own);
	boot_extend(&x->own.access, x->pcr, "meanwhile");
}

/* Another program measures something while we unseal: we begin anew, unless it never ends, or unless it is our state that changed. */
static void test_pcr_changes_under_us(void **state)
{
	struct machine *m = *state;
	struct meddler x = { .left = 3, .pcr = 8 };

	seal(m, NULL);
	share(&x.wire, swtpm_access(m->s));
	m->i.first = &x.wire.access;
	m->i.relay = extend_before_unseal;
	m->i.relay_ctx = &x;
	assert_ok(unseal(m, NULL, true, &_err));
	assert_int_equal(x.times, 3);
	x.left = 1000;
	x.times = 0;
	assert_fails(unseal(m, NULL, true, &_err), ERR_TPM, "tpm-busy");
	assert_int_equal(x.times, 30);
	x.left = 1;
	x.pcr = 9;
	assert_fails(unseal(m, NULL, true, &_err), ERR_TPM, "policy");
	boot_system(m->s, "system");
	x.left = 1;
	x.pcr = BOOT_CAP;
	assert_fails(unseal(m, NULL, true, &_err), ERR_CAP, "capped");
}

#define t(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(test_commands), t(test_transcript), t(test_drop), t(test_flips), t(test_swap), t(test_pcr_changes_under_us),
	};

	swtpm_or_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
