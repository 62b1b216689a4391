/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Public keys in PEM, ECDSA signatures in DER, PBKDF2. */
#include "tests/lib/check.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "crypto/digest.h"
#include "crypto/keypair.h"
#include "tests/lib/mutate.h"
#include "tests/unit/vtpm_signers.h"

static const char rsa_pem[] = SIGNER_RSA_PEM, ec_pem[] = SIGNER_EC_PEM;

static void expect_fingerprint(const uint8_t *got, const char *want)
{
	char hex[65];

	hex_encode(got, 32, hex);
	assert_string_equal(hex, want);
}

static void test_rsa(void **state)
{
	struct public_key k;
	uint8_t fp[32];

	assert_ok(public_key_from_pem(rsa_pem, strlen(rsa_pem), &k, fp, &_err));
	assert_true(k.rsa);
	assert_int_equal(k.n_len, 256);
	assert_true(k.n[0] & 0x80);
	assert_int_equal(k.e_len, 3);
	assert_memory_equal(k.e, "\x01\x00\x01", 3);
	expect_fingerprint(fp, SIGNER_RSA_PKFP);
}

static void test_ec(void **state)
{
	struct public_key k;
	uint8_t fp[32], point[65] = { 4 }, digest[DIGEST_MAX];

	assert_ok(public_key_from_pem(ec_pem, strlen(ec_pem), &k, fp, &_err));
	assert_false(k.rsa);
	assert_int_equal(k.curve_bits, 256);
	expect_fingerprint(fp, SIGNER_EC_PKFP);
	memcpy(point + 1, k.x, 32);
	memcpy(point + 33, k.y, 32);
	assert_ok(digest_bytes(DIGEST_SHA256, point, sizeof(point), digest, &_err));
	assert_memory_equal(fp, digest, 32);
}

static void try_pem(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	_cleanup_err_ struct err *e = NULL;
	struct public_key k;
	uint8_t fp[32];

	if (public_key_from_pem((const char *)data, len, &k, fp, &e) < 0)
		assert_int_equal(err_class(e), ERR_CONFIG);
}

static void test_pem_refused(void **state)
{
	static const char private_key[] = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n";
	static const char ed25519[] = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
				      "-----END PUBLIC KEY-----\n";
	struct public_key k;
	uint8_t fp[32];

	assert_fails(public_key_from_pem("", 0, &k, fp, &_err), ERR_CONFIG, "key-pem");
	assert_fails(public_key_from_pem(rsa_pem, 70000, &k, fp, &_err), ERR_CONFIG, "key-pem");
	assert_fails(public_key_from_pem(private_key, strlen(private_key), &k, fp, &_err), ERR_CONFIG, "key-pem");
	assert_fails(public_key_from_pem(ed25519, strlen(ed25519), &k, fp, &_err), ERR_CONFIG, "key-type");
	mutate_truncations((const uint8_t *)ec_pem, strlen(ec_pem), 1, try_pem, NULL);
	mutate_bit_flips((const uint8_t *)ec_pem, 0, strlen(ec_pem), strlen(ec_pem), try_pem, NULL);
}

/* r = 1, s = a number of 32 bytes with its top bit set (so DER puts a zero in front). */
static const uint8_t der[] = { 0x30, 0x26, 0x02, 0x01, 0x01, 0x02, 0x21, 0x00, 0x80, 1,	 2,  3,	 4,  5,	 6,  7,	 8,  9,	 10, 11,
			       12,   13,   14,	 15,   16,   17,   18,	 19,   20,   21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31 };

static void try_der(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	_cleanup_err_ struct err *e = NULL;
	uint8_t r[32], s[32];

	if (ecdsa_signature_parse(data, len, 32, r, s, &e) < 0)
		assert_string_equal(err_id(e), "signature");
	else
		assert_int_equal(len, sizeof(der)); /* the same shape with other numbers */
}

static void test_ecdsa_der(void **state)
{
	static const uint8_t one[32] = { [31] = 1 };
	static const uint8_t negative[] = { 0x30, 6, 2, 1, 0x81, 2, 1, 1 };
	uint8_t r[32], s[32], longer[sizeof(der) + 1] = { 0 };

	assert_ok(ecdsa_signature_parse(der, sizeof(der), 32, r, s, &_err));
	assert_memory_equal(r, one, 32);
	assert_memory_equal(s, der + 8, 32);
	memcpy(longer, der, sizeof(der));
	assert_fails(ecdsa_signature_parse(longer, sizeof(longer), 32, r, s, &_err), ERR_INTEGRITY, "signature");
	assert_fails(ecdsa_signature_parse(der, sizeof(der), 16, r, s, &_err), ERR_INTEGRITY, "signature");
	assert_fails(ecdsa_signature_parse(negative, sizeof(negative), 32, r, s, &_err), ERR_INTEGRITY, "signature");
	mutate_truncations(der, sizeof(der), 1, try_der, NULL);
	mutate_bit_flips(der, 0, sizeof(der), sizeof(der), try_der, NULL);
}

/* RFC 7914, 11: PBKDF2-HMAC-SHA-256 with P = "passwd", S = "salt", c = 1; and "Password", "NaCl", 80000. */
static void test_pbkdf2(void **state)
{
	static const struct {
		const char *password, *salt;
		unsigned int iterations;
		const char *want;
	} vectors[] = {
		{ "passwd", "salt", 1,
		  "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
		  "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783" },
		{ "Password", "NaCl", 80000,
		  "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
		  "a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		_cleanup_secret_ struct secret *password = NULL, *out = NULL;
		char hex[129];

		assert_ok(secret_from(vectors[i].password, strlen(vectors[i].password), &password, &_err));
		assert_ok(pbkdf2_sha256(password, vectors[i].salt, strlen(vectors[i].salt), vectors[i].iterations, 64, &out, &_err));
		hex_encode(secret_cdata(out), 64, hex);
		assert_string_equal(hex, vectors[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rsa),	   cmocka_unit_test(test_ec),	  cmocka_unit_test(test_pem_refused),
		cmocka_unit_test(test_ecdsa_der), cmocka_unit_test(test_pbkdf2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
