/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What we sign is what the agent accepts: file form, fingerprint, policy, signature. */
#include "tests/lib/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "vtpm/counter.h"
#include "vtpm/pcr_sign.h"
#include "vtpm/policy.h"

static const struct pcr_values values = { .bank = PCR_SHA256, .mask = 1 << 11 | 1 << 7, .value = { [11] = { 1, 2, 3 }, [7] = { 9 } } };

static void sign_and_find(enum key_type type, uint32_t index, bool has_version)
{
	struct keypair *kp = NULL;
	_cleanup_free_ char *text = NULL;
	_cleanup_pcr_sigs_ struct pcr_sigs read = { 0 };
	struct pcr_sign_params p = { .pcrs = 1 << 11, .version_index = index, .has_version = has_version, .version = 7 };
	struct policy policy = { .bank = PCR_SHA256, .signed_pcrs = 1 << 11, .version = { .index = index } };
	struct pcr_signer signer = { 0 };
	struct pcr_sig e;
	struct pcr_sigs made = { .entry = &e, .n = 1 };

	assert_ok(keypair_generate(type, &kp, &_err));
	p.key = kp;
	assert_ok(pcr_sign(&p, &values, &e, &_err));
	assert_ok(pcr_sigs_text(&made, PCR_SHA256, &text, &_err));
	assert_ok(pcr_sigs_parse(text, strlen(text), PCR_SHA256, &read, &_err));
	assert_int_equal(read.n, 1);
	keypair_public(kp, &signer.key);
	assert_ok(keypair_fingerprint(kp, signer.fingerprint, &_err));
	policy.signer = &signer;
	if (index)
		assert_ok(counter_name(index, &policy.version.name, &_err));
	assert_ok(policy_pcr_digest(&values, 1 << 11, policy.signed_digest, &_err));
	assert_ok(policy_find_signature(&policy, &read, &_err));
	assert_ptr_equal(policy.signature, &read.entry[0]);
	assert_int_equal(policy.version.limit, has_version ? 7 : 0);
	if (signer.key.rsa)
		assert_ok(public_key_verify_rsassa(&signer.key, DIGEST_SHA256, read.entry[0].policy, 32, read.entry[0].sig,
						   read.entry[0].sig_len, &_err));
	/* Another state is not approved. */
	policy.signed_digest[0] ^= 1;
	policy.signature = NULL;
	assert_ok(policy_find_signature(&policy, &read, &_err));
	assert_null(policy.signature);
	keypair_free(kp);
}

static void the_agent_accepts_it(void **state)
{
	sign_and_find(KEY_RSA_2048, 0, false);
	sign_and_find(KEY_RSA_2048, 0x01800010, true);
	sign_and_find(KEY_EC_P256, 0x01800010, true);
}

static void refuses(void **state)
{
	struct keypair *kp = NULL;
	struct pcr_sign_params p = { .pcrs = 1 << 11, .version_index = 0x01800010 };
	struct pcr_sig e;

	assert_ok(keypair_generate(KEY_EC_P521, &kp, &_err));
	p.key = kp;
	assert_fails(pcr_sign(&p, &values, &e, &_err), ERR_CONFIG, "version");
	p.version_index = 0;
	assert_fails(pcr_sign(&p, &values, &e, &_err), ERR_CONFIG, "signer");
	keypair_free(kp);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_agent_accepts_it), cmocka_unit_test(refuses) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
