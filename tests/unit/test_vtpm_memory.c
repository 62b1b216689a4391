/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * After sealing and after unsealing, no copy of the secret stays in the writable memory of the process while the connection is still
 * open: not in ours, and not in what the TPM library keeps. Freed memory counts.
 */
#include "tests/lib/vtpm_check.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/secret.h"
#include "crypto/digest.h"
#include "vtpm/policy_run.h"
#include "vtpm/seal.h"

#define MASK 0x5a
#define LEN 32
#define REGION_MAX (256UL << 20) /* larger ones are a sanitizer's own */

static uint8_t masked[LEN]; /* the secret, so that the search does not find itself */

/* How many places hold these bytes between the two addresses. */
__attribute__((no_sanitize("address"))) static unsigned int count_in(const volatile uint8_t *from, const volatile uint8_t *to)
{
	unsigned int found = 0;

	for (; from + LEN <= to; from++) {
		size_t n = 0;

		while (n < LEN && (from[n] ^ MASK) == masked[n])
			n++;
		found += n == LEN;
	}
	return found;
}

static unsigned int copies(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long from, to;
	unsigned int found = 0;
	char line[512], mode[5];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) == 3 && mode[0] == 'r' && mode[1] == 'w' && to - from <= REGION_MAX)
			found += count_in((const uint8_t *)from, (const uint8_t *)to);
	}
	fclose(maps);
	return found;
}

static struct secret *unmasked(void)
{
	struct secret *s = NULL;

	assert_ok(secret_new(LEN, &s, &_err));
	for (size_t i = 0; i < LEN; i++)
		secret_data(s)[i] = masked[i] ^ MASK;
	secret_set_len(s, LEN);
	return s;
}

static void test_no_copies(void **state)
{
	struct policy p = { .bank = PCR_SHA256, .pcrs = 1 << 15 };
	const struct pcr_values zero = { .bank = PCR_SHA256, .mask = 1 << 15 };
	struct tpm_name name;
	_cleanup_tpm_ struct tpm *t = check_trusted(*state, &name);
	_cleanup_loaded_ struct tpm_loaded object = TPM_LOADED(t), session = TPM_LOADED(t);
	_cleanup_secret_ struct secret *secret = NULL;
	uint8_t digest[POLICY_DIGEST];
	struct seal_result made;
	TPM2B_PUBLIC pub;

	assert_ok(random_bytes(masked, LEN, &_err));
	assert_ok(policy_pcr_digest(&zero, p.pcrs, p.pcr_digest, &_err));
	assert_ok(policy_digest(&p, digest, &_err));
	secret = unmasked();
	assert_int_equal(copies(), 1); /* the search finds what is there */
	assert_ok(seal_create(t, digest, secret, NULL, PCR_SHA256, 1 << 15, &made, &_err));
	assert_int_equal(copies(), 1);
	secret_free(TAKE_PTR(secret));
	assert_int_equal(copies(), 0);
	assert_ok(seal_check_public(&made.pub, false, &pub, &_err));
	assert_ok(seal_load(t, &pub, &made.priv, &object, &_err));
	assert_ok(session_policy(t, &session, &_err));
	assert_ok(policy_run(t, session.tr, &p, &_err));
	assert_ok(seal_unseal(t, object.tr, &session, NULL, &secret, &_err));
	assert_int_equal(copies(), 1);
	for (size_t i = 0; i < LEN; i++)
		assert_int_equal(secret_cdata(secret)[i] ^ MASK, masked[i]);
	secret_free(TAKE_PTR(secret));
	assert_int_equal(copies(), 0);
	seal_result_clear(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = { vtpm_test(test_no_copies) };

	swtpm_or_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
