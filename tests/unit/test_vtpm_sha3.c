/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * PCR banks of SHA-3, which libtss2 can neither send nor read. No software TPM keeps one: here somebody on the bus renames the bank of
 * SHA-512, and our OpenSSL's SHA3-512 is that. What is not the TPM's arithmetic is as it would be.
 */
#include "tests/lib/vtpm_check.h"

#include <openssl/evp.h>

#include "tests/lib/tpm_interposer.h"
#include "vtpm/pcr_by_hand.h"

static const char event[] = "cryptattest:cap:v1\n-\n";
static bool lacking;

/* The program's comes before the library's. */
const EVP_MD *EVP_sha3_512(void)
{
	return lacking ? NULL : EVP_sha512();
}

/* A selection's algorithm, wherever one stands. */
static void rename_bank(uint8_t *p, size_t len, uint8_t from, uint8_t to)
{
	for (size_t i = 10; i + 2 < len; i++)
		if (p[i] == 0 && p[i + 1] == from && p[i + 2] == 3)
			p[i + 1] = to;
}

/* TPM2_PCR_Extend: head, handle, size and a password session, number of digests, and of each the algorithm. */
static void rename_digests(uint8_t *p, size_t len, uint8_t from, uint8_t to)
{
	static const size_t sizes[256] = { [0x04] = 20, [0x0b] = 32, [0x0c] = 48, [0x0d] = 64, [0x12] = 32, [0x27] = 32, [0x28] = 48, [0x29] = 64 };

	for (size_t i = 31; i + 2 <= len;) {
		const uint8_t alg = p[i + 1];

		assert_true(sizes[alg] > 0);
		if (alg == from)
			p[i + 1] = to;
		i += 2 + sizes[alg];
	}
}

static uint8_t seen_as = 0x29; /* by our side */

static void relay(struct tpm_interposer *i, bool command, uint8_t *message, size_t *len)
{
	const uint32_t code = i->codes[i->commands - 1];

	if (command && code == TPM2_CC_PCR_Extend)
		rename_digests(message, *len, seen_as, 0x0d);
	else if (command && code == TPM2_CC_PCR_Read)
		rename_bank(message, *len, seen_as, 0x0d);
	else if (!command && (code == TPM2_CC_PCR_Read || code == TPM2_CC_GetCapability))
		rename_bank(message, *len, 0x0d, seen_as);
}

static void begin(void **state, struct tpm_interposer *i, uint8_t alg)
{
	interposer_init(i, swtpm_access(*state), NULL);
	i->relay = relay;
	seen_as = alg;
}

static void holds_event(struct tpm *t, enum pcr_bank b)
{
	uint8_t want[PCR_DIGEST_MAX] = { 0 };
	struct pcr_values v;

	assert_ok(pcr_extend_value(b, want, event, strlen(event), want, &_err));
	assert_ok(pcr_read(t, b, 1 << 15, &v, &_err));
	assert_memory_equal(v.value[15], want, pcr_bank_size(b));
}

static void test_extends(void **state)
{
	struct tpm_interposer i;
	struct tpm *t;
	uint32_t active;
	bool moved = true;

	begin(state, &i, 0x29);
	t = check_open(&i.access);
	assert_ok(pcr_active_banks(t, &active, &_err));
	assert_int_equal(active, 1 << PCR_SHA1 | 1 << PCR_SHA256 | 1 << PCR_SHA384 | 1 << PCR_SHA3_512);
	assert_ok(pcr_moved(t, 15, &moved, &_err));
	assert_false(moved);
	assert_ok(pcr_extend_all(t, 15, event, strlen(event), &_err));
	assert_ok(pcr_moved(t, 15, &moved, &_err));
	assert_true(moved);
	holds_event(t, PCR_SHA1);
	holds_event(t, PCR_SHA256);
	holds_event(t, PCR_SHA384);
	holds_event(t, PCR_SHA3_512);
	tpm_close(t);
	/* And so the TPM's own bank has it. */
	interposer_clear(&i);
	t = check_open(swtpm_access(*state));
	holds_event(t, PCR_SHA512);
	tpm_close(t);
}

static void test_answer_lost(void **state)
{
	struct pcr_extension x = { 0 };
	struct tpm_interposer i;
	struct tpm *t;

	begin(state, &i, 0x29);
	i.lose.code = TPM2_CC_PCR_Extend;
	i.lose.nth = 1;
	t = check_open(&i.access);
	assert_fails(pcr_extend_once(t, 15, event, strlen(event), &x, &_err), ERR_TPM, "tpm-io");
	tpm_close(t);
	t = check_open(&i.access);
	assert_ok(pcr_extend_once(t, 15, event, strlen(event), &x, &_err));
	holds_event(t, PCR_SHA3_512);
	tpm_close(t);
	interposer_clear(&i);
}

/* Without a session somebody on the bus may alter it: then the register says so. */
static void flip_digest(struct tpm_interposer *i, bool command, uint8_t *message, size_t *len)
{
	if (command && i->codes[i->commands - 1] == TPM2_CC_PCR_Extend)
		message[*len - 1] ^= 1;
	relay(i, command, message, len);
}

static void test_altered(void **state)
{
	struct tpm_interposer i;
	struct tpm *t;

	begin(state, &i, 0x29);
	i.relay = flip_digest;
	t = check_open(&i.access);
	assert_fails(pcr_extend_all(t, 15, event, strlen(event), &_err), ERR_CAP, "cap-readback");
	tpm_close(t);
	interposer_clear(&i);
}

/* A TPM that does not know the bank after all, and one that answers with half a head. */
static void cut(struct tpm_interposer *i, bool command, uint8_t *message, size_t *len)
{
	relay(i, command, message, len);
	if (!command && i->codes[i->commands - 1] == TPM2_CC_PCR_Extend)
		*len = 9;
}

static void keep_name(struct tpm_interposer *i, bool command, uint8_t *message, size_t *len)
{
	if (!command || i->codes[i->commands - 1] != TPM2_CC_PCR_Extend)
		relay(i, command, message, len);
}

static void test_refused(void **state)
{
	struct tpm_interposer i;
	struct err *e = NULL;
	struct tpm *t;

	begin(state, &i, 0x29);
	i.relay = keep_name;
	t = check_open(&i.access);
	assert_true(pcr_extend_all(t, 15, event, strlen(event), &e) < 0);
	assert_int_equal(err_class(e), ERR_TPM);
	assert_non_null(strstr(err_message(e), "extending a PCR"));
	err_free(e);
	i.relay = cut;
	assert_fails(pcr_extend_all(t, 15, event, strlen(event), &_err), ERR_TPM, "tpm-session");
	tpm_close(t);
	interposer_clear(&i);
}

/* Nobody can extend what nobody can compute or send, and no other bank is extended alone. */
static void test_not_computable(void **state)
{
	struct tpm_interposer i;
	bool moved = true;
	struct tpm *t;

	begin(state, &i, 0x29);
	t = check_open(&i.access);
	lacking = true;
	assert_fails(pcr_extend_all(t, 15, event, strlen(event), &_err), ERR_TPM, "pcr-bank");
	lacking = false;
	assert_ok(pcr_moved(t, 15, &moved, &_err));
	assert_false(moved);
	tpm_close(t);
	interposer_clear(&i);
}

static void test_unknown(void **state)
{
	struct tpm_interposer i;
	struct err *e = NULL;
	uint32_t active;
	struct tpm *t;

	begin(state, &i, 0x7f);
	t = check_open(&i.access);
	assert_true(pcr_active_banks(t, &active, &e) < 0);
	assert_string_equal(err_id(e), "pcr-bank");
	assert_non_null(strstr(err_message(e), "0x007f"));
	assert_non_null(strstr(err_hint_text(e), "tpm2_pcrallocate"));
	err_clear(&e);
	assert_fails(pcr_extend_all(t, 15, event, strlen(event), &_err), ERR_TPM, "pcr-bank");
	tpm_close(t);
	interposer_clear(&i);
}

/* Between two commands of the salted session, which goes on and sees it. */
static void test_beside_a_session(void **state)
{
	struct tpm_name name;
	_cleanup_tpm_ struct tpm *t = check_trusted(*state, &name);
	TPML_DIGEST_VALUES d = { .count = 4 };
	uint32_t active;

	assert_ok(pcr_active_banks(t, &active, &_err));
	for (int b = PCR_SHA1; b <= PCR_SHA512; b++) {
		d.digests[b].hashAlg = pcr_bank_alg((enum pcr_bank)b);
		assert_ok(pcr_event_digest((enum pcr_bank)b, event, strlen(event), (uint8_t *)&d.digests[b].digest, &_err));
	}
	assert_int_equal(by_hand_extend(t, 15, &d), TSS2_RC_SUCCESS);
	for (int b = PCR_SHA1; b <= PCR_SHA512; b++)
		holds_event(t, (enum pcr_bank)b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		vtpm_test(test_extends),	 vtpm_test(test_answer_lost), vtpm_test(test_altered),	       vtpm_test(test_refused),
		vtpm_test(test_not_computable), vtpm_test(test_unknown),     vtpm_test(test_beside_a_session),
	};

	swtpm_or_skip();
	return cmocka_run_group_tests_name("vtpm_sha3", tests, NULL, NULL);
}
