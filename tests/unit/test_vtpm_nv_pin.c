/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The NV pin (C4): who can write it, and when. */
#include "tests/unit/vtpm_stranger.h"
#include "vtpm/nv.h"
#include "vtpm/nv_pin.h"

#define PIN_INDEX 0x01800103

static void strip(struct machine *m)
{
	free(m->b.creation_data.data);
	free(m->b.creation_ticket.data);
	m->b.creation_data = m->b.creation_ticket = (struct sealed_bytes){ 0 };
}

static void seal_with_pin(struct machine *m)
{
	m->r.pin_index = PIN_INDEX;
	sealed_blob_clear(&m->b);
	boot_seal_now(m->s, &m->primary, &m->r, NULL, &m->b);
}

static void test_nv_pin(void **state)
{
	struct machine *m = *state;

	seal_with_pin(m);
	expect_origin(m, ORIGIN_CREATION);
	strip(m);
	expect_origin(m, ORIGIN_NV_PIN);
	boot_system(m->s, "system");
	expect_origin(m, ORIGIN_NV_PIN);
	seal_with_pin(m); /* into the index that is there */
	strip(m);
	expect_origin(m, ORIGIN_NV_PIN);
	m->r.pin_index = 0;
	expect_refused(m, "no creation data");
	m->r.pin_index = PIN_INDEX + 1;
	expect_refused(m, "no such index");
	m->r.pin_index = PIN_INDEX;
	boot_system(m->s, "evil system");
	seal_evil(m);
	boot_system(m->s, "system");
	expect_refused(m, "it names other objects");
}

/* Whoever owns the TPM can put an index in its place, but not write it; another policy or other rights do not count. */
static void test_nv_pin_forged(void **state)
{
	struct machine *m = *state;
	struct vtpm_state good, evil;
	struct tpm_name name;
	TPM2B_PUBLIC pub;
	struct vtpm *v;

	seal_with_pin(m);
	strip(m);
	v = boot_open(swtpm_access(m->s), &m->primary);
	assert_ok(vtpm_state_read(v, &m->r, NULL, 0, &good, &_err));
	assert_ok(seal_check_public(&m->b.pub, false, &pub, &_err));
	assert_ok(tpm_name_of_public(&pub, &name, &_err));
	vtpm_close(v);
	boot_system(m->s, "evil system");
	assert_int_equal(swtpm_sh(m->s, "tpm2_nvundefine 0x01800103"), 0);
	v = boot_open(swtpm_access(m->s), &m->primary);
	/* It defines the index for the good state, as we would, and cannot write it; */
	assert_fails(nv_pin_write(v, &m->r, &good, &name, NULL, BOOT_VK_ID, 0, &_err), ERR_TPM, "pcr-changed");
	vtpm_close(v);
	boot_system(m->s, "system");
	expect_refused(m, "never written");
	boot_system(m->s, "evil system");
	assert_int_equal(swtpm_sh(m->s, "tpm2_nvundefine 0x01800103"), 0);
	v = boot_open(swtpm_access(m->s), &m->primary);
	/* for its own state, and writes it; */
	assert_ok(vtpm_state_read(v, &m->r, NULL, 0, &evil, &_err));
	assert_ok(nv_pin_write(v, &m->r, &evil, &name, NULL, BOOT_VK_ID, 0, &_err));
	vtpm_state_clear(&evil);
	vtpm_close(v);
	boot_system(m->s, "system");
	expect_refused(m, "others than this boot state could write it");
	/* or for everybody. */
	assert_int_equal(swtpm_sh(m->s, "tpm2_nvundefine 0x01800103 && "
					"tpm2_nvdefine 0x01800103 -s 420 -a 'ownerwrite|ownerread|authread|no_da' && "
					"head -c 420 /dev/zero | tpm2_nvwrite 0x01800103 -C o -i -"),
			 0);
	expect_refused(m, "others than this boot state could write it");
	vtpm_state_clear(&good);
}

/* Not even the good system can write it once it is capped. */
static void test_nv_pin_after_the_cap(void **state)
{
	struct machine *m = *state;
	struct vtpm_state s;
	struct tpm_name name = { .len = 34 };
	struct nv n = { 0 };
	struct vtpm *v;

	seal_with_pin(m);
	boot_cap(m->s);
	v = boot_open(swtpm_access(m->s), &m->primary);
	assert_ok(vtpm_state_read(v, &m->r, NULL, 0, &s, &_err));
	assert_fails(nv_pin_write(v, &m->r, &s, &name, NULL, BOOT_VK_ID, 0, &_err), ERR_TPM, "pcr-changed");
	/* Without our own values in PolicyPCR the TPM says so itself. */
	assert_ok(nv_find(v->t, PIN_INDEX, &n, &_err));
	{
		_cleanup_loaded_ struct tpm_loaded session = TPM_LOADED(v->t);
		TPML_PCR_SELECTION selection;
		uint8_t data[NV_PIN_SIZE] = { 0 };

		assert_ok(session_policy(v->t, &session, &_err));
		seal_selection(PCR_SHA256, s.policy.pcrs, &selection);
		assert_int_equal(Esys_PolicyPCR(v->t->esys, session.tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL, &selection), 0);
		assert_fails(nv_write(v->t, &n, session.tr, data, sizeof(data), &_err), ERR_TPM, "policy");
	}
	nv_release(&n);
	vtpm_state_clear(&s);
	vtpm_close(v);
	boot_system(m->s, "system");
	strip(m);
	expect_origin(m, ORIGIN_NV_PIN);
}

/* After an update the index is made anew for the new state; somebody else's index is left alone. */
static void test_nv_pin_update(void **state)
{
	struct machine *m = *state;
	struct sealed_blob b;
	struct vtpm *v;

	seal_with_pin(m);
	boot_system(m->s, "new system");
	seal_with_pin(m);
	strip(m);
	expect_origin(m, ORIGIN_NV_PIN);
	boot_system(m->s, "new system");
	expect_origin(m, ORIGIN_NV_PIN);
	assert_int_equal(swtpm_sh(m->s, "tpm2_nvundefine 0x01800103 && tpm2_nvdefine 0x01800103 -s 420 -a 'ownerwrite|ownerread'"), 0);
	v = boot_open(swtpm_access(m->s), &m->primary);
	assert_fails(boot_seal_err(v, &m->r, NULL, &b, &_err), ERR_TPM, "nv-attributes");
	vtpm_close(v);
}

/* The pin vouches for an object of one volume; a payload that names another is not taken. */
static void test_nv_pin_names_the_volume(void **state)
{
	struct machine *m = *state;
	struct vtpm_state s;
	struct tpm_name name;
	enum sealed_origin origin;
	TPM2B_PUBLIC pub;
	struct vtpm *v;
	char first[9];

	seal_with_pin(m);
	strip(m);
	v = boot_open(swtpm_access(m->s), &m->primary);
	assert_ok(vtpm_state_read(v, &m->r, NULL, 0, &s, &_err));
	assert_ok(seal_check_public(&m->b.pub, false, &pub, &_err));
	assert_ok(tpm_name_of_public(&pub, &name, &_err));
	{
		struct nv n = { 0 };

		assert_ok(nv_find(v->t, PIN_INDEX, &n, &_err));
		assert_ok(nv_undefine(v->t, &n, NULL, &_err));
	}
	assert_ok(nv_pin_write(v, &m->r, &s, &name, NULL, BOOT_HEADER_ID, 0, &_err));
	vtpm_state_clear(&s);
	vtpm_close(v);
	assert_fails(unseal(m, true, &origin, first, &_err), ERR_INTEGRITY, "sealed-payload");
}

/* Where an administrator set the owner's authorization: unsealing needs none, defining an index does, which `enroll` gives. */
static void test_owner_authorization(void **state)
{
	struct machine *m = *state;
	_cleanup_secret_ struct secret *right = boot_secret("of the owner"), *wrong = boot_secret("of a guest");
	struct sealed_blob b;
	struct vtpm *v;

	assert_int_equal(swtpm_sh(m->s, "tpm2_changeauth -c o 'of the owner'"), 0);
	expect_origin(m, ORIGIN_CREATION);
	m->r.pin_index = PIN_INDEX;
	v = boot_open(swtpm_access(m->s), &m->primary);
	assert_fails(boot_seal_err(v, &m->r, NULL, &b, &_err), ERR_TPM, "tpm-auth");
	assert_ok(vtpm_provision(v, wrong, &_err)); /* the primary is there: nothing to authorize yet */
	assert_fails(boot_seal_err(v, &m->r, NULL, &b, &_err), ERR_TPM, "tpm-auth");
	assert_ok(vtpm_provision(v, right, &_err));
	sealed_blob_clear(&m->b);
	boot_seal(v, &m->r, NULL, &m->b);
	vtpm_close(v);
	strip(m);
	expect_origin(m, ORIGIN_NV_PIN);
	/* The index is there now: sealing in the same state needs nobody. */
	seal_with_pin(m);
	strip(m);
	expect_origin(m, ORIGIN_NV_PIN);
}

/* Two objects of a volume are named: the last one, and the one that is in its place or was named before. */
static void test_nv_pin_former(void **state)
{
	struct tpm_name a = { .len = 34, .bytes = { 1 } }, b = { .len = 34, .bytes = { 2 } }, c = { .len = 34, .bytes = { 3 } },
			d = { .len = 34, .bytes = { 4 } };
	uint8_t data[NV_PIN_SIZE] = { 0 };
	char got[65];

	assert_ok(nv_pin_put(data, BOOT_VK_ID, &a, NULL, 0, &_err));
	assert_ok(nv_pin_put(data, BOOT_VK_ID, &b, &a, 0, &_err));
	assert_true(nv_pin_get(data, &a, got) && nv_pin_get(data, &b, got));
	/* The file of b was never written: a stays, however often that happens. */
	assert_ok(nv_pin_put(data, BOOT_VK_ID, &c, &a, 0, &_err));
	assert_true(nv_pin_get(data, &a, got) && nv_pin_get(data, &c, got) && !nv_pin_get(data, &b, got));
	/* The same once more changes nothing; */
	assert_ok(nv_pin_put(data, BOOT_VK_ID, &c, NULL, 0, &_err));
	assert_true(nv_pin_get(data, &a, got) && nv_pin_get(data, &c, got));
	/* nor can a file that was never named be brought in. */
	assert_ok(nv_pin_put(data, BOOT_VK_ID, &b, &d, 0, &_err));
	assert_true(nv_pin_get(data, &b, got) && nv_pin_get(data, &c, got) && !nv_pin_get(data, &d, got) && !nv_pin_get(data, &a, got));
}

static void test_nv_pin_entries(void **state)
{
	uint8_t data[NV_PIN_SIZE];
	struct tpm_name name = { .len = 34 };
	char vk_id[65], got[65];

	memset(data, 0xff, sizeof(data)); /* rubbish counts as empty */
	assert_false(nv_pin_get(data, &name, got));
	for (int round = 0; round < 3; round++)
		for (uint8_t i = 0; i < NV_PIN_ENTRIES; i++) {
			memset(vk_id, 'a' + i, 64);
			vk_id[64] = 0;
			name.bytes[5] = (uint8_t)(10 * round + i);
			assert_ok(nv_pin_put(data, vk_id, &name, NULL, i, &_err));
			assert_true(nv_pin_get(data, &name, got));
			assert_string_equal(got, vk_id);
		}
	name.bytes[5] = 3; /* replaced in the second round, the one before it in the third */
	assert_false(nv_pin_get(data, &name, got));
	assert_fails(nv_pin_put(data, BOOT_VK_ID, &name, NULL, 0, &_err), ERR_CONFIG, "pin-full");
	assert_true(nv_pin_put(data, "00", &name, NULL, 0, NULL) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(test_nv_pin),		     t(test_nv_pin_forged),	       t(test_nv_pin_after_the_cap),
		t(test_nv_pin_update),	     t(test_nv_pin_names_the_volume), t(test_owner_authorization),
		cmocka_unit_test(test_nv_pin_entries), cmocka_unit_test(test_nv_pin_former),
	};

	swtpm_or_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
