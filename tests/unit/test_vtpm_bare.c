/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A machine without libtss2: its TPM is capped all the same, and what needs the library says so. The linker's --wrap takes it away. */
#include "tests/lib/vtpm_check.h"

#include <dlfcn.h>
#include <openssl/evp.h>

#include "base/text.h"
#include "crypto/digest.h"
#include "tests/lib/tpm_interposer.h"

static const char event[] = "cryptattest:cap:v1\n-\n";

void *__wrap_dlopen(const char *name, int flags);
void *__real_dlopen(const char *name, int flags);

/* dlerror() has to have something to say. */
void *__wrap_dlopen(const char *name, int flags)
{
	return __real_dlopen(name && text_starts(name, "libtss2-") ? "libtss2-absent.so.0" : name, flags);
}

static bool lacking;

/* The program's comes before the library's, which asks for all of them once. */
const EVP_MD *EVP_sm3(void)
{
	return lacking ? NULL : EVP_sha256();
}

static void holds_event(struct tpm *t, enum pcr_bank b)
{
	uint8_t want[PCR_DIGEST_MAX] = { 0 };
	struct pcr_values v;

	assert_ok(pcr_extend_value(b, want, event, strlen(event), want, &_err));
	assert_ok(pcr_read(t, b, 1 << 15, &v, &_err));
	assert_memory_equal(v.value[15], want, pcr_bank_size(b));
}

static void test_caps(void **state)
{
	_cleanup_tpm_ struct tpm *t = check_open(swtpm_access(*state));
	uint32_t active;
	bool moved = true;

	assert_non_null(tss2_missing());
	assert_ok(pcr_active_banks(t, &active, &_err));
	assert_int_equal(active, 1 << PCR_SHA1 | 1 << PCR_SHA256 | 1 << PCR_SHA384 | 1 << PCR_SHA512);
	assert_ok(pcr_moved(t, 15, &moved, &_err));
	assert_false(moved);
	assert_ok(pcr_extend_all(t, 15, event, strlen(event), &_err));
	assert_ok(pcr_moved(t, 15, &moved, &_err));
	assert_true(moved);
	for (int b = PCR_SHA1; b <= PCR_SHA512; b++)
		holds_event(t, (enum pcr_bank)b);
}

static void test_reads_all(void **state)
{
	_cleanup_tpm_ struct tpm *t = check_open(swtpm_access(*state));
	struct pcr_values v;

	/* Eight a command. */
	assert_ok(pcr_read(t, PCR_SHA256, 0xffffff, &v, &_err));
	assert_int_equal(v.mask, 0xffffff);
	assert_true(all_zero(v.value[15], 32));
	assert_int_equal(v.value[17][0], 0xff);
	assert_fails(pcr_read(t, PCR_SM3_256, 1, &v, &_err), ERR_TPM, "pcr-bank");
}

static void test_rest_is_refused(void **state)
{
	_cleanup_tpm_ struct tpm *t = check_open(swtpm_access(*state));
	struct tpm_lockout lockout;
	struct tpm_name name = { 0 };
	struct err *e = NULL;

	assert_true(srk_trust(t, &name, &e) < 0);
	assert_string_equal(err_id(e), "tpm-library");
	assert_non_null(strstr(err_message(e), "libtss2-absent"));
	assert_non_null(strstr(err_hint_text(e), "make the image again"));
	err_clear(&e);
	assert_fails(srk_provision(t, NULL, &_err), ERR_TPM, "tpm-library");
	assert_fails(tpm_lockout(t, &lockout, &_err), ERR_TPM, "tpm-library");
}

/* SHA-256's bank goes by the name of SM3, which nobody here computes: the TPM has to. */
static void rename_bank(uint8_t *p, size_t len, uint8_t from, uint8_t to)
{
	for (size_t i = 10; i + 2 < len; i++)
		if (p[i] == 0 && p[i + 1] == from && p[i + 2] == 3)
			p[i + 1] = to;
}

static void as_sm3(struct tpm_interposer *i, bool command, uint8_t *message, size_t *len)
{
	const uint32_t code = i->codes[i->commands - 1];

	if (code == TPM2_CC_PCR_Read || (!command && code == TPM2_CC_GetCapability))
		rename_bank(message, *len, command ? 0x12 : 0x0b, command ? 0x0b : 0x12);
}

static void test_event(void **state)
{
	uint8_t digest[DIGEST_MAX];
	struct tpm_interposer i;
	struct tpm *t;

	interposer_init(&i, swtpm_access(*state), NULL);
	i.relay = as_sm3;
	t = check_open(&i.access);
	assert_ok(digest_bytes(DIGEST_SHA256, "", 0, digest, &_err));
	lacking = true;
	assert_ok(pcr_extend_all(t, 15, event, strlen(event), &_err));
	assert_int_equal(i.codes[2], TPM2_CC_PCR_Event);
	holds_event(t, PCR_SHA384);
	lacking = false;
	tpm_close(t);
	interposer_clear(&i);
	t = check_open(swtpm_access(*state));
	holds_event(t, PCR_SHA256);
	tpm_close(t);
}

/* The firmware did not start it. */
static void unstarted(struct tpm_interposer *i, bool command, uint8_t *message, size_t *len)
{
	static const uint8_t answer[] = { 0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x00 };

	if (command || i->commands > 1)
		return;
	memcpy(message, answer, sizeof(answer));
	*len = sizeof(answer);
}

static void test_startup(void **state)
{
	struct tpm_interposer i;
	struct tpm *t;
	bool moved;

	interposer_init(&i, swtpm_access(*state), NULL);
	i.relay = unstarted;
	t = check_open(&i.access);
	assert_ok(pcr_moved(t, 15, &moved, &_err));
	assert_int_equal(i.codes[1], TPM2_CC_Startup);
	assert_int_equal(i.codes[2], TPM2_CC_GetCapability);
	tpm_close(t);
	interposer_clear(&i);
}

/* Every answer, cut at every place with its size put right, and with the size left as it was. */
static struct {
	uint32_t code;
	size_t at, full;
	bool honest;
} cut;

static void cut_answer(struct tpm_interposer *i, bool command, uint8_t *message, size_t *len)
{
	if (command || i->codes[i->commands - 1] != cut.code)
		return;
	cut.full = *len;
	if (cut.at >= *len)
		return;
	*len = cut.at;
	if (cut.honest && cut.at >= 6)
		message[5] = (uint8_t)cut.at, message[4] = (uint8_t)(cut.at >> 8);
}

static void cut_everywhere(struct swtpm *s, uint32_t code)
{
	cut.code = code;
	cut.at = 10;
	do {
		struct pcr_values v;
		struct tpm_interposer i;
		uint32_t active;
		struct tpm *t;

		interposer_init(&i, swtpm_access(s), NULL);
		i.relay = cut_answer;
		t = check_open(&i.access);
		if (code == TPM2_CC_GetCapability)
			assert_fails(pcr_active_banks(t, &active, &_err), ERR_TPM, "tpm-session");
		else
			assert_fails(pcr_read(t, PCR_SHA256, 0xff, &v, &_err), ERR_TPM, "tpm-session");
		tpm_close(t);
		interposer_clear(&i);
	} while (++cut.at < cut.full);
}

static void test_cut(void **state)
{
	for (int honest = 0; honest <= 1; honest++) {
		cut.honest = honest;
		cut_everywhere(*state, TPM2_CC_GetCapability);
		cut_everywhere(*state, TPM2_CC_PCR_Read);
	}
}

/* Counts that nobody has room for. */
static void test_flips(void **state)
{
	static const struct {
		uint32_t code;
		size_t at;
	} counts[] = { { TPM2_CC_GetCapability, 10 }, { TPM2_CC_GetCapability, 15 }, { TPM2_CC_GetCapability, 18 }, { TPM2_CC_GetCapability, 21 },
		       { TPM2_CC_PCR_Read, 14 },      { TPM2_CC_PCR_Read, 17 },      { TPM2_CC_PCR_Read, 20 },	    { TPM2_CC_PCR_Read, 27 },
		       { TPM2_CC_PCR_Read, 28 },      { TPM2_CC_PCR_Read, 5 } };

	for (size_t k = 0; k < ARRAY_SIZE(counts); k++) {
		struct tpm_interposer i;
		struct pcr_values v;
		uint32_t active;
		struct tpm *t;

		interposer_init(&i, swtpm_access(*state), NULL);
		i.flip.code = counts[k].code;
		i.flip.nth = 1;
		i.flip.at = counts[k].at;
		i.flip.mask = 0xff;
		t = check_open(&i.access);
		if (counts[k].code == TPM2_CC_GetCapability)
			assert_fails(pcr_active_banks(t, &active, &_err), ERR_TPM, "tpm-session");
		else
			assert_fails(pcr_read(t, PCR_SHA256, 0xff, &v, &_err), ERR_TPM, "tpm-session");
		tpm_close(t);
		interposer_clear(&i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		vtpm_test(test_caps),	 vtpm_test(test_reads_all), vtpm_test(test_rest_is_refused), vtpm_test(test_event),
		vtpm_test(test_startup), vtpm_test(test_cut),	    vtpm_test(test_flips),
	};

	swtpm_or_skip();
	return cmocka_run_group_tests_name("vtpm_bare", tests, NULL, NULL);
}
