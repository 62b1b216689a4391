/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* NV indices (vtpm/nv.h) on swtpm. */
#include "tests/lib/vtpm_check.h"

#include "base/encode.h"

#define INDEX 0x01800100

/* PolicyPCR over PCR 15 (SHA-256) at zero, made by the TPM in a trial session. */
static void pcr_policy(struct tpm *t, ESYS_TR session)
{
	static const TPM2B_DIGEST now = { 0 };
	static const TPML_PCR_SELECTION pcrs = { .count = 1, .pcrSelections = { { .hash = TPM2_ALG_SHA256, .sizeofSelect = 3, .pcrSelect = { 0, 0x80, 0 } } } };

	assert_int_equal(Esys_PolicyPCR(t->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &now, &pcrs), TSS2_RC_SUCCESS);
}

static void policy_digest(struct tpm *t, uint8_t out[static 32])
{
	_cleanup_loaded_ struct tpm_loaded s = TPM_LOADED(t);
	_cleanup_esys_ TPM2B_DIGEST *digest = NULL;

	assert_ok(session_trial(t, &s, &_err));
	pcr_policy(t, s.tr);
	assert_int_equal(Esys_PolicyGetDigest(t->esys, s.tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &digest), TSS2_RC_SUCCESS);
	assert_int_equal(digest->size, 32);
	memcpy(out, digest->buffer, 32);
}

static int write_pin(struct tpm *t, struct nv *n, const void *data, size_t len, struct err **err)
{
	_cleanup_loaded_ struct tpm_loaded s = TPM_LOADED(t);

	if (session_policy(t, &s, err) < 0)
		return -1;
	pcr_policy(t, s.tr);
	return nv_write(t, n, s.tr, data, len, err);
}

static void test_pin(void **state)
{
	struct tpm_name name, before, written;
	_cleanup_tpm_ struct tpm *t = check_trusted(*state, &name);
	_cleanup_nv_ struct nv n = NV_INIT(t), found = NV_INIT(t), absent = NV_INIT(t);
	_cleanup_loaded_ struct tpm_loaded plain = TPM_LOADED(t);
	uint8_t policy[32], got[40];
	TPM2B_NV_PUBLIC wanted;

	policy_digest(t, policy);
	nv_pin_public(INDEX, 40, policy, &wanted);
	assert_fails(nv_get(t, &wanted, &n, &_err), ERR_TPM, "nv-absent");
	assert_ok(nv_define(t, &wanted, NULL, &n, &_err));
	assert_false(nv_written(&n.pub));
	before = n.name;
	assert_fails(nv_read(t, &n, got, 40, &_err), ERR_TPM, "nv-unwritten");
	assert_ok(nv_name_written(&n.pub, &written, &_err));
	assert_ok(write_pin(t, &n, "0123456789012345678901234567890123456789", 40, &_err));
	assert_true(nv_written(&n.pub));
	assert_true(tpm_name_equal(&n.name, &written));
	assert_false(tpm_name_equal(&n.name, &before));
	assert_ok(nv_read(t, &n, got, 40, &_err));
	assert_memory_equal(got, "0123456789", 10);
	/* The TPM agrees on the Name. */
	assert_ok(nv_get(t, &wanted, &found, &_err));
	assert_true(tpm_name_equal(&n.name, &found.name));
	assert_ok(nv_read(t, &found, got, 5, &_err));
	assert_fails(nv_read(t, &found, got, 41, &_err), ERR_INTERNAL, "nv-range");
	/* After the cap nobody writes it any more, by no other way either. */
	assert_ok(pcr_extend_all(t, 15, "x", 1, &_err));
	assert_fails(write_pin(t, &n, "evil", 4, &_err), ERR_TPM, "policy");
	assert_ok(session_unsalted(t, &plain, &_err));
	assert_fails(nv_write(t, &n, plain.tr, (const uint8_t *)"evil", 4, &_err), ERR_TPM, "tpm-auth");
	assert_ok(nv_read(t, &n, got, 40, &_err));
	assert_memory_equal(got, "0123456789", 10);
	assert_ok(nv_undefine(t, &n, NULL, &_err));
	assert_ok(nv_find(t, INDEX, &absent, &_err));
	assert_int_equal(absent.index.tr, ESYS_TR_NONE);
}

/* One command carries 512 bytes at most, whatever an index has. */
static void test_size(void **state)
{
	struct tpm_name name;
	_cleanup_tpm_ struct tpm *t = check_trusted(*state, &name);
	_cleanup_nv_ struct nv n = NV_INIT(t);
	uint8_t policy[32], data[513], got[513] = { 0 };
	TPM2B_NV_PUBLIC wanted;

	memset(data, 0x5a, sizeof(data));
	policy_digest(t, policy);
	nv_pin_public(INDEX, 600, policy, &wanted);
	assert_ok(nv_define(t, &wanted, NULL, &n, &_err));
	assert_fails(write_pin(t, &n, data, 513, &_err), ERR_INTERNAL, "nv-range");
	assert_ok(write_pin(t, &n, data, 512, &_err));
	assert_fails(nv_read(t, &n, got, 513, &_err), ERR_INTERNAL, "nv-range");
	assert_ok(nv_read(t, &n, got, 512, &_err));
	assert_memory_equal(got, data, 512);
}

/* tpm2-tools, as root of another system on the same TPM: may read, may not write. */
static void test_pin_by_others(void **state)
{
	struct tpm_name name;
	struct tpm *t = check_trusted(*state, &name);
	struct nv n = NV_INIT(t);
	uint8_t policy[32], got[8];
	TPM2B_NV_PUBLIC wanted;

	policy_digest(t, policy);
	nv_pin_public(INDEX, 8, policy, &wanted);
	assert_ok(nv_define(t, &wanted, NULL, &n, &_err));
	assert_ok(write_pin(t, &n, "original", 8, &_err));
	nv_release(&n);
	tpm_close(t);
	if (swtpm_sh(*state, "command -v tpm2_nvwrite") != 0)
		return;
	assert_int_equal(swtpm_sh(*state, "tpm2_nvread 0x01800100"), 0);
	assert_int_not_equal(swtpm_sh(*state, "printf evilevil | tpm2_nvwrite -i - 0x01800100"), 0);
	assert_int_not_equal(swtpm_sh(*state, "printf evilevil | tpm2_nvwrite -C o -i - 0x01800100"), 0);
	t = check_open(swtpm_access(*state));
	assert_ok(srk_trust(t, &name, &_err));
	assert_ok(nv_get(t, &wanted, &n, &_err));
	assert_ok(nv_read(t, &n, got, 8, &_err));
	assert_memory_equal(got, "original", 8);
	nv_release(&n);
	tpm_close(t);
	/* He may remove it and define his own, but not so that it looks like ours. */
	assert_int_equal(swtpm_sh(*state, "tpm2_nvundefine -C o 0x01800100 && "
					  "tpm2_nvdefine -C o -s 8 -a 'ownerwrite|ownerread|authread|policywrite|no_da' 0x01800100 && "
					  "printf evilevil | tpm2_nvwrite -C o -i - 0x01800100"), 0);
	t = check_open(swtpm_access(*state));
	assert_ok(srk_trust(t, &name, &_err));
	assert_fails(nv_get(t, &wanted, &n, &_err), ERR_TPM, "nv-attributes");
	tpm_close(t);
}

static void test_counter(void **state)
{
	struct tpm_name name;
	_cleanup_tpm_ struct tpm *t = check_trusted(*state, &name);
	_cleanup_nv_ struct nv n = NV_INIT(t), again = NV_INIT(t);
	TPM2B_NV_PUBLIC wanted, other;
	uint64_t first, second;

	nv_counter_public(INDEX + 1, &wanted);
	assert_ok(nv_define(t, &wanted, NULL, &n, &_err));
	assert_ok(nv_counter(t, &n, &first, &_err));
	assert_ok(nv_increment(t, &n, &_err));
	assert_ok(nv_counter(t, &n, &second, &_err));
	assert_int_equal(second, first + 1);
	assert_ok(nv_define(t, &wanted, NULL, &again, &_err)); /* exists: kept, not counted */
	assert_ok(nv_counter(t, &again, &second, &_err));
	assert_int_equal(second, first + 1);
	other = wanted;
	other.nvPublic.attributes |= TPMA_NV_PPREAD;
	assert_fails(nv_define(t, &other, NULL, &again, &_err), ERR_TPM, "nv-attributes");
	tpm_close(TAKE_PTR(t));
	n.index.tr = again.index.tr = ESYS_TR_NONE;
	swtpm_reboot(*state);
	t = check_open(swtpm_access(*state));
	assert_ok(srk_trust(t, &name, &_err));
	assert_ok(nv_get(t, &wanted, &n, &_err));
	assert_ok(nv_counter(t, &n, &second, &_err));
	assert_int_equal(second, first + 1);
	nv_release(&n);
}

static void test_same(void **state)
{
	static const uint8_t policy[32] = { 1 };
	TPM2B_NV_PUBLIC a, b;
	_cleanup_err_ struct err *err = NULL;

	nv_pin_public(INDEX, 8, policy, &a);
	b = a;
	b.nvPublic.attributes |= TPMA_NV_WRITTEN;
	assert_ok(nv_same(&b, &a, &_err));
	for (int bit = 0; bit < 32; bit++) {
		b = a;
		b.nvPublic.attributes ^= UINT32_C(1) << bit;
		if (UINT32_C(1) << bit != TPMA_NV_WRITTEN)
			assert_fails(nv_same(&b, &a, &_err), ERR_TPM, "nv-attributes");
	}
	b = a;
	b.nvPublic.authPolicy.buffer[31] ^= 1;
	assert_int_equal(nv_same(&b, &a, &err), -1);
	assert_non_null(strstr(err_message(err), "0100000000000000000000000000000000000000000000000000000000000001"));
	b = a;
	b.nvPublic.authPolicy.size = 0;
	assert_fails(nv_same(&b, &a, &_err), ERR_TPM, "nv-attributes");
	b = a;
	b.nvPublic.dataSize = 9;
	assert_fails(nv_same(&b, &a, &_err), ERR_TPM, "nv-attributes");
	b = a;
	b.nvPublic.nameAlg = TPM2_ALG_SHA384;
	assert_fails(nv_same(&b, &a, &_err), ERR_TPM, "nv-attributes");
}

static void test_owner_auth(void **state)
{
	_cleanup_secret_ struct secret *right = NULL;
	struct tpm_name name;
	_cleanup_tpm_ struct tpm *t = check_trusted(*state, &name);
	TPM2B_NV_PUBLIC wanted;
	struct nv n = NV_INIT(t);

	tpm_close(TAKE_PTR(t));
	if (swtpm_sh(*state, "tpm2_changeauth -c owner hunter2") != 0)
		return;
	assert_ok(secret_from("hunter2", 7, &right, &_err));
	t = check_open(swtpm_access(*state));
	assert_ok(srk_trust(t, &name, &_err));
	nv_counter_public(INDEX, &wanted);
	assert_fails(nv_define(t, &wanted, NULL, &n, &_err), ERR_TPM, "tpm-auth");
	assert_ok(nv_define(t, &wanted, right, &n, &_err));
	assert_fails(nv_undefine(t, &n, NULL, &_err), ERR_TPM, "tpm-auth");
	assert_ok(nv_undefine(t, &n, right, &_err));
}

static void test_no_room(void **state)
{
	struct tpm_name name;
	_cleanup_tpm_ struct tpm *t = check_trusted(*state, &name);
	static const uint8_t policy[32] = { 1 };

	for (uint32_t i = 0; i < 1000; i++) {
		_cleanup_nv_ struct nv n = NV_INIT(t);
		_cleanup_err_ struct err *err = NULL;
		TPM2B_NV_PUBLIC wanted;

		nv_pin_public(INDEX + i, 2048, policy, &wanted);
		if (nv_define(t, &wanted, NULL, &n, &err) == 0)
			continue;
		assert_int_equal(err_class(err), ERR_TPM);
		assert_string_equal(err_id(err), "nv-space");
		return;
	}
	fail_msg("the TPM never ran out of space");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same), vtpm_test(test_pin),	 vtpm_test(test_pin_by_others),
		vtpm_test(test_counter), vtpm_test(test_size),     vtpm_test(test_owner_auth), vtpm_test(test_no_room),
	};

	swtpm_or_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
