/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Storage primary and sessions (vtpm/srk.h, vtpm/session.h) on swtpm. */
#include "tests/lib/vtpm_check.h"

#include "base/encode.h"

static struct tpm_name shown(struct swtpm *s)
{
	_cleanup_tpm_ struct tpm *t = check_open(swtpm_access(s));
	_cleanup_srk_ struct srk srk = SRK_INIT(t);

	assert_ok(srk_show(t, &srk, &_err));
	return srk.name;
}

static int trust(struct swtpm *s, const struct tpm_name *name, struct err **err)
{
	_cleanup_tpm_ struct tpm *t = check_open(swtpm_access(s));

	return srk_trust(t, name, err);
}

static void test_transient(void **state)
{
	struct tpm_name first = shown(*state), again;
	_cleanup_tpm_ struct tpm *t = check_open(swtpm_access(*state));

	assert_ok(srk_trust(t, &first, &_err));
	assert_true(t->primary_transient);
	assert_true(session_is_open(t));
	tpm_close(TAKE_PTR(t));
	swtpm_reboot(*state);
	again = shown(*state);
	assert_true(tpm_name_equal(&first, &again));
}

static void test_provisioned(void **state)
{
	struct tpm_name transient = shown(*state), name;
	struct tpm *t = check_trusted(*state, &name);

	assert_true(tpm_name_equal(&transient, &name)); /* the same template */
	assert_false(t->primary_transient);
	assert_ok(srk_provision(t, NULL, &_err)); /* again: nothing to do */
	tpm_close(t);
	/* Evicted by an administrator: the template still gives it. */
	if (swtpm_sh(*state, "tpm2_evictcontrol -C o -c 0x81000001") != 127)
		assert_ok(trust(*state, &name, &_err));
}

/* Every path leaves the TPM as empty as it was: swtpm has three slots of each kind. */
static void test_nothing_left(void **state)
{
	struct tpm_name name = shown(*state), other = name;

	other.bytes[20] ^= 1;
	for (int i = 0; i < 5; i++) {
		assert_ok(trust(*state, &name, &_err));
		assert_fails(trust(*state, &other, &_err), ERR_TPM, "tpm-replaced");
	}
	if (swtpm_sh(*state, "exit 0") == 0) {
		assert_int_equal(swtpm_sh(*state, "! tpm2_getcap handles-transient | grep -q . "), 0);
		assert_int_equal(swtpm_sh(*state, "! tpm2_getcap handles-loaded-session | grep -q ."), 0);
	}
}

static void test_replaced(void **state)
{
	struct tpm_name name;

	tpm_close(check_trusted(*state, &name));
	swtpm_replace(*state);
	assert_fails(trust(*state, &name, &_err), ERR_TPM, "tpm-replaced");
}

static void test_cleared(void **state)
{
	struct tpm_name name;

	tpm_close(check_trusted(*state, &name));
	if (swtpm_sh(*state, "tpm2_clear -c p") == 127)
		return;
	assert_fails(trust(*state, &name, &_err), ERR_TPM, "tpm-replaced");
}

/* Something that is no storage primary of this TPM lies at the handle. */
static void test_stranger(void **state)
{
	static const char make[] = "d=$(mktemp -d) && cd $d && tpm2_createprimary -C o -G ecc -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign' "
				   "-c k && tpm2_evictcontrol -C o -c k 0x81000001; r=$?; rm -r $d; exit $r";
	struct tpm_name name = shown(*state);
	_cleanup_tpm_ struct tpm *t = NULL;
	struct srk srk;

	if (swtpm_sh(*state, "command -v tpm2_createprimary") != 0)
		return;
	assert_int_equal(swtpm_sh(*state, make), 0);
	t = check_open(swtpm_access(*state));
	assert_fails(srk_find(t, &srk, &_err), ERR_TPM, "srk-type");
	assert_fails(srk_show(t, &srk, &_err), ERR_TPM, "srk-type");
	assert_fails(srk_provision(t, NULL, &_err), ERR_TPM, "srk-type");
	/* Whose Name is configured is still found by its template. */
	assert_ok(srk_trust(t, &name, &_err));
	assert_true(t->primary_transient);
}

static void test_owner_auth(void **state)
{
	_cleanup_secret_ struct secret *right = NULL, *wrong = NULL;
	struct tpm_name name = shown(*state);
	_cleanup_tpm_ struct tpm *t = NULL;
	struct srk srk;

	if (swtpm_sh(*state, "tpm2_changeauth -c owner hunter2") != 0)
		return;
	assert_ok(secret_from("hunter2", 7, &right, &_err));
	assert_ok(secret_from("hunter3", 7, &wrong, &_err));
	t = check_open(swtpm_access(*state));
	assert_fails(srk_show(t, &srk, &_err), ERR_TPM, "tpm-auth");
	assert_fails(srk_trust(t, &name, &_err), ERR_TPM, "tpm-auth");
	assert_fails(srk_provision(t, wrong, &_err), ERR_TPM, "tpm-auth");
	assert_ok(srk_provision(t, right, &_err));
	assert_ok(srk_trust(t, &name, &_err)); /* persistent: nobody needs the owner any more */
}

static void test_templates(void **state)
{
	static const enum srk_template all[] = { SRK_ECC, SRK_RSA, SRK_LEGACY_ECC, SRK_LEGACY_RSA };
	static const uint32_t attributes[] = { 0x30472, 0x30472, 0x30072, 0x30072 };
	_cleanup_tpm_ struct tpm *t = check_open(swtpm_access(*state));
	struct tpm_name names[ARRAY_SIZE(all)];

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		_cleanup_srk_ struct srk srk = SRK_INIT(t);

		assert_ok(srk_create(t, all[i], TPM2_ALG_SHA256, NULL, &srk, &_err));
		assert_int_equal(srk.pub.publicArea.objectAttributes, attributes[i]);
		names[i] = srk.name;
		for (size_t j = 0; j < i; j++)
			assert_false(tpm_name_equal(&names[i], &names[j]));
		/* Each of them can carry the salt. */
		assert_ok(session_open(t, srk.key.tr, &srk.name, &_err));
		struct pcr_values v;
		assert_ok(pcr_read(t, PCR_SHA256, 1 << 7, &v, &_err));
	}
	if (swtpm_sh(*state, "command -v tpm2_createprimary") == 0) {
		char command[300], hex[2 * TPM_NAME_MAX + 1];

		/* clevis and systemd 252 make theirs like this. */
		tpm_close(TAKE_PTR(t));
		tpm_name_text(&names[2], hex);
		snprintf(command, sizeof(command),
			 "d=$(mktemp -d) && cd $d && tpm2_createprimary -C o -g sha256 -G ecc -c k && tpm2_readpublic -c k | grep -q %s; r=$?; rm -r $d; exit $r",
			 hex);
		assert_int_equal(swtpm_sh(*state, command), 0);
	}
}

static void test_check(void **state)
{
	TPM2B_PUBLIC pub;

	srk_template(SRK_ECC, TPM2_ALG_SHA256, &pub);
	assert_ok(srk_check(&pub, &_err));
	for (int bit = 0; bit < 32; bit++) {
		static const uint32_t needed = 0x30072;

		srk_template(SRK_ECC, TPM2_ALG_SHA256, &pub);
		pub.publicArea.objectAttributes &= ~(UINT32_C(1) << bit);
		if (needed >> bit & 1)
			assert_fails(srk_check(&pub, &_err), ERR_TPM, "srk-type");
		else
			assert_ok(srk_check(&pub, &_err));
	}
	srk_template(SRK_RSA, TPM2_ALG_SHA256, &pub);
	assert_ok(srk_check(&pub, &_err));
	pub.publicArea.parameters.rsaDetail.keyBits = 1024;
	assert_fails(srk_check(&pub, &_err), ERR_TPM, "srk-type");
	srk_template(SRK_ECC, TPM2_ALG_SHA256, &pub);
	pub.publicArea.parameters.eccDetail.symmetric.algorithm = TPM2_ALG_NULL;
	assert_fails(srk_check(&pub, &_err), ERR_TPM, "srk-type");
	srk_template(SRK_ECC, TPM2_ALG_SHA256, &pub);
	pub.publicArea.objectAttributes |= TPMA_OBJECT_SIGN_ENCRYPT;
	assert_fails(srk_check(&pub, &_err), ERR_TPM, "srk-type");
}

static void test_policy_session(void **state)
{
	struct tpm_name name;
	_cleanup_tpm_ struct tpm *t = check_open(swtpm_access(*state));
	struct tpm_loaded s;

	assert_fails(session_policy(t, &s, &_err), ERR_INTERNAL, "tpm-untrusted");
	tpm_close(TAKE_PTR(t));
	t = check_trusted(*state, &name);
	for (int i = 0; i < 6; i++) {
		_cleanup_loaded_ struct tpm_loaded p = TPM_LOADED(t), trial = TPM_LOADED(t);

		assert_ok(session_policy(t, &p, &_err));
		assert_ok(session_trial(t, &trial, &_err));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check), vtpm_test(test_transient), vtpm_test(test_provisioned), vtpm_test(test_nothing_left),
		vtpm_test(test_replaced),     vtpm_test(test_cleared),	 vtpm_test(test_stranger),    vtpm_test(test_owner_auth),
		vtpm_test(test_templates),    vtpm_test(test_policy_session),
	};

	swtpm_or_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
