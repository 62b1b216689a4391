/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Policies in a TPM: the same digests as in software, for every combination; signers; what the TPM itself refuses. */
#include "tests/lib/vtpm_boot.h"
#include "tests/unit/vtpm_sign.h"
#include "vtpm/counter.h"
#include "vtpm/policy_run.h"
#include "vtpm/state.h"

#define VERSION_INDEX 0x01800101
#define OFFLINE_INDEX 0x01800102
#define SIGNED_PCR (UINT32_C(1) << 11)

struct world {
	struct swtpm *s;
	struct vtpm *v;
	char *pem, *file;	  /* of the signer; what it signed */
	const char *files[2];
	struct vtpm_rules r;
};

static int setup(void **state)
{
	static struct world w;
	struct tpm_name primary;

	memset(&w, 0, sizeof(w));
	w.s = boot_machine(&primary);
	w.v = boot_open(swtpm_access(w.s), &primary);
	w.r = boot_rules();
	assert_ok(counter_define(w.v->t, VERSION_INDEX, NULL, &_err));
	assert_ok(counter_define(w.v->t, OFFLINE_INDEX, NULL, &_err));
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	vtpm_close(w->v);
	swtpm_stop(w->s);
	free(w->pem);
	free(w->file);
	return 0;
}

/* What the signer has to approve for the state that the machine is in. */
static void approved_now(struct world *w, uint64_t version, uint8_t out[static POLICY_DIGEST])
{
	struct vtpm_state s;

	assert_ok(vtpm_state_read(w->v, &w->r, NULL, 0, &s, &_err));
	s.policy.version.limit = version;
	assert_ok(policy_approved(&s.policy, out, &_err));
	vtpm_state_clear(&s);
}

/* Makes the rules ask for the key's signature, and gives it. */
static void sign_as(struct world *w, const char *private_pem, const char *fingerprint_of, int64_t version)
{
	uint8_t policy[POLICY_DIGEST];

	free(w->pem);
	free(w->file);
	w->pem = sign_public_pem(fingerprint_of);
	w->r.signer_pem = w->pem;
	w->r.signed_pcrs = SIGNED_PCR;
	w->r.version_index = version < 0 ? 0 : VERSION_INDEX;
	w->r.signatures = NULL;
	approved_now(w, version < 0 ? 0 : (uint64_t)version, policy);
	w->file = sign_file(private_pem, fingerprint_of, w->r.bank, policy, version);
	w->files[0] = w->file;
	w->r.signatures = w->files;
}

static int run(struct world *w, const struct policy *p, uint8_t digest[static POLICY_DIGEST], struct err **err)
{
	_cleanup_loaded_ struct tpm_loaded session = TPM_LOADED(w->v->t);

	if (session_policy(w->v->t, &session, err) < 0 || policy_run(w->v->t, session.tr, p, err) < 0)
		return -1;
	return policy_session_digest(w->v->t, session.tr, digest, err);
}

static void expect_same_digest(struct world *w)
{
	uint8_t software[POLICY_DIGEST], hardware[POLICY_DIGEST];
	struct vtpm_state s;

	assert_ok(vtpm_state_read(w->v, &w->r, NULL, 3, &s, &_err));
	assert_ok(policy_digest(&s.policy, software, &_err));
	assert_ok(run(w, &s.policy, hardware, &_err));
	assert_memory_equal(software, hardware, POLICY_DIGEST);
	vtpm_state_clear(&s);
}

static void test_every_combination(void **state)
{
	static const enum pcr_bank banks[] = { PCR_SHA256, PCR_SHA384 };
	static const uint32_t literal[] = { BOOT_PCRS, 0 };
	struct world *w = *state;

	for (size_t bank = 0; bank < ARRAY_SIZE(banks); bank++) {
		w->r.bank = banks[bank];
		for (unsigned int i = 0; i < 24; i++) {
			const unsigned int kind = i % 3; /* not signed, signed, signed with a version */

			w->r.signer_pem = NULL;
			w->r.pcrs = literal[kind ? i / 3 % 2 : 0];
			if (kind)
				sign_as(w, SIGN_EC_PEM, SIGN_EC_PEM, kind == 1 ? -1 : 5);
			w->r.pin = i / 6 % 2;
			w->r.offline_index = i / 12 ? OFFLINE_INDEX : 0;
			w->r.offline_boots = 4;
			expect_same_digest(w);
		}
	}
}

static bool knows_rsa(struct world *w, UINT16 bits)
{
	TPMT_PUBLIC_PARMS parms = { .type = TPM2_ALG_RSA,
				    .parameters.rsaDetail = { .symmetric.algorithm = TPM2_ALG_NULL,
							      .scheme.scheme = TPM2_ALG_NULL,
							      .keyBits = bits } };

	return Esys_TestParms(w->v->t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &parms) == TSS2_RC_SUCCESS;
}

/* A key that is longer than what the TPM knows is named as such; all others approve. */
static void test_signers(void **state)
{
	static const struct {
		const char *pem;
		UINT16 rsa_bits;
	} keys[] = { { SIGN_RSA_2048_PEM, 2048 }, { SIGN_RSA_3072_PEM, 3072 }, { SIGN_RSA_4096_PEM, 4096 }, { SIGN_EC_PEM, 0 } };
	struct world *w = *state;
	unsigned int known = 0;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		struct vtpm_state s;
		uint8_t digest[POLICY_DIGEST];

		sign_as(w, keys[i].pem, keys[i].pem, -1);
		if (!keys[i].rsa_bits || knows_rsa(w, keys[i].rsa_bits)) {
			known++;
			expect_same_digest(w);
			continue;
		}
		assert_ok(vtpm_state_read(w->v, &w->r, NULL, 0, &s, &_err));
		assert_fails(run(w, &s.policy, digest, &_err), ERR_TPM, "policy-signature");
		vtpm_state_clear(&s);
	}
	assert_true(known >= 2);
}

/* Software finds the entry good (state, fingerprint); the TPM checks the signature. */
static void test_wrong_signer(void **state)
{
	struct world *w = *state;
	uint8_t digest[POLICY_DIGEST];
	struct vtpm_state s;

	sign_as(w, SIGN_RSA_2048_PEM, SIGN_EC_PEM, -1);
	assert_ok(vtpm_state_read(w->v, &w->r, NULL, 0, &s, &_err));
	assert_non_null(s.policy.signature);
	assert_fails(run(w, &s.policy, digest, &_err), ERR_TPM, "policy-signature");
	vtpm_state_clear(&s);
	sign_as(w, SIGN_RSA_3072_PEM, SIGN_RSA_2048_PEM, -1);
	assert_ok(vtpm_state_read(w->v, &w->r, NULL, 0, &s, &_err));
	assert_non_null(s.policy.signature);
	assert_fails(run(w, &s.policy, digest, &_err), ERR_TPM, "policy-signature");
	vtpm_state_clear(&s);
}

static void test_wrong_signature(void **state)
{
	static const char *const keys[] = { SIGN_RSA_2048_PEM, SIGN_EC_PEM };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		uint8_t digest[POLICY_DIGEST];
		struct vtpm_state s;
		struct pcr_sig sig;

		sign_as(w, keys[i], keys[i], -1);
		assert_ok(vtpm_state_read(w->v, &w->r, NULL, 0, &s, &_err));
		sig = *s.policy.signature;
		s.policy.signature = &sig;
		sig.sig[sig.sig_len - 1] ^= 1;
		assert_fails(run(w, &s.policy, digest, &_err), ERR_TPM, "policy-signature");
		sig.sig_len--;
		assert_fails(run(w, &s.policy, digest, &_err), ERR_TPM, "policy-signature");
		sig.sig_len++;
		sig.sig[sig.sig_len - 1] ^= 1;
		assert_ok(run(w, &s.policy, digest, &_err));
		vtpm_state_clear(&s);
	}
}

/* The signature is good, but not for the state that the TPM is in. */
static void test_other_state(void **state)
{
	struct world *w = *state;
	uint8_t digest[POLICY_DIGEST];
	struct vtpm_state s, t;

	sign_as(w, SIGN_EC_PEM, SIGN_EC_PEM, -1);
	assert_ok(vtpm_state_read(w->v, &w->r, NULL, 0, &s, &_err));
	assert_ok(pcr_extend_all(w->v->t, 11, "another phase", 13, &_err));
	assert_fails(run(w, &s.policy, digest, &_err), ERR_TPM, "pcr-changed");
	/* Our own check says so first: no entry for these values. */
	assert_ok(vtpm_state_read(w->v, &w->r, NULL, 0, &t, &_err));
	assert_null(t.policy.signature);
	assert_fails(run(w, &t.policy, digest, &_err), ERR_TPM, "policy-signature");
	/* The entry of the old state, as if it were one of this. */
	t.policy.signature = s.policy.signature;
	assert_fails(run(w, &t.policy, digest, &_err), ERR_TPM, "policy-signature");
	vtpm_state_clear(&s);
	vtpm_state_clear(&t);
}

/* The TPM refuses a policy of version 2 once the counter says 3, and takes version 3. */
static void test_versions(void **state)
{
	struct world *w = *state;
	uint8_t digest[POLICY_DIGEST];
	struct vtpm_state s;
	uint64_t now, raised;

	assert_ok(counter_read(w->v->t, VERSION_INDEX, &now, &_err));
	sign_as(w, SIGN_EC_PEM, SIGN_EC_PEM, (int64_t)now + 1);
	expect_same_digest(w);
	assert_ok(vtpm_raise_version(w->v, &w->r, &_err));
	expect_same_digest(w);
	sign_as(w, SIGN_EC_PEM, SIGN_EC_PEM, (int64_t)now);
	assert_ok(vtpm_state_read(w->v, &w->r, NULL, 0, &s, &_err));
	assert_non_null(s.policy.signature);
	assert_fails(run(w, &s.policy, digest, &_err), ERR_TPM, "policy-version");
	vtpm_state_clear(&s);
	assert_fails(vtpm_raise_version(w->v, &w->r, &_err), ERR_TPM, "policy-version");
	sign_as(w, SIGN_EC_PEM, SIGN_EC_PEM, (int64_t)now + 258);
	assert_fails(vtpm_raise_version(w->v, &w->r, &_err), ERR_CONFIG, "version-gap");
	sign_as(w, SIGN_EC_PEM, SIGN_EC_PEM, (int64_t)now + 257);
	assert_ok(vtpm_raise_version(w->v, &w->r, &_err));
	assert_ok(counter_read(w->v->t, VERSION_INDEX, &raised, &_err));
	assert_int_equal(raised, now + 257);
	now = raised;
	/* A version that nobody signed does not count. */
	sign_as(w, SIGN_RSA_2048_PEM, SIGN_EC_PEM, (int64_t)now + 2);
	assert_fails(vtpm_raise_version(w->v, &w->r, &_err), ERR_TPM, "policy-signature");
	assert_ok(counter_read(w->v->t, VERSION_INDEX, &now, &_err));
	sign_as(w, SIGN_EC_PEM, SIGN_EC_PEM, (int64_t)now);
	expect_same_digest(w);
}

/* The counter in the TPM is not the one that the policy means: other attributes, or none at all. */
/* tpm2-tools need the TPM for themselves. */
static void with_tools(struct world *w, const char *command)
{
	struct tpm_name primary = w->v->t->primary_name;

	vtpm_close(w->v);
	assert_int_equal(swtpm_sh(w->s, command), 0);
	w->v = boot_open(swtpm_access(w->s), &primary);
}

static void test_wrong_counter(void **state)
{
	struct world *w = *state;
	uint8_t digest[POLICY_DIGEST];
	struct vtpm_state s;

	w->r.offline_index = OFFLINE_INDEX;
	w->r.offline_boots = 1;
	assert_ok(vtpm_state_read(w->v, &w->r, NULL, 0, &s, &_err));
	with_tools(w, "tpm2_nvundefine 0x01800102");
	assert_fails(run(w, &s.policy, digest, &_err), ERR_TPM, "nv-absent");
	with_tools(w, "tpm2_nvdefine 0x01800102 -s 8 -a 'nt=counter|ownerwrite|ownerread|authread|no_da' && tpm2_nvincrement -C o 0x01800102");
	assert_fails(run(w, &s.policy, digest, &_err), ERR_TPM, "nv-attributes");
	vtpm_state_clear(&s);
}

#define t(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(test_every_combination), t(test_signers),  t(test_wrong_signer),  t(test_wrong_signature),
		t(test_other_state),	   t(test_versions), t(test_wrong_counter),
	};

	swtpm_or_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
