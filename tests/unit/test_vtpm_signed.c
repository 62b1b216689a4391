/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Secrets sealed to a signer of PCR policies: kernels come and go, the sealed file stays; retired and unsigned ones get nothing. */
#include "tests/lib/tpm_interposer.h"
#include "tests/lib/vtpm_boot.h"
#include "tests/unit/vtpm_sign.h"
#include "vtpm/counter.h"
#include "vtpm/state.h"

#define VERSION_INDEX 0x01800101
#define PIN_INDEX 0x01800103
#define SIGNED_PCR (UINT32_C(1) << 11)

struct machine {
	struct swtpm *s;
	struct tpm_name primary;
	struct vtpm_rules r;
	struct sealed_blob b;
	char *pem, *file;
	const char *files[4];
};

static int setup(void **state)
{
	static struct machine m;

	memset(&m, 0, sizeof(m));
	m.s = boot_machine(&m.primary);
	m.pem = sign_public_pem(SIGN_EC_PEM);
	m.r = (struct vtpm_rules){ .bank = PCR_SHA256, .cap_pcr = BOOT_CAP, .signer_pem = m.pem, .signed_pcrs = SIGNED_PCR };
	*state = &m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	sealed_blob_clear(&m->b);
	swtpm_stop(m->s);
	free(m->pem);
	free(m->file);
	return 0;
}

/* A system that ships a signature of its own state beside a broken file and one of another bank; NULL = ships none. */
static void boot(struct machine *m, const char *system, const char *key, int64_t version)
{
	static const char broken[] = "{\"sha256\":[{}]}", other_bank[] = "{\"sha1\":[]}";
	uint8_t policy[POLICY_DIGEST];
	struct vtpm_state s;
	struct vtpm *v;

	boot_system(m->s, system);
	m->r.signatures = NULL;
	if (!key)
		return;
	v = boot_open(swtpm_access(m->s), &m->primary);
	assert_ok(vtpm_state_read(v, &m->r, NULL, 0, &s, &_err));
	s.policy.version.limit = version < 0 ? 0 : (uint64_t)version;
	assert_ok(policy_approved(&s.policy, policy, &_err));
	vtpm_state_clear(&s);
	vtpm_close(v);
	free(m->file);
	m->file = sign_file(key, SIGN_EC_PEM, m->r.bank, policy, version);
	m->files[0] = broken;
	m->files[1] = other_bank;
	m->files[2] = m->file;
	m->r.signatures = m->files;
}

static void seal(struct machine *m)
{
	sealed_blob_clear(&m->b);
	boot_seal_now(m->s, &m->primary, &m->r, NULL, &m->b);
}

static int unseal(struct machine *m, bool need_origin, enum sealed_origin want, struct err **err)
{
	enum sealed_origin origin;

	if (boot_unseal_full(swtpm_access(m->s), &m->primary, &m->r, &m->b, NULL, need_origin, false, &origin, err) < 0)
		return -1;
	assert_int_equal(origin, want);
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

static void test_kernels_come_and_go(void **state)
{
	struct machine *m = *state;

	boot(m, "kernel 1", SIGN_EC_PEM, -1);
	seal(m);
	assert_ok(unseal(m, true, ORIGIN_CREATION, &_err));
	assert_true(current(m));
	boot(m, "kernel 2", SIGN_EC_PEM, -1);
	assert_ok(unseal(m, false, ORIGIN_UNPROVEN, &_err));
	/* Creation data name the kernel that sealed: a proof for its own boots only. */
	assert_fails(unseal(m, true, ORIGIN_CREATION, &_err), ERR_TPM, "sealed-origin");
	assert_false(current(m));
	boot(m, "not signed", NULL, -1);
	assert_fails(unseal(m, false, ORIGIN_UNPROVEN, &_err), ERR_TPM, "policy-signature");
	boot(m, "signed by another", SIGN_RSA_2048_PEM, -1);
	assert_fails(unseal(m, false, ORIGIN_UNPROVEN, &_err), ERR_TPM, "policy-signature");
	boot(m, "kernel 2", SIGN_EC_PEM, -1);
	boot_cap(m->s);
	assert_fails(unseal(m, false, ORIGIN_UNPROVEN, &_err), ERR_CAP, "capped");
}

/* The pin's write right is the signer's policy, so it survives kernels; and no system that nobody signed can write it. */
static void test_pin_survives(void **state)
{
	struct machine *m = *state;
	struct sealed_blob good;

	m->r.pin_index = PIN_INDEX;
	boot(m, "kernel 1", SIGN_EC_PEM, -1);
	seal(m);
	boot(m, "kernel 2", SIGN_EC_PEM, -1);
	assert_ok(unseal(m, true, ORIGIN_NV_PIN, &_err));
	assert_true(current(m));
	good = m->b;
	memset(&m->b, 0, sizeof(m->b));
	boot(m, "not signed", NULL, -1);
	seal(m); /* for whichever kernel is signed; the pin is left alone */
	assert_int_equal(m->b.creation_data.len, 0);
	boot(m, "kernel 2", SIGN_EC_PEM, -1);
	assert_fails(unseal(m, true, ORIGIN_NV_PIN, &_err), ERR_TPM, "sealed-origin");
	assert_ok(unseal(m, false, ORIGIN_UNPROVEN, &_err));
	sealed_blob_clear(&m->b);
	m->b = good;
	assert_ok(unseal(m, true, ORIGIN_NV_PIN, &_err));
}

/* A kernel is retired when a newer one has counted the version up. */
static void test_retired(void **state)
{
	struct machine *m = *state;
	struct vtpm *v;
	uint64_t now;

	m->r.version_index = VERSION_INDEX;
	m->r.pin_index = PIN_INDEX;
	v = boot_open(swtpm_access(m->s), &m->primary);
	assert_ok(vtpm_define_counters(v, &m->r, &_err));
	assert_ok(counter_read(v->t, VERSION_INDEX, &now, &_err));
	vtpm_close(v);
	boot(m, "kernel 1", SIGN_EC_PEM, (int64_t)now);
	seal(m);
	assert_ok(unseal(m, true, ORIGIN_CREATION, &_err));
	boot(m, "kernel 2", SIGN_EC_PEM, (int64_t)now + 1);
	assert_ok(unseal(m, true, ORIGIN_NV_PIN, &_err));
	boot(m, "kernel 1", SIGN_EC_PEM, (int64_t)now); /* still good */
	assert_ok(unseal(m, true, ORIGIN_CREATION, &_err));
	boot(m, "kernel 2", SIGN_EC_PEM, (int64_t)now + 1);
	v = boot_open(swtpm_access(m->s), &m->primary);
	assert_ok(vtpm_raise_version(v, &m->r, &_err));
	assert_ok(vtpm_raise_version(v, &m->r, &_err)); /* nothing left to do */
	vtpm_close(v);
	assert_ok(unseal(m, true, ORIGIN_NV_PIN, &_err));
	boot(m, "kernel 1", SIGN_EC_PEM, (int64_t)now);
	assert_fails(unseal(m, true, ORIGIN_CREATION, &_err), ERR_TPM, "policy-version");
	/* An entry without a version does not count at all. */
	boot(m, "kernel 2", SIGN_EC_PEM, -1);
	assert_fails(unseal(m, true, ORIGIN_NV_PIN, &_err), ERR_TPM, "policy-signature");
}

/* Sealing anew over a connection that ends with command n, or with the answer to it; in_place: the object on the disk. */
static bool cut_off(struct machine *m, unsigned int n, bool lose, const struct sealed_blob *in_place)
{
	_cleanup_err_ struct err *e = NULL;
	struct sealed_payload p = boot_payload();
	struct sealed_blob b = { 0 };
	struct tpm_interposer i;
	struct vtpm *v;
	bool cut;

	interposer_init(&i, swtpm_access(m->s), NULL);
	v = boot_open(&i.access, &m->primary);
	interposer_rewind(&i);
	if (lose)
		i.lose.nth = n;
	else
		i.drop.nth = n;
	cut = vtpm_seal(v, &m->r, &p, NULL, NULL, in_place, &b, &e) < 0;
	if (cut)
		assert_string_equal(err_id(e), "tpm-io");
	vtpm_close(v);
	interposer_clear(&i);
	sealed_payload_clear(&p);
	sealed_blob_clear(&b); /* its file is never written */
	return cut;
}

/*
 * The power fails at any step of sealing anew, the last one being that before the file is written: the object on the disk, which only the
 * pin speaks for in this kernel, opens in the next boot. Time and again, so that what the pin keeps is not only the last name.
 */
static void test_cut_at_every_step(void **state)
{
	struct machine *m = *state;
	unsigned int n = 0;
	bool cut = true;

	m->r.pin_index = PIN_INDEX;
	boot(m, "kernel 1", SIGN_EC_PEM, -1);
	seal(m);
	while (cut) {
		n++;
		for (int lose = 0; lose < 2; lose++) {
			boot(m, "kernel 2", SIGN_EC_PEM, -1);
			cut = cut_off(m, n, lose, &m->b);
			boot(m, "kernel 2", SIGN_EC_PEM, -1);
			assert_ok(unseal(m, true, ORIGIN_NV_PIN, &_err));
		}
	}
	assert_true(n > 15);
	/* Nobody knows what lies on the disk: then the one that was named last. */
	seal(m);
	assert_false(cut_off(m, 0, false, NULL));
	boot(m, "kernel 1", SIGN_EC_PEM, -1);
	assert_ok(unseal(m, true, ORIGIN_NV_PIN, &_err));
	assert_false(cut_off(m, 0, false, NULL));
	assert_fails(unseal(m, true, ORIGIN_NV_PIN, &_err), ERR_TPM, "sealed-origin");
}

/* Signed and literal PCRs together: both count. */
static void test_signed_and_literal(void **state)
{
	struct machine *m = *state;

	m->r.pcrs = UINT32_C(1) << 7;
	boot(m, "kernel 1", SIGN_EC_PEM, -1);
	seal(m);
	boot(m, "kernel 2", SIGN_EC_PEM, -1);
	assert_ok(unseal(m, false, ORIGIN_UNPROVEN, &_err));
	boot_extend(swtpm_access(m->s), 7, "no secure boot");
	assert_fails(unseal(m, false, ORIGIN_UNPROVEN, &_err), ERR_TPM, "policy");
}

static void test_rules_refused(void **state)
{
	struct machine *m = *state;
	struct sealed_blob b;
	struct vtpm *v;

	swtpm_reboot(m->s);
	v = boot_open(swtpm_access(m->s), &m->primary);
	assert_fails(boot_seal_err(v, &m->r, NULL, &b, &_err), ERR_CONFIG, "pcrs-unmeasured");
	m->r.signed_pcrs = 0;
	assert_fails(boot_seal_err(v, &m->r, NULL, &b, &_err), ERR_CONFIG, "pcrs-empty");
	m->r.pcrs = BOOT_PCRS;
	assert_fails(boot_seal_err(v, &m->r, NULL, &b, &_err), ERR_CONFIG, "signer");
	m->r.signed_pcrs = SIGNED_PCR;
	m->r.signer_pem = "no key";
	assert_fails(boot_seal_err(v, &m->r, NULL, &b, &_err), ERR_CONFIG, "key-pem");
	vtpm_close(v);
}

#define t(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(test_kernels_come_and_go), t(test_pin_survives), t(test_cut_at_every_step), t(test_retired),
		t(test_signed_and_literal), t(test_rules_refused),
	};

	swtpm_or_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
