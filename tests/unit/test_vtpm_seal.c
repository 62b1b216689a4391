/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Sealing and unsealing across boots, updates, and what happens to TPMs. */
#include "tests/lib/vtpm_boot.h"
#include "vtpm/counter.h"
#include "vtpm/policy_run.h"
#include "vtpm/seal.h"
#include "vtpm/state.h"

#define OFFLINE_INDEX 0x01800102

struct machine {
	struct swtpm *s;
	struct tpm_name primary;
	struct vtpm_rules r;
	struct sealed_blob b;
};

static int setup(void **state)
{
	static struct machine m;

	memset(&m, 0, sizeof(m));
	m.s = boot_machine(&m.primary);
	m.r = boot_rules();
	*state = &m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	sealed_blob_clear(&m->b);
	swtpm_stop(m->s);
	return 0;
}

static void seal(struct machine *m, const char *pin)
{
	sealed_blob_clear(&m->b);
	boot_seal_now(m->s, &m->primary, &m->r, pin, &m->b);
}

static int unseal(struct machine *m, const char *pin, bool need_origin, bool offline, struct err **err)
{
	enum sealed_origin origin;

	if (boot_unseal_full(swtpm_access(m->s), &m->primary, &m->r, &m->b, pin, need_origin, offline, &origin, err) < 0)
		return -1;
	assert_int_equal(origin, need_origin ? ORIGIN_CREATION : ORIGIN_UNPROVEN);
	return 0;
}

static bool current(struct machine *m)
{
	struct vtpm *v = boot_open(swtpm_access(m->s), &m->primary);
	bool is;

	assert_ok(vtpm_current(v, &m->r, &m->b, &is, &_err));
	vtpm_close(v);
	return is;
}

/* Through the file, as the next boot will see it. */
static void write_and_read(struct machine *m)
{
	char *text;

	assert_ok(sealed_blob_text(&m->b, &text, &_err));
	sealed_blob_clear(&m->b);
	assert_ok(sealed_blob_parse(text, strlen(text), &m->b, &_err));
	free(text);
}

static void test_reboot(void **state)
{
	static const enum pcr_bank banks[] = { PCR_SHA256, PCR_SHA384 };
	struct machine *m = *state;

	for (size_t i = 0; i < ARRAY_SIZE(banks); i++) {
		m->r.bank = banks[i];
		seal(m, NULL);
		assert_ok(unseal(m, NULL, true, false, &_err));
		assert_true(current(m));
		boot_system(m->s, "system");
		write_and_read(m);
		assert_ok(unseal(m, NULL, true, false, &_err));
		assert_ok(unseal(m, NULL, false, true, &_err));
		assert_true(current(m));
	}
}

static void test_update(void **state)
{
	struct machine *m = *state;
	struct pcr_values now;
	uint32_t differing;
	struct vtpm *v;

	seal(m, NULL);
	boot_system(m->s, "new system");
	assert_fails(unseal(m, NULL, true, false, &_err), ERR_TPM, "policy");
	assert_fails(unseal(m, NULL, false, false, &_err), ERR_TPM, "policy");
	assert_false(current(m));
	v = boot_open(swtpm_access(m->s), &m->primary);
	assert_ok(vtpm_explain(v, &m->r, &m->b, &differing, &now, &_err));
	assert_int_equal(differing, 1 << 9);
	assert_memory_not_equal(now.value[9], m->b.values.value[9], 32);
	m->r.pcrs |= 1 << 4; /* a PCR that the file does not know */
	assert_ok(vtpm_explain(v, &m->r, &m->b, &differing, &now, &_err));
	assert_int_equal(differing, 1 << 9 | 1 << 4);
	vtpm_close(v);
	m->r.pcrs = BOOT_PCRS;
	seal(m, NULL);
	assert_ok(unseal(m, NULL, true, false, &_err));
}

static void test_other_rules(void **state)
{
	struct machine *m = *state;

	seal(m, NULL);
	m->r.cap_pcr = 14;
	assert_fails(unseal(m, NULL, false, false, &_err), ERR_TPM, "policy");
	m->r.cap_pcr = BOOT_CAP;
	m->r.bank = PCR_SHA384;
	assert_fails(unseal(m, NULL, false, false, &_err), ERR_TPM, "policy");
	m->r.bank = PCR_SHA256;
	m->r.pcrs = 1 << 7;
	assert_fails(unseal(m, NULL, false, false, &_err), ERR_TPM, "policy");
	m->r.pcrs = BOOT_PCRS | 1 << BOOT_CAP;
	assert_fails(unseal(m, NULL, false, false, &_err), ERR_CONFIG, "pcrs");
}

/* The door that closes: our own check, and the TPM's when ours is passed by. */
static void test_cap(void **state)
{
	struct machine *m = *state;
	struct vtpm_state s;
	uint8_t digest[POLICY_DIGEST];
	struct vtpm *v;
	bool capped;

	seal(m, NULL);
	v = boot_open(swtpm_access(m->s), &m->primary);
	assert_ok(vtpm_capped(v, &m->r, &capped, &_err));
	assert_false(capped);
	assert_ok(vtpm_state_read(v, &m->r, NULL, 0, &s, &_err));
	vtpm_close(v);
	boot_cap(m->s);
	assert_fails(unseal(m, NULL, true, false, &_err), ERR_CAP, "capped");
	v = boot_open(swtpm_access(m->s), &m->primary);
	assert_ok(vtpm_capped(v, &m->r, &capped, &_err));
	assert_true(capped);
	{
		_cleanup_loaded_ struct tpm_loaded session = TPM_LOADED(v->t), object = TPM_LOADED(v->t);
		_cleanup_secret_ struct secret *out = NULL;
		TPML_PCR_SELECTION selection;
		TPM2B_PUBLIC pub;

		assert_ok(seal_check_public(&m->b.pub, false, &pub, &_err));
		assert_ok(seal_load(v->t, &pub, &m->b.priv, &object, &_err));
		assert_ok(session_policy(v->t, &session, &_err));
		assert_fails(policy_run(v->t, session.tr, &s.policy, &_err), ERR_TPM, "pcr-changed");
		/* Without the values that we expect: the TPM takes what it has. */
		seal_selection(m->r.bank, s.policy.pcrs, &selection);
		assert_int_equal(Esys_PolicyPCR(v->t->esys, session.tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL, &selection), 0);
		assert_ok(policy_session_digest(v->t, session.tr, digest, &_err));
		assert_fails(seal_unseal(v->t, object.tr, &session, NULL, &out, &_err), ERR_TPM, "policy");
	}
	vtpm_state_clear(&s);
	vtpm_close(v);
	boot_system(m->s, "system");
	assert_ok(unseal(m, NULL, true, false, &_err));
}

/* `enroll` in the running system: no proof of origin, the next boot opens it when the configuration knows the volume. */
static void test_seal_after_the_cap(void **state)
{
	struct machine *m = *state;

	boot_cap(m->s);
	seal(m, NULL);
	assert_int_equal(m->b.creation_data.len, 0);
	boot_system(m->s, "system");
	assert_fails(unseal(m, NULL, true, false, &_err), ERR_TPM, "sealed-origin");
	assert_ok(unseal(m, NULL, false, false, &_err));
	assert_false(current(m));
}

static void test_seal_for_the_next_boot(void **state)
{
	struct machine *m = *state;
	struct sealed_payload p = boot_payload();
	struct pcr_values next = { 0 };
	struct vtpm *v;

	boot_system(m->s, "new system");
	v = boot_open(swtpm_access(m->s), &m->primary);
	assert_ok(pcr_read(v->t, PCR_SHA256, BOOT_PCRS, &next, &_err));
	vtpm_close(v);
	boot_system(m->s, "system");
	v = boot_open(swtpm_access(m->s), &m->primary);
	assert_ok(vtpm_seal(v, &m->r, &p, NULL, &next, &m->b, &_err));
	assert_int_equal(m->b.creation_data.len, 0);
	vtpm_close(v);
	sealed_payload_clear(&p);
	assert_fails(unseal(m, NULL, false, false, &_err), ERR_TPM, "policy");
	boot_system(m->s, "new system");
	assert_ok(unseal(m, NULL, false, false, &_err));
	next.mask = 1 << 7;
	v = boot_open(swtpm_access(m->s), &m->primary);
	p = boot_payload();
	assert_fails(vtpm_seal(v, &m->r, &p, NULL, &next, &m->b, &_err), ERR_INTERNAL, "pcrs");
	sealed_payload_clear(&p);
	vtpm_close(v);
}

static void test_nothing_measured(void **state)
{
	struct machine *m = *state;
	struct sealed_blob b;
	struct vtpm *v;

	swtpm_reboot(m->s);
	v = boot_open(swtpm_access(m->s), &m->primary);
	assert_fails(boot_seal_err(v, &m->r, NULL, &b, &_err), ERR_CONFIG, "pcrs-unmeasured");
	m->r.pcrs = 0;
	assert_fails(boot_seal_err(v, &m->r, NULL, &b, &_err), ERR_CONFIG, "pcrs-empty");
	m->r.pcrs = 1 << 17 | 1 << 18; /* all FF */
	assert_fails(boot_seal_err(v, &m->r, NULL, &b, &_err), ERR_CONFIG, "pcrs-unmeasured");
	vtpm_close(v);
}

static int trust(struct machine *m, struct err **err)
{
	_cleanup_vtpm_ struct vtpm *v = NULL;

	return vtpm_open(swtpm_access(m->s), AT_FDCWD, deadline_in_ms(20000), &v, err) < 0 ? -1 : vtpm_trust(v, &m->primary, err);
}

static void test_another_tpm(void **state)
{
	struct machine *m = *state;
	struct tpm_name other;
	struct vtpm *v = NULL;
	bool is;

	seal(m, NULL);
	swtpm_replace(m->s);
	boot_measure(m->s, "system");
	assert_fails(trust(m, &_err), ERR_TPM, "tpm-replaced");
	/* Somebody who trusts the new one: the object is still not of it. */
	assert_ok(vtpm_open(swtpm_access(m->s), AT_FDCWD, deadline_in_ms(20000), &v, &_err));
	assert_ok(vtpm_primary_name(v, &other, &_err));
	assert_ok(vtpm_trust(v, &other, &_err));
	assert_ok(vtpm_current(v, &m->r, &m->b, &is, &_err));
	assert_false(is);
	vtpm_close(v);
	m->primary = other;
	assert_fails(unseal(m, NULL, true, false, &_err), ERR_TPM, "sealed-origin");
	assert_fails(unseal(m, NULL, false, false, &_err), ERR_TPM, "tpm-replaced");
}

static void test_cleared(void **state)
{
	struct machine *m = *state;

	seal(m, NULL);
	assert_int_equal(swtpm_sh(m->s, "tpm2_clear -c p"), 0);
	assert_fails(trust(m, &_err), ERR_TPM, "tpm-replaced");
}

/* The template makes the same key again; another key in its place is none that we trust. */
static void test_evicted_primary(void **state)
{
	struct machine *m = *state;

	seal(m, NULL);
	assert_int_equal(swtpm_sh(m->s, "tpm2_evictcontrol -C o -c 0x81000001"), 0);
	assert_ok(unseal(m, NULL, true, false, &_err));
	boot_system(m->s, "system");
	assert_ok(unseal(m, NULL, true, false, &_err));
	m->primary.bytes[20] ^= 1;
	assert_fails(trust(m, &_err), ERR_TPM, "tpm-replaced");
}

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

static void test_sizes(void **state)
{
	static const uint8_t bytes[SEAL_DATA_MAX + 1] = { 1 };
	struct machine *m = *state;
	struct vtpm *v = boot_open(swtpm_access(m->s), &m->primary);
	const uint8_t policy[POLICY_DIGEST] = { 1 };

	for (size_t len = 0; len <= sizeof(bytes); len += len ? 1 : SEAL_DATA_MAX) {
		_cleanup_secret_ struct secret *data = NULL;
		struct seal_result made;

		assert_ok(secret_from(bytes, len, &data, &_err));
		if (len == 0 || len > SEAL_DATA_MAX) {
			assert_fails(seal_create(v->t, policy, data, NULL, PCR_SHA256, 1 << 7, &made, &_err), ERR_CONFIG, "seal-size");
			continue;
		}
		assert_ok(seal_create(v->t, policy, data, NULL, PCR_SHA256, 1 << 7, &made, &_err));
		seal_result_clear(&made);
	}
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

/* The host's disk: any bit of either part of the object. */
static void test_altered_object(void **state)
{
	struct machine *m = *state;

	seal(m, NULL);
	for (size_t i = 0; i < m->b.pub.len; i++) {
		m->b.pub.data[i] ^= 0x40;
		if (unseal(m, NULL, false, false, NULL) == 0)
			fail_msg("byte %zu of the public area does not count", i);
		m->b.pub.data[i] ^= 0x40;
	}
	for (size_t i = 2; i < m->b.priv.len; i += 5) {
		_cleanup_err_ struct err *e = NULL;

		m->b.priv.data[i] ^= 1;
		assert_true(unseal(m, NULL, false, false, &e) < 0);
		assert_true(text_eq(err_id(e), "tpm-replaced") || text_eq(err_id(e), "sealed-object"));
		assert_false(current(m));
		m->b.priv.data[i] ^= 1;
	}
	m->b.pub.len--;
	assert_fails(unseal(m, NULL, false, false, &_err), ERR_INTEGRITY, "sealed-object");
	m->b.pub.len++;
	assert_ok(unseal(m, NULL, false, false, &_err));
}

static void test_tpm_gone(void **state)
{
	struct machine *m = *state;
	struct sealed_payload p;
	enum sealed_origin origin;
	struct vtpm *v;

	seal(m, NULL);
	v = boot_open(swtpm_access(m->s), &m->primary);
	swtpm_kill(m->s);
	assert_fails(vtpm_unseal(v, &m->r, &m->b, NULL, true, false, &p, &origin, &_err), ERR_TPM, "tpm-io");
	vtpm_close(v);
	boot_system(m->s, "system");
	assert_ok(unseal(m, NULL, true, false, &_err));
}

#define t(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(test_reboot),		     t(test_update),
		t(test_other_rules),	     t(test_cap),
		t(test_seal_after_the_cap),  t(test_seal_for_the_next_boot),
		t(test_nothing_measured),    t(test_another_tpm),
		t(test_cleared),	     t(test_evicted_primary),
		t(test_pin),		     t(test_no_pin_given_to_seal),
		t(test_lockout),	     t(test_pin_value_with_zero),
		t(test_sizes),		     t(test_offline_budget),
		t(test_offline_budget_in_the_tpm), t(test_altered_object),
		t(test_tpm_gone),
	};

	swtpm_or_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
