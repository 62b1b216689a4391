/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Tokens of clevis with the pin tpm2: parsing, what is refused by name, and the passphrase out of a real one. */
#include "tests/unit/foreign_vectors.h"

#include "base/encode.h"
#include "vtpm/clevis_token.h"

#define KIND FOREIGN_CLEVIS
#define PCR(n) (1u << (n))

/* What the software TPM unsealed for clevis-known, and what clevis had encrypted. */
#define KNOWN_JWK "{\"alg\":\"A256GCM\",\"k\":\"-IT_LpT917N_QU0Hz9ofLhOFsgPqcLHYxGTQ1CfJiiY\",\"key_ops\":[\"encrypt\",\"decrypt\"],\"kty\":\"oct\"}"
#define KNOWN_TEXT "a passphrase of clevis"

static void test_pcrs(void **state)
{
	_cleanup_foreign_token_ struct foreign_token k = { 0 }, none = { 0 }, rsa = { 0 }, list = { 0 };

	vector("clevis-pcrs", KIND, &k);
	assert_int_equal(k.kind, FOREIGN_CLEVIS);
	assert_int_equal(k.keyslot, 1);
	assert_int_equal(k.pcrs, PCR(4) | PCR(7));
	assert_true(k.has_bank);
	assert_int_equal(k.bank, PCR_SHA256);
	assert_int_equal(k.parent, FOREIGN_LEGACY_ECC);
	assert_int_equal(k.pub.len, 80);
	assert_int_equal(k.priv.len, 240);
	assert_false(k.pin);
	vector("clevis-no-pcrs", KIND, &none);
	assert_int_equal(none.pcrs, 0);
	assert_false(none.has_bank);
	vector("clevis-rsa", KIND, &rsa);
	assert_int_equal(rsa.parent, FOREIGN_LEGACY_RSA);
	assert_int_equal(rsa.pcrs, PCR(7));
	vector("clevis-list", KIND, &list);
	assert_int_equal(list.pcrs, PCR(4) | PCR(7));
}

static void test_not_supported(void **state)
{
	vector_fails("clevis-sss", KIND, ERR_TPM, "foreign-unsupported", "pin sss");
	vector_fails("clevis-tang", KIND, ERR_TPM, "foreign-unsupported", "tang");
	vector_fails("clevis-rust", KIND, ERR_TPM, "foreign-unsupported", "Rust");
	vector_fails("clevis-sha1", KIND, ERR_TPM, "foreign-unsupported", "sha256");
}

static void unsealed(const char *jwk, struct secret **ret)
{
	assert_ok(secret_from(jwk, strlen(jwk), ret, &_err));
}

static void test_decrypt(void **state)
{
	_cleanup_foreign_token_ struct foreign_token k = { 0 };
	_cleanup_secret_ struct secret *jwk = NULL, *out = NULL;

	vector("clevis-known", KIND, &k);
	assert_int_equal(k.keyslot, 5);
	unsealed(KNOWN_JWK, &jwk);
	assert_ok(clevis_token_decrypt(&k, jwk, &out, &_err));
	assert_int_equal(secret_len(out), strlen(KNOWN_TEXT));
	assert_memory_equal(secret_cdata(out), KNOWN_TEXT, strlen(KNOWN_TEXT));
}

/* Every bit of what the tag covers counts. */
static void test_decrypt_changed(void **state)
{
	_cleanup_foreign_token_ struct foreign_token k = { 0 };
	_cleanup_secret_ struct secret *jwk = NULL, *out = NULL;

	vector("clevis-known", KIND, &k);
	unsealed(KNOWN_JWK, &jwk);
	for (size_t i = 0; i < 8 * (k.ciphertext.len + sizeof(k.iv) + sizeof(k.tag)); i++) {
		const size_t n = i / 8;
		uint8_t *byte = n < k.ciphertext.len			   ? &k.ciphertext.data[n]
				: n - k.ciphertext.len < sizeof(k.iv) ? &k.iv[n - k.ciphertext.len]
								      : &k.tag[n - k.ciphertext.len - sizeof(k.iv)];

		*byte ^= (uint8_t)(1 << i % 8);
		assert_int_equal(clevis_token_decrypt(&k, jwk, &out, NULL), -1);
		*byte ^= (uint8_t)(1 << i % 8);
	}
	k.protected_text[0] ^= 1;
	assert_int_equal(clevis_token_decrypt(&k, jwk, &out, NULL), -1);
}

static void test_wrong_jwk(void **state)
{
	static const char *const wrong[] = { "x", "[]", "{}", "{\"kty\":\"oct\"}", "{\"kty\":\"oct\",\"k\":\"AAAA\"}", "{\"kty\":\"oct\",\"k\":7}",
					     "{\"kty\":\"RSA\",\"k\":\"-IT_LpT917N_QU0Hz9ofLhOFsgPqcLHYxGTQ1CfJiiY\"}",
					     "{\"kty\":\"oct\",\"k\":\"-IT_LpT917N_QU0Hz9ofLhOFsgPqcLHYxGTQ1CfJiiYAAAA\"}", NULL };
	_cleanup_foreign_token_ struct foreign_token k = { 0 };

	vector("clevis-known", KIND, &k);
	for (const char *const *w = wrong; *w; w++) {
		_cleanup_secret_ struct secret *jwk = NULL, *out = NULL;

		unsealed(*w, &jwk);
		assert_fails(clevis_token_decrypt(&k, jwk, &out, &_err), ERR_INTEGRITY, "foreign-secret");
	}
}

static const struct {
	const char *member, *json; /* of "jwe"; json NULL: removed */
} wrong_jwe[] = {
	{ "ciphertext", NULL },	 { "ciphertext", "\"\"" },    { "ciphertext", "\"a+b/\"" }, { "iv", "\"AAAA\"" },
	{ "iv", NULL },		 { "tag", "\"AAAA\"" },	      { "tag", "[]" },		    { "encrypted_key", "\"AAAA\"" },
	{ "protected", NULL },	 { "protected", "\"AAAA\"" }, { "protected", "\"e30\"" } /* {} */,
	{ "protected", "\"W10\"" } /* [] */,
};

static void test_wrong_jwe(void **state)
{
	json_t *obj;

	for (size_t i = 0; i < ARRAY_SIZE(wrong_jwe); i++) {
		json_t *jwe;

		obj = vector_json("clevis-pcrs");
		jwe = json_object_get(obj, "jwe");
		if (wrong_jwe[i].json)
			json_object_set_new(jwe, wrong_jwe[i].member, json_loads(wrong_jwe[i].json, JSON_DECODE_ANY, NULL));
		else
			json_object_del(jwe, wrong_jwe[i].member);
		refused(obj, KIND, wrong_jwe[i].member);
	}
	obj = vector_json("clevis-pcrs");
	json_object_set_new(obj, "jwe", json_string("a.b.c.d.e"));
	refused(obj, KIND, "compact JWE");
}

#define OBJECT "\"jwk_pub\":\"AAEC\",\"jwk_priv\":\"AAEC\""
static const char *const wrong_headers[] = {
	"{\"alg\":\"RSA-OAEP\",\"enc\":\"A256GCM\",\"clevis\":{\"pin\":\"tpm2\",\"tpm2\":{\"hash\":\"sha256\",\"key\":\"ecc\"," OBJECT "}}}",
	"{\"alg\":\"dir\",\"enc\":\"A128GCM\",\"clevis\":{\"pin\":\"tpm2\",\"tpm2\":{\"hash\":\"sha256\",\"key\":\"ecc\"," OBJECT "}}}",
	"{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"clevis\":{\"pin\":\"tpm2\"}}",
	"{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"clevis\":{\"pin\":\"pkcs11\",\"tpm2\":{\"hash\":\"sha256\",\"key\":\"ecc\"," OBJECT "}}}",
	"{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"clevis\":{\"pin\":\"tpm2\",\"tpm2\":{\"hash\":\"sha256\",\"key\":\"ecc\",\"jwk_pub\":\"AAEC\"}}}",
	"{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"clevis\":{\"pin\":\"tpm2\",\"tpm2\":{\"hash\":\"sha256\",\"key\":\"ecc\"," OBJECT ",\"pcr_ids\":\"7\"}}}",
	"{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"clevis\":{\"pin\":\"tpm2\",\"tpm2\":{\"hash\":\"sha256\",\"key\":\"ecc\"," OBJECT
	",\"pcr_bank\":\"sha256\",\"pcr_ids\":\"\"}}}",
	"{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"clevis\":{\"pin\":\"tpm2\",\"tpm2\":{\"hash\":\"sha256\",\"key\":\"ecc\"," OBJECT
	",\"pcr_bank\":\"sha256\",\"pcr_ids\":\"7,24\"}}}",
	"{\"alg\":\"dir\",\"alg\":\"dir\",\"enc\":\"A256GCM\"}",
};

static void test_wrong_header(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(wrong_headers); i++) {
		_cleanup_free_ char *text = b64_encode_dup(B64_URL, wrong_headers[i], strlen(wrong_headers[i]));
		json_t *obj = vector_json("clevis-pcrs");

		json_object_set_new(json_object_get(obj, "jwe"), "protected", json_string(text));
		refused(obj, KIND, wrong_headers[i]);
	}
}

static void test_mutations(void **state)
{
	mutate_vector("clevis-pcrs", KIND);
	mutate_vector("clevis-known", KIND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pcrs),	  cmocka_unit_test(test_not_supported), cmocka_unit_test(test_decrypt),
		cmocka_unit_test(test_decrypt_changed), cmocka_unit_test(test_wrong_jwk),	cmocka_unit_test(test_wrong_jwe),
		cmocka_unit_test(test_wrong_header),	cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests_name("vtpm_clevis", tests, NULL, NULL);
}
