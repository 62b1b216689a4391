/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Tokens of systemd-cryptenroll: every form of 248 to 257, what is refused by name, and what a token must meet of the configuration. */
#include "tests/unit/foreign_vectors.h"

#define KIND FOREIGN_SYSTEMD
#define PCR(n) (1u << (n))

static void test_pcrs(void **state)
{
	_cleanup_foreign_token_ struct foreign_token k = { 0 };

	vector("systemd-pcrs", KIND, &k);
	assert_int_equal(k.kind, FOREIGN_SYSTEMD);
	assert_int_equal(k.keyslot, 1);
	assert_int_equal(k.pcrs, PCR(7));
	assert_true(k.has_bank);
	assert_int_equal(k.bank, PCR_SHA256);
	assert_int_equal(k.parent, FOREIGN_LEGACY_ECC);
	assert_int_equal(k.priv.len, 160); /* 158 and its length: tpm-sealing.md 5.1 */
	assert_int_equal(k.pub.len, 80);
	assert_memory_equal(k.pub.data, "\x00\x4e\x00\x08\x00\x0b", 6);
	assert_false(k.pin);
	assert_null(k.signer_pem);
}

static void test_pin(void **state)
{
	_cleanup_foreign_token_ struct foreign_token k = { 0 };

	vector("systemd-pin", KIND, &k);
	assert_int_equal(k.pcrs, PCR(4) | PCR(7));
	assert_true(k.pin);
	assert_int_equal(k.salt_len, 0);
}

static void test_signed(void **state)
{
	_cleanup_foreign_token_ struct foreign_token k = { 0 }, alone = { 0 };

	vector("systemd-signed", KIND, &k);
	assert_int_equal(k.pcrs, PCR(7));
	assert_int_equal(k.signed_pcrs, PCR(11));
	assert_true(text_starts(k.signer_pem, "-----BEGIN PUBLIC KEY-----\n"));
	vector("systemd-signed-alone", KIND, &alone);
	assert_int_equal(alone.pcrs, 0);
	assert_int_equal(alone.signed_pcrs, PCR(11));
}

static void test_later_and_older(void **state)
{
	_cleanup_foreign_token_ struct foreign_token older = { 0 }, salted = { 0 }, lists = { 0 };
	char name[2 * TPM_NAME_MAX + 1];

	vector("systemd-248", KIND, &older);
	assert_false(older.has_bank);
	assert_false(older.pin);
	assert_int_equal(older.parent, FOREIGN_LEGACY_ECC);
	vector("systemd-255", KIND, &salted);
	assert_true(salted.pin);
	assert_int_equal(salted.salt_len, 32);
	assert_int_equal(salted.salt[31], 31);
	assert_int_equal(salted.parent, FOREIGN_STORAGE);
	tpm_name_text(&salted.parent_name, name);
	assert_string_equal(name, "000b6265c4bd7c87364a1d25b8aaab047d57f6c5236aea54bd56133cc82a00a03dea");
	vector("systemd-257", KIND, &lists);
	assert_int_equal(lists.pub.len, 80);
	assert_int_equal(lists.signed_pcrs, PCR(11));
}

static void test_not_supported(void **state)
{
	json_t *obj = vector_json("systemd-pcrs");
	_cleanup_err_ struct err *e = NULL;
	struct foreign_token k;

	vector_fails("systemd-pcrlock", KIND, ERR_TPM, "foreign-unsupported", "pcrlock");
	vector_fails("systemd-shards", KIND, ERR_TPM, "foreign-unsupported", "several shards");
	/* A third part: the seed of an object that is to be imported. "AAEB": one more TPM2B. */
	json_object_set_new(obj, "tpm2-blob", json_string("AAEBAAECAAED"));
	assert_int_equal(foreign_token_parse(obj, KIND, &k, &e), -1);
	assert_string_equal(err_id(e), "foreign-unsupported");
	assert_non_null(strstr(err_message(e), "imported"));
	json_decref(obj);
}

static const struct {
	const char *member, *json; /* json NULL: removed */
} wrong[] = {
	{ "type", "\"systemd-fido2\"" },
	{ "keyslots", NULL },
	{ "keyslots", "[]" },
	{ "keyslots", "[\"1\",\"2\"]" },
	{ "keyslots", "[\"32\"]" },
	{ "keyslots", "[\"-1\"]" },
	{ "keyslots", "[1]" },
	{ "tpm2-blob", NULL },
	{ "tpm2-blob", "[]" },
	{ "tpm2-blob", "7" },
	{ "tpm2-blob", "\"\"" },
	{ "tpm2-blob", "\"????\"" },
	{ "tpm2-blob", "\"AAA=\"" },
	{ "tpm2-blob", "\"AAEB\"" },	 /* no public area */
	{ "tpm2-blob", "\"AAEB//8=\"" }, /* one that is longer than what there is */
	{ "tpm2-policy-hash", NULL },
	{ "tpm2-policy-hash", "\"00\"" },
	{ "tpm2-policy-hash", "[3]" },
	{ "tpm2-pcrs", NULL },
	{ "tpm2-pcrs", "7" },
	{ "tpm2-pcrs", "[24]" },
	{ "tpm2-pcrs", "[-1]" },
	{ "tpm2-pcrs", "[7,7]" },
	{ "tpm2-pcrs", "[null]" },
	{ "tpm2-pcr-bank", "\"md5\"" },
	{ "tpm2-pcr-bank", "256" },
	{ "tpm2-primary-alg", "\"dsa\"" },
	{ "tpm2-pin", "\"no\"" },
	{ "tpm2_pcrlock", "1" },
	{ "tpm2_salt", "\"?\"" },
	{ "tpm2_salt", "5" },
	{ "tpm2_srk", "\"gQAAAQ==\"" },
	{ "tpm2_srk", "\"gQAAAQAE\"" },
	{ "tpm2_pubkey", "\"AAAA\"" },
	{ "tpm2_pubkey_pcrs", "[]" },
	{ "tpm2_pubkey_pcrs", "\"11\"" },
	{ "tpm2_pubkey_pcrs", NULL },
};

static void test_wrong(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		json_t *obj = vector_json("systemd-signed");
		_cleanup_free_ char *what = text_printf("%s = %s", wrong[i].member, wrong[i].json ? wrong[i].json : "absent");

		if (wrong[i].json)
			json_object_set_new(obj, wrong[i].member, json_loads(wrong[i].json, JSON_DECODE_ANY, NULL));
		else
			json_object_del(obj, wrong[i].member);
		refused(obj, KIND, what);
	}
	refused(json_array(), KIND, "an array");
}

/* Longer than anything that such a program writes. */
static void test_long(void **state)
{
	static const char *const members[] = { "tpm2-blob", "tpm2_pubkey", "tpm2_salt", "tpm2_srk", NULL };
	char text[12001];

	memset(text, 'A', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	for (const char *const *m = members; *m; m++) {
		json_t *obj = vector_json("systemd-signed");

		json_object_set_new(obj, *m, json_string(text));
		refused(obj, KIND, *m);
	}
}

static void test_check(void **state)
{
	_cleanup_foreign_token_ struct foreign_token k = { 0 }, pin = { 0 }, with_signer = { 0 };
	struct vtpm_rules r = { .bank = PCR_SHA256, .pcrs = PCR(7), .cap_pcr = 15 };

	vector("systemd-pcrs", KIND, &k);
	vector("systemd-pin", KIND, &pin);
	vector("systemd-signed", KIND, &with_signer);
	assert_ok(foreign_check(&k, &r, &_err));
	assert_fails(foreign_check(&pin, &r, &_err), ERR_TPM, "sealed-pin");
	assert_fails(foreign_check(&with_signer, &r, &_err), ERR_TPM, "foreign-policy");
	r.bank = PCR_SHA384;
	assert_fails(foreign_check(&k, &r, &_err), ERR_TPM, "foreign-policy");
	r.bank = PCR_SHA256;
	r.pin = true;
	assert_ok(foreign_check(&pin, &r, &_err)); /* PCR 4 besides */
	assert_fails(foreign_check(&k, &r, &_err), ERR_TPM, "sealed-pin");
	r.pin = false;
	r.pcrs = PCR(7) | PCR(9);
	assert_fails(foreign_check(&k, &r, &_err), ERR_TPM, "foreign-policy");
	r.pcrs = PCR(7);
	r.signer_pem = with_signer.signer_pem;
	r.signed_pcrs = PCR(11);
	assert_ok(foreign_check(&with_signer, &r, &_err));
	assert_fails(foreign_check(&k, &r, &_err), ERR_TPM, "foreign-policy");
	r.signed_pcrs = PCR(11) | PCR(12);
	assert_fails(foreign_check(&with_signer, &r, &_err), ERR_TPM, "foreign-policy");
	/* What the token claims is what foreign_rules() says, so it fits itself. */
	foreign_rules(&with_signer, PCR_SHA384, &r);
	assert_int_equal(r.bank, PCR_SHA256);
	assert_ok(foreign_check(&with_signer, &r, &_err));
}

static void test_mutations(void **state)
{
	static const char *const names[] = { "systemd-pcrs", "systemd-signed", "systemd-255", "systemd-257", NULL };

	for (const char *const *n = names; *n; n++)
		mutate_vector(*n, KIND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pcrs), cmocka_unit_test(test_pin),	  cmocka_unit_test(test_signed),
		cmocka_unit_test(test_later_and_older), cmocka_unit_test(test_not_supported), cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_long), cmocka_unit_test(test_check), cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests_name("vtpm_systemd", tests, NULL, NULL);
}
