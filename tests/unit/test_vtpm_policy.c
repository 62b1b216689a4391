/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Policies in software: digests against known ones, signers, tpm2-pcr-signature.json, PINs. */
#include "tests/lib/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"
#include "tests/lib/mutate.h"
#include "tests/unit/vtpm_signers.h"
#include "vtpm/policy.h"
#include "vtpm/seal.h"

#define BIT(n) (UINT32_C(1) << (n))

static void expect_hex(const uint8_t *got, const char *want)
{
	char hex[2 * POLICY_DIGEST + 1];

	hex_encode(got, POLICY_DIGEST, hex);
	assert_string_equal(hex, want);
}

static struct policy literal(uint32_t mask)
{
	const struct pcr_values zero = { .bank = PCR_SHA256, .mask = BIT(PCR_COUNT) - 1 };
	struct policy p = { .bank = PCR_SHA256, .pcrs = mask };

	assert_ok(policy_pcr_digest(&zero, mask, p.pcr_digest, &_err));
	return p;
}

/* The value that TCG's arithmetic gives for PCR 7 and 11 at zero, as tpm2-tools and systemd compute it. */
static void test_pcr_vector(void **state)
{
	const struct policy p = literal(BIT(7) | BIT(11));
	const struct pcr_values few = { .bank = PCR_SHA256, .mask = BIT(7) };
	uint8_t d[POLICY_DIGEST];

	assert_ok(policy_digest(&p, d, &_err));
	expect_hex(d, "384378caeddc9690b2ac9589827a756a5c46c8b33178b2fe468c80531b97a53e");
	assert_fails(policy_pcr_digest(&few, BIT(7) | BIT(8), d, &_err), ERR_INTERNAL, "policy");
}

/* systemd-cryptenroll 252 --tpm2-public-key, --tpm2-pcrs=7+15 at zero: its tpm2-policy-hash. */
static void test_signer_vector(void **state)
{
	struct policy p = literal(BIT(7) | BIT(15));
	struct pcr_signer s;
	uint8_t d[POLICY_DIGEST], e[POLICY_DIGEST];

	assert_ok(pcr_signer_parse(SIGNER_RSA_PEM, false, &s, &_err));
	p.signer = &s;
	assert_ok(policy_digest(&p, d, &_err));
	expect_hex(d, "4126ec925524bb8598a822b3cf7842fa7d921c73e133179f234381685a8ca605");
	/* The other spelling of the exponent is another key to the TPM. */
	assert_ok(pcr_signer_parse(SIGNER_RSA_PEM, true, &s, &_err));
	assert_ok(policy_digest(&p, e, &_err));
	assert_memory_not_equal(d, e, POLICY_DIGEST);
}

/* tpm2_policyauthvalue after tpm2_policypcr, and tpm2_policynv, are compared with a TPM in test_vtpm_run; here: each part counts. */
static void test_every_part_counts(void **state)
{
	struct policy p[6];
	uint8_t d[6][POLICY_DIGEST];
	struct pcr_signer s;

	assert_ok(pcr_signer_parse(SIGNER_EC_PEM, false, &s, &_err));
	for (size_t i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = literal(BIT(7) | BIT(15));
	p[1].pin = true;
	p[2].signer = &s;
	p[3].offline = (struct policy_nv){ .index = 1, .name = { .len = 34 }, .limit = 5 };
	p[4].offline = p[3].offline;
	p[4].offline.limit = 6;
	p[5].offline = p[3].offline;
	p[5].offline.name.bytes[33] = 1;
	for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
		assert_ok(policy_digest(&p[i], d[i], &_err));
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(d[i], d[j], POLICY_DIGEST);
	}
}

static void test_signers(void **state)
{
	static const char not_a_key[] = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
	struct pcr_signer s;
	char hex[2 * 32 + 1];

	assert_ok(pcr_signer_parse(SIGNER_EC_PEM, false, &s, &_err));
	assert_int_equal(s.area_len, 2 + 2 + 4 + 2 + 2 + 2 + 2 + 2 + 34 + 34);
	assert_memory_equal(s.area, "\0\x23\0\x0b\0\6\0\x40\0\0\0\x10\0\x10\0\3\0\x10\0\x20", 20);
	hex_encode(s.fingerprint, 32, hex);
	assert_string_equal(hex, SIGNER_EC_PKFP);
	assert_ok(pcr_signer_parse(SIGNER_RSA_PEM, false, &s, &_err));
	assert_memory_equal(s.area, "\0\1\0\x0b\0\6\0\x40\0\0\0\x10\0\x10\x08\0\0\1\0\1\1\0", 22);
	assert_int_equal(s.area_len, 22 + 256);
	assert_int_equal(s.name.len, 34);
	assert_fails(pcr_signer_parse(not_a_key, false, &s, &_err), ERR_CONFIG, "key-pem");
}

/* P-521, an RSA key with exponent 3, and one of 2560 bits: keys that TPMs or systemd do not take. */
static void test_signers_refused(void **state)
{
	static const char *const pems[] = {
		"-----BEGIN PUBLIC KEY-----\n"
		"MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQAwMzPZOJLeuL4rxi0sBbqCTW9iEoj\n"
		"xHOmrUKV+KC1sQ3Xo/EArh9YfJoCzoVzECq8Qc/kl9v/6JdIkgysngPl9X4AeGA5\n"
		"gC/vjtO0j/Ci7An4CVKXvtTIlpO/WwVGVtz563SC5fhg//QlTUFEFsIBvKl1DOaL\n"
		"bfPkOMCm7TKreEVHgU0=\n"
		"-----END PUBLIC KEY-----\n",
		"-----BEGIN PUBLIC KEY-----\n"
		"MIIBIDANBgkqhkiG9w0BAQEFAAOCAQ0AMIIBCAKCAQEAxM+gSeOZZtF7sbWfK4v6\n"
		"XKDQhHChKv2YZduYpop4ErT+Cs+Vflw2OrG6o2X301Gv27M0Vuy1xSRWYc1WSXBu\n"
		"q0uJooNDeCMD33fe5FiCZMuIG1NigyAUAMWL2YHCw7bs2ysu4h3ag5nGT9PV2/4B\n"
		"pqF8Y5JF/fVM/dpHSaqdRvhiW4g0ek/ZIsXisM5VnndEtkB/HCbA30WzpO9d+kSl\n"
		"dqrCoLrsQkWWWqbJ3P3qhfXHfH+sEQI47jK5gM6tzAjhguKoOsXJcwDKkKFVgqA2\n"
		"KkB1imCPhyUn4ri4DzLl8fwXWQWjuwomdgl95zULalVDNd4Qbd0IZQkfIicTElYn\n"
		"WQIBAw==\n"
		"-----END PUBLIC KEY-----\n",
		"-----BEGIN PUBLIC KEY-----\n"
		"MIIBYjANBgkqhkiG9w0BAQEFAAOCAU8AMIIBSgKCAUEAwTTwhlm6HfrYlxM5j9hV\n"
		"jiRnmK9Pm0uDkiPu2xOkUthQcxH2q+/0Q6nSuOXmxAv92WcD71C9OIqn/F1Jex1c\n"
		"7B1KxuDjc2yz3/zVawjTfwb035eikeHW1AtjyuXlggViEfHP1wM+nCC+pK0qmMBc\n"
		"PCaLjcQ+emaE3QIv5Nf5xkd5pKWfC/Vc9ANwk09iC76KSQ/L8cIGpBBvx/1d/Q79\n"
		"lBZ+zy5f0KL5IHfNYWjLU3E99nBopdW3SdqwugN3yj1yZEsvUm6JkbOOGWSMJsXx\n"
		"4sumJ5+1qq9oELgUSwgyl+wvZZBbmtpKOYgPOSNSBLpTvLBdYyRChlIql2g14kvE\n"
		"sgfPqhtKARlOyyh5IYm7bXwblOWl3kBwSvPL2krRNfw7MOAr0vh8Efv/4sIVU2a/\n"
		"MBNfVrXWa2FDq3JLIG4IzGECAwEAAQ==\n"
		"-----END PUBLIC KEY-----\n",
	};
	struct pcr_signer s;

	for (size_t i = 0; i < ARRAY_SIZE(pems); i++)
		assert_fails(pcr_signer_parse(pems[i], false, &s, &_err), ERR_CONFIG, "signer");
}

static int parse(const char *text, struct pcr_sigs *s, struct err **err)
{
	return pcr_sigs_parse(text, strlen(text), PCR_SHA256, s, err);
}

/* PCR 11 as systemd-measure computed it; the entry of this key approves it, and no other. */
static void find(const char *pem, const char *file, uint32_t pcrs, const char *value, uint32_t version_index, bool found)
{
	_cleanup_pcr_sigs_ struct pcr_sigs s = { 0 };
	struct pcr_values v = { .bank = PCR_SHA256, .mask = pcrs };
	struct policy p = { .bank = PCR_SHA256, .signed_pcrs = pcrs };
	struct pcr_signer signer;

	assert_ok(pcr_signer_parse(pem, false, &signer, &_err));
	p.signer = &signer;
	p.version = (struct policy_nv){ .index = version_index, .name = { .len = 34 } };
	assert_int_equal(hex_decode(value, 64, v.value[11], 32, NULL), 0);
	assert_ok(policy_pcr_digest(&v, pcrs, p.signed_digest, &_err));
	assert_ok(parse(file, &s, &_err));
	assert_ok(policy_find_signature(&p, &s, &_err));
	assert_int_equal(p.signature != NULL, found);
}

static void test_find(void **state)
{
	static const char both[] = "{\"sha1\":[],\"sha256\":[" SIGNED_RSA_ENTRY "," SIGNED_EC_ENTRY "]}";
	static const char other[65] = "6c36cd8e536514074c29dd469a99a586a530e15100c3a51dcbc1c14a4f56237e";

	find(SIGNER_RSA_PEM, both, BIT(11), SIGNED_PCR11, 0, true);
	find(SIGNER_EC_PEM, both, BIT(11), SIGNED_PCR11, 0, true);
	find(SIGNER_EC_PEM, both, BIT(11), other, 0, false);
	find(SIGNER_EC_PEM, both, BIT(11) | BIT(12), SIGNED_PCR11, 0, false);
	find(SIGNER_EC_PEM, both, BIT(11), SIGNED_PCR11, 0x01800001, false);
	find(SIGNER_EC_PEM, "{\"sha256\":[" SIGNED_RSA_ENTRY "]}", BIT(11), SIGNED_PCR11, 0, false);
	find(SIGNER_EC_PEM, "{\"sha384\":[" SIGNED_EC_ENTRY "]}", BIT(11), SIGNED_PCR11, 0, false);
	find(SIGNER_EC_PEM, "{}", BIT(11), SIGNED_PCR11, 0, false);
}

/* Of several entries for this state the newest counts, wherever it stands. */
static void test_highest_version(void **state)
{
	struct policy p = literal(BIT(15));
	struct pcr_sig e[3] = { 0 };
	const struct pcr_sigs s = { e, 3 };
	static const uint64_t versions[] = { 4, 9, 7 };
	struct pcr_signer signer;

	assert_ok(pcr_signer_parse(SIGNER_EC_PEM, false, &signer, &_err));
	p.signer = &signer;
	p.signed_pcrs = BIT(11);
	p.version = (struct policy_nv){ .index = 0x01800001, .name = { .len = 34 } };
	for (size_t i = 0; i < 3; i++) {
		e[i] = (struct pcr_sig){ .pcrs = BIT(11), .has_version = true, .version = versions[i] };
		memcpy(e[i].fingerprint, signer.fingerprint, 32);
		p.version.limit = versions[i];
		assert_ok(policy_approved(&p, e[i].policy, &_err));
	}
	p.version.limit = 0;
	assert_ok(policy_find_signature(&p, &s, &_err));
	assert_ptr_equal(p.signature, &e[1]);
	assert_int_equal(p.version.limit, 9);
	e[1].policy[0] ^= 1; /* what it says of its version is not what was signed */
	p.signature = NULL;
	assert_ok(policy_find_signature(&p, &s, &_err));
	assert_ptr_equal(p.signature, &e[2]);
}

#define ENTRY(pcrs, pkfp, sig) "{\"sha256\":[{\"pcrs\":" pcrs ",\"pkfp\":\"" pkfp "\",\"pol\":\"" SIGNED_POL "\",\"sig\":" sig "}]}"

static void test_file_refused(void **state)
{
	static const char *const cases[][2] = {
		{ "", "PCR signature file" },
		{ "[]", "not an object" },
		{ "{\"md5\":[]}", "bank" },
		{ "{\"sha256\":{}}", "not an array" },
		{ "{\"sha256\":[1]}", "not an object" },
		{ "{\"sha256\":[],\"sha256\":[]}", "duplicate" },
		{ "{\"sha1\":[{}],\"sha256\":[]}", "pcrs" },
		{ ENTRY("[]", SIGNER_EC_PKFP, "\"AAAA\""), "pcrs is empty" },
		{ ENTRY("[24]", SIGNER_EC_PKFP, "\"AAAA\""), "list of different PCRs" },
		{ ENTRY("[11,11]", SIGNER_EC_PKFP, "\"AAAA\""), "list of different PCRs" },
		{ ENTRY("[\"11\"]", SIGNER_EC_PKFP, "\"AAAA\""), "list of different PCRs" },
		{ ENTRY("[11]", "25", "\"AAAA\""), "pkfp" },
		{ ENTRY("[11]", SIGNER_EC_PKFP, "\"\""), "sig is empty" },
		{ ENTRY("[11]", SIGNER_EC_PKFP, "\"A\""), "base64" },
		{ ENTRY("[11]", SIGNER_EC_PKFP, "\"AAAA\",\"version\":-1"), "version" },
		{ ENTRY("[11]", SIGNER_EC_PKFP, "\"AAAA\",\"version\":\"1\""), "version" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_err_ struct err *e = NULL;
		struct pcr_sigs s;

		if (parse(cases[i][0], &s, &e) == 0)
			fail_msg("accepted: %s", cases[i][0]);
		assert_int_equal(err_class(e), ERR_INTEGRITY);
		assert_string_equal(err_id(e), "pcr-signature");
		if (!strstr(err_message(e), cases[i][1]))
			fail_msg("%s: said \"%s\", expected \"%s\"", cases[i][0], err_message(e), cases[i][1]);
	}
}

static void test_bounds(void **state)
{
	static const char entry[] = "{\"pcrs\":[11],\"pkfp\":\"" SIGNED_POL "\",\"pol\":\"" SIGNED_POL "\",\"sig\":\"AAAA\"},";
	_cleanup_free_ char *text = malloc(32 + (PCR_SIG_ENTRIES_MAX + 1) * sizeof(entry));
	struct pcr_sigs s;

	for (size_t n = PCR_SIG_ENTRIES_MAX; n <= PCR_SIG_ENTRIES_MAX + 1; n++) {
		char *p = text + sprintf(text, "{\"sha256\":[");

		for (size_t i = 0; i < n; i++)
			p += sprintf(p, "%s", entry);
		sprintf(p - 1, "]}");
		if (n == PCR_SIG_ENTRIES_MAX) {
			assert_ok(parse(text, &s, &_err));
			assert_int_equal(s.n, n);
			pcr_sigs_clear(&s);
		} else {
			assert_fails(parse(text, &s, &_err), ERR_INTEGRITY, "pcr-signature");
		}
	}
}

static void any_answer(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	_cleanup_err_ struct err *e = NULL;
	struct pcr_sigs s;

	if (pcr_sigs_parse((const char *)data, len, PCR_SHA256, &s, &e) == 0)
		pcr_sigs_clear(&s);
	else
		assert_string_equal(err_id(e), "pcr-signature");
}

static void test_mutations(void **state)
{
	static const char text[] = "{\"sha256\":[" SIGNED_EC_ENTRY "]}";

	mutate_bit_flips((const uint8_t *)text, 0, strlen(text), strlen(text), any_answer, NULL);
	mutate_truncations((const uint8_t *)text, strlen(text), 1, any_answer, NULL);
}

/* Computed with Python's hashlib. The second and the fourth end in a zero byte, which the TPM does not count. */
static void test_pin_values(void **state)
{
	static const struct {
		const char *pin;
		bool salted;
		const char *want;
	} vectors[] = {
		{ "1234", true, "707057c835474da74bcd75b848540fe2bbbf46d9d30a96b148814aecadeddedd" },
		{ "0110", true, "cbb5c30575cc08afc23c8cd7f941ec8b4ac35349b8deea97a3aac6d36715a5" },
		{ "abc", false, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "pin191", false, "a8c21861b43f3d333bcf0ad8ec25a0b78dd95d48199c7ce7cd446a5f95aff3" },
	};
	uint8_t salt[32];

	for (size_t i = 0; i < sizeof(salt); i++)
		salt[i] = (uint8_t)i;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		_cleanup_secret_ struct secret *pin = NULL, *value = NULL;
		char hex[65];

		assert_ok(secret_from(vectors[i].pin, strlen(vectors[i].pin), &pin, &_err));
		assert_ok(seal_pin_value(pin, vectors[i].salted ? salt : NULL, sizeof(salt), &value, &_err));
		hex_encode(secret_cdata(value), secret_len(value), hex);
		assert_string_equal(hex, vectors[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pcr_vector),	  cmocka_unit_test(test_signer_vector),
		cmocka_unit_test(test_every_part_counts), cmocka_unit_test(test_signers),
		cmocka_unit_test(test_signers_refused),	  cmocka_unit_test(test_find),
		cmocka_unit_test(test_highest_version),	  cmocka_unit_test(test_file_refused),
		cmocka_unit_test(test_bounds),		  cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_pin_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
