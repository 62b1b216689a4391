/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What a sealed secret can ask for besides PCRs: a PIN, and a budget of boots without the broker. */
#include "tests/unit/vtpm_machine.h"
#include "vtpm/counter.h"
#include "vtpm/policy_run.h"
#include "vtpm/seal.h"
#include "vtpm/state.h"

#define OFFLINE_INDEX 0x01800102

static int ready(struct machine *m, struct err **err)
{
	_cleanup_vtpm_ struct vtpm *v = boot_open(swtpm_access(m->s), &m->primary);

	return vtpm_ready(v, &m->r, &m->b, true, err);
}

static uint32_t failed_tries(struct machine *m)
{
	struct vtpm *v = boot_open(swtpm_access(m->s), &m->primary);
	struct tpm_lockout l;

	assert_ok(tpm_lockout(vtpm_tpm(v), &l, &_err));
	vtpm_close(v);
	return l.failed;
}

/* A reset without an orderly shutdown, which is what a killed swtpm sees, counts like a wrong PIN where one was in use. */
static void clear_lockout(struct machine *m)
{
	assert_int_equal(swtpm_sh(m->s, "tpm2_dictionarylockout --clear-lockout"), 0);
	assert_int_equal(failed_tries(m), 0);
}

static void test_pin(void **state)
{
	struct machine *m = *state;
	struct err *e = NULL;

	m->r.pin = true;
	seal(m, "1234");
	assert_ok(unseal(m, "1234", true, false, &_err));
	assert_fails(unseal(m, NULL, true, false, &_err), ERR_TPM, "pin-needed");
	assert_int_equal(failed_tries(m), 0);
	assert_true(unseal(m, "1235", true, false, &e) < 0);
	assert_string_equal(err_id(e), "tpm-auth");
	assert_non_null(strstr(err_hint_text(e), "tries are left"));
	err_free(e);
	assert_int_equal(failed_tries(m), 1);
	/* What the rules and the file say of a PIN must agree, and with what the object is. */
	m->r.pin = false;
	assert_fails(unseal(m, NULL, true, false, &_err), ERR_TPM, "sealed-attributes");
	m->r.pin = true;
	m->b.pin = false;
	assert_fails(unseal(m, "1234", true, false, &_err), ERR_TPM, "sealed-attributes");
	m->b.pin = true;
	m->b.pin_salt[0] ^= 1;
	assert_fails(unseal(m, "1234", true, false, &_err), ERR_TPM, "tpm-auth");
	m->b.pin_salt[0] ^= 1;
	boot_system(m->s, "system");
	clear_lockout(m);
	assert_ok(unseal(m, "1234", true, false, &_err));
}

static void test_no_pin_given_to_seal(void **state)
{
	struct machine *m = *state;
	struct vtpm *v = boot_open(swtpm_access(m->s), &m->primary);

	m->r.pin = true;
	assert_fails(boot_seal_err(v, &m->r, NULL, &m->b, &_err), ERR_CONFIG, "pin-needed");
	assert_fails(boot_seal_err(v, &m->r, "", &m->b, &_err), ERR_CONFIG, "pin-needed");
	m->r.pin = false;
	assert_fails(boot_seal_err(v, &m->r, "1234", &m->b, &_err), ERR_INTERNAL, "pin");
	vtpm_close(v);
}

/* A PIN is tried only when everything else is right, and not when the TPM would not look at it. */
static void test_lockout(void **state)
{
	struct machine *m = *state;
	struct tpm_lockout l;
	struct vtpm *v;

	m->r.pin = true;
	seal(m, "1234");
	boot_system(m->s, "new system");
	clear_lockout(m);
	assert_fails(ready(m, &_err), ERR_TPM, "policy");
	for (int i = 0; i < 5; i++)
		assert_fails(unseal(m, "wrong", true, false, &_err), ERR_TPM, "policy");
	assert_int_equal(failed_tries(m), 0);
	boot_system(m->s, "system");
	v = boot_open(swtpm_access(m->s), &m->primary);
	assert_ok(tpm_lockout(vtpm_tpm(v), &l, &_err));
	vtpm_close(v);
	assert_ok(ready(m, &_err));
	for (uint32_t i = 0; i < l.max_tries; i++)
		assert_fails(unseal(m, "wrong", true, false, &_err), ERR_TPM, "tpm-auth");
	assert_fails(ready(m, &_err), ERR_TPM, "tpm-lockout");
	assert_fails(unseal(m, "1234", true, false, &_err), ERR_TPM, "tpm-lockout");
	assert_int_equal(failed_tries(m), l.max_tries);
	/* An object without a PIN is not concerned. */
	m->r.pin = false;
	seal(m, NULL);
	assert_ok(unseal(m, NULL, true, false, &_err));
}

/* SHA-256("pin191") ends in a zero byte, which the TPM does not keep. */
static void test_pin_value_with_zero(void **state)
{
	struct machine *m = *state;
	struct vtpm *v = boot_open(swtpm_access(m->s), &m->primary);
	_cleanup_secret_ struct secret *pin = boot_secret("pin191"), *data = boot_secret("x"), *value = NULL, *out = NULL;
	struct seal_result made;
	struct vtpm_state s;
	uint8_t policy[POLICY_DIGEST];
	TPM2B_PUBLIC pub;

	m->r.pin = true;
	assert_ok(vtpm_state_read(v, &m->r, NULL, 0, &s, &_err));
	assert_ok(policy_digest(&s.policy, policy, &_err));
	assert_ok(seal_pin_value(pin, NULL, 0, &value, &_err));
	assert_int_equal(secret_len(value), 31);
	assert_ok(seal_create(v->t, policy, data, value, PCR_SHA256, s.creation_mask, &made, &_err));
	assert_ok(seal_check_public(&made.pub, true, &pub, &_err));
	{
		_cleanup_loaded_ struct tpm_loaded session = TPM_LOADED(v->t), object = TPM_LOADED(v->t);

		assert_ok(seal_load(v->t, &pub, &made.priv, &object, &_err));
		assert_ok(session_policy(v->t, &session, &_err));
		assert_ok(policy_run(v->t, session.tr, &s.policy, &_err));
		assert_ok(seal_unseal(v->t, object.tr, &session, value, &out, &_err));
	}
	assert_true(secret_equal(out, data));
	seal_result_clear(&made);
	vtpm_state_clear(&s);
	vtpm_close(v);
}

static uint64_t counted(struct machine *m)
{
	struct vtpm *v = boot_open(swtpm_access(m->s), &m->primary);
	uint64_t n;

	assert_ok(counter_read(v->t, OFFLINE_INDEX, &n, &_err));
	vtpm_close(v);
	return n;
}

static void test_offline_budget(void **state)
{
	struct machine *m = *state;
	uint64_t start;

	m->r.offline_index = OFFLINE_INDEX;
	m->r.offline_boots = 2;
	seal(m, NULL);
	start = counted(m);
	assert_int_equal(m->b.baseline, start);
	assert_ok(unseal(m, NULL, true, false, &_err)); /* the broker was there: nothing is counted */
	assert_int_equal(counted(m), start);
	assert_true(current(m));
	boot_system(m->s, "new system"); /* refused for another reason: nothing is counted */
	assert_fails(unseal(m, NULL, true, true, &_err), ERR_TPM, "policy");
	assert_int_equal(counted(m), start);
	for (int i = 0; i < 2; i++) {
		boot_system(m->s, "system");
		assert_ok(unseal(m, NULL, true, true, &_err));
		assert_int_equal(counted(m), start + i + 1);
		assert_false(current(m));
	}
	boot_system(m->s, "system");
	assert_fails(unseal(m, NULL, true, true, &_err), ERR_TPM, "offline-budget");
	assert_int_equal(counted(m), start + 2);
	/* A larger number in the file is another policy. */
	m->b.baseline++;
	assert_fails(unseal(m, NULL, true, true, &_err), ERR_TPM, "policy");
	seal(m, NULL);
	assert_true(current(m));
	assert_ok(unseal(m, NULL, true, true, &_err));
}

/* The TPM refuses by itself, when the software's check is passed by; and volumes of one boot count once. */
static void test_offline_budget_in_the_tpm(void **state)
{
	struct machine *m = *state;
	struct sealed_payload p;
	enum sealed_origin origin;
	struct vtpm_state s;
	struct nv n;
	struct vtpm *v;

	m->r.offline_index = OFFLINE_INDEX;
	m->r.offline_boots = 1;
	seal(m, NULL);
	v = boot_open(swtpm_access(m->s), &m->primary);
	for (int i = 0; i < 2; i++) {
		assert_ok(vtpm_unseal(v, &m->r, &m->b, NULL, true, true, &p, &origin, &_err));
		sealed_payload_clear(&p);
	}
	assert_ok(counter_open(v->t, OFFLINE_INDEX, &n, &_err));
	assert_ok(nv_increment(v->t, &n, &_err));
	nv_release(&n);
	assert_ok(vtpm_state_read(v, &m->r, NULL, m->b.baseline, &s, &_err));
	{
		_cleanup_loaded_ struct tpm_loaded session = TPM_LOADED(v->t);

		assert_ok(session_policy(v->t, &session, &_err));
		assert_fails(policy_run(v->t, session.tr, &s.policy, &_err), ERR_TPM, "offline-budget");
	}
	vtpm_state_clear(&s);
	vtpm_close(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(test_pin),
		t(test_no_pin_given_to_seal),
		t(test_lockout),
		t(test_pin_value_with_zero),
		t(test_offline_budget),
		t(test_offline_budget_in_the_tpm),
	};

	swtpm_or_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
