/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Sealing and unsealing across boots, updates, and what happens to TPMs. */
#include "tests/unit/vtpm_machine.h"
#include "vtpm/policy_run.h"
#include "vtpm/seal.h"
#include "vtpm/state.h"

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
	assert_ok(vtpm_seal(v, &m->r, &p, NULL, &next, NULL, &m->b, &_err));
	assert_int_equal(m->b.creation_data.len, 0);
	vtpm_close(v);
	sealed_payload_clear(&p);
	assert_fails(unseal(m, NULL, false, false, &_err), ERR_TPM, "policy");
	boot_system(m->s, "new system");
	assert_ok(unseal(m, NULL, false, false, &_err));
	next.mask = 1 << 7;
	v = boot_open(swtpm_access(m->s), &m->primary);
	p = boot_payload();
	assert_fails(vtpm_seal(v, &m->r, &p, NULL, &next, NULL, &m->b, &_err), ERR_INTERNAL, "pcrs");
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

/* Questions between trust and use change neither. */
static void test_questions_after_trust(void **state)
{
	struct machine *m = *state;
	struct vtpm *v = boot_open(swtpm_access(m->s), &m->primary);
	struct tpm_name name;

	assert_ok(vtpm_primary_name(v, &name, &_err));
	assert_true(tpm_name_equal(&name, &m->primary));
	assert_ok(vtpm_provision(v, NULL, &_err));
	assert_ok(vtpm_trust(v, &m->primary, &_err));
	boot_seal(v, &m->r, NULL, &m->b);
	vtpm_close(v);
	assert_ok(unseal(m, NULL, true, false, &_err));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(test_reboot),
		t(test_update),
		t(test_other_rules),
		t(test_cap),
		t(test_seal_after_the_cap),
		t(test_seal_for_the_next_boot),
		t(test_nothing_measured),
		t(test_another_tpm),
		t(test_cleared),
		t(test_evicted_primary),
		t(test_questions_after_trust),
		t(test_sizes),
		t(test_altered_object),
		t(test_tpm_gone),
	};

	swtpm_or_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
