/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A PCR bank that the TPM keeps and this OpenSSL lacks, as SM3 is lacking in many builds: here SHA-512. */
#include "tests/lib/vtpm_check.h"

#include <dlfcn.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "tests/lib/tpm_interposer.h"

#define LONG_EVENT 5000

static bool lacking;

/* The program's comes before the library's, which itself needs it to begin with. */
const EVP_MD *EVP_sha512(void)
{
	const EVP_MD *(*md)(void);

	*(void **)&md = dlsym(RTLD_NEXT, "EVP_sha512");
	return lacking || !md ? NULL : md();
}

/* By the library's other door: SHA-512(zeros || SHA-512(event)). */
static void expected(const uint8_t *event, size_t len, uint8_t out[64])
{
	uint8_t both[128] = { 0 };

	assert_int_equal(EVP_Q_digest(NULL, "SHA512", NULL, event, len, both + 64, NULL), 1);
	assert_int_equal(EVP_Q_digest(NULL, "SHA512", NULL, both, sizeof(both), out, NULL), 1);
}

static void caps(struct tpm *t, size_t len)
{
	uint8_t *event = calloc(len, 1), want[PCR_DIGEST_MAX] = { 0 };
	struct pcr_values v;

	assert_non_null(event);
	for (size_t i = 0; i < len; i++)
		event[i] = (uint8_t)(i * 7);
	assert_true(pcr_event_digest(PCR_SHA512, event, len, want, NULL) < 0);
	assert_ok(pcr_extend_all(t, 15, event, len, &_err));
	assert_ok(pcr_read(t, PCR_SHA512, 1 << 15, &v, &_err));
	expected(event, len, want);
	assert_memory_equal(v.value[15], want, 64);
	assert_ok(pcr_read(t, PCR_SHA256, 1 << 15, &v, &_err));
	memset(want, 0, sizeof(want));
	assert_ok(pcr_extend_value(PCR_SHA256, want, event, len, want, &_err));
	assert_memory_equal(v.value[15], want, 32);
	free(event);
}

/* One command's worth, one more, several. */
static const size_t lengths[] = { 0, 21, 1024, 1025, 2048, LONG_EVENT };

static void test_untrusted(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct tpm *t;

		swtpm_reboot(*state);
		t = check_open(swtpm_access(*state));
		caps(t, lengths[i]);
		tpm_close(t);
	}
}

static void test_trusted(void **state)
{
	struct tpm_name name;

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct tpm *t;

		swtpm_reboot(*state);
		t = check_trusted(*state, &name);
		caps(t, lengths[i]);
		tpm_close(t);
	}
}

/* The answer to a long event is lost: by the register, it is in. */
static void test_lost(void **state)
{
	static const uint8_t event[LONG_EVENT];
	struct pcr_extension x = { 0 };
	struct tpm_interposer i;
	struct pcr_values v;
	uint8_t want[64];
	struct tpm *t;

	interposer_init(&i, swtpm_access(*state), NULL);
	i.lose.code = TPM2_CC_EventSequenceComplete;
	i.lose.nth = 1;
	t = check_open(&i.access);
	assert_fails(pcr_extend_once(t, 15, event, sizeof(event), &x, &_err), ERR_TPM, "tpm-io");
	tpm_close(t);
	t = check_open(&i.access);
	assert_ok(pcr_extend_once(t, 15, event, sizeof(event), &x, &_err));
	assert_ok(pcr_read(t, PCR_SHA512, 1 << 15, &v, &_err));
	expected(event, sizeof(event), want);
	assert_memory_equal(v.value[15], want, 64);
	tpm_close(t);
	interposer_clear(&i);
}

int main(void)
{
	const struct CMUnitTest tests[] = { vtpm_test(test_untrusted), vtpm_test(test_trusted), vtpm_test(test_lost) };

	swtpm_or_skip();
	OPENSSL_init_crypto(OPENSSL_INIT_ADD_ALL_DIGESTS, NULL);
	lacking = true;
	return cmocka_run_group_tests_name("vtpm_bank", tests, NULL, NULL);
}
