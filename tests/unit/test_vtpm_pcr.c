/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* vtpm/pcr.h: lists, arithmetic, and banks of a real (software) TPM. */
#include "tests/lib/vtpm_check.h"

#include "base/encode.h"

static void test_lists(void **state)
{
	static const struct {
		const char *text;
		uint32_t mask;
	} good[] = {
		{ "7", 1 << 7 },	       { "4 7 9", 1 << 4 | 1 << 7 | 1 << 9 }, { "4+7+9", 1 << 4 | 1 << 7 | 1 << 9 },
		{ "9,7 , 4", 1 << 4 | 1 << 7 | 1 << 9 }, { "0 22", 1 | 1 << 22 },	      { " 7 ", 1 << 7 },
		{ "7 7", 1 << 7 },
	};
	static const char *const bad[] = { "", " ", "24", "100", "-1", "7;9", "seven", "7 x", "0x7", "7+", "7,,9", "16", "7 23", "7+16", "+7" };
	char text[80];
	uint32_t mask;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_ok(pcr_mask_parse(good[i].text, &mask, &_err));
		assert_int_equal(mask, good[i].mask);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_fails(pcr_mask_parse(bad[i], &mask, &_err), ERR_CONFIG, "pcrs");
	pcr_mask_text(1 << 4 | 1 << 7 | 1 << 15, text, sizeof(text));
	assert_string_equal(text, "4 7 15");
	pcr_mask_text(0, text, sizeof(text));
	assert_string_equal(text, "");
	pcr_mask_text(0xffffff, text, 8);
	assert_int_equal(strlen(text), 7);
}

static void test_banks(void **state)
{
	enum pcr_bank b;

	assert_ok(pcr_bank_by_name("sha384", &b, &_err));
	assert_int_equal(b, PCR_SHA384);
	assert_int_equal(pcr_bank_size(b), 48);
	assert_int_equal(pcr_bank_alg(b), 0x000c);
	assert_fails(pcr_bank_by_name("SHA384", &b, &_err), ERR_CONFIG, "pcr-bank");
	assert_fails(pcr_bank_by_name("", &b, &_err), ERR_CONFIG, "pcr-bank");
}

static void test_state_words(void **state)
{
	struct pcr_values v = { .bank = PCR_SHA256, .mask = 1 << 7 | 1 << 9 };

	assert_true(pcr_unmeasured(&v, 1 << 7 | 1 << 9));
	memset(v.value[9], 0xff, 32);
	assert_true(pcr_unmeasured(&v, 1 << 7 | 1 << 9));
	assert_true(pcr_is_reset(&v, 7));
	assert_false(pcr_is_reset(&v, 9));
	assert_false(pcr_is_reset(&v, 8)); /* not read: nobody knows */
	assert_false(pcr_is_reset(&v, 200));
	v.value[9][31] = 0;
	assert_false(pcr_unmeasured(&v, 1 << 7 | 1 << 9));
	assert_true(pcr_unmeasured(&v, 1 << 7));
	v.value[7][32] = 1; /* past the bank's size */
	assert_true(pcr_is_reset(&v, 7));
}

static void test_arithmetic(void **state)
{
	/* sha256(32 zero bytes || sha256("abc")), computed with coreutils. */
	static const char expected[] = "589f9ffed4c477966bfb8d41f37895b08c69047df8f911d6f3b57fbe08faee8d";
	uint8_t value[32] = { 0 }, again[32] = { 0 };
	char text[65];

	assert_ok(pcr_extend_value(PCR_SHA256, value, "abc", 3, value, &_err));
	hex_encode(value, 32, text);
	assert_string_equal(text, expected);
	assert_ok(pcr_extend_value(PCR_SM3_256, again, "abc", 3, again, &_err));
	assert_memory_not_equal(value, again, 32);
}

static void read_and_extend(struct tpm *t, struct swtpm *s)
{
	static const char event[] = "cryptattest:cap:v1\n-\n";
	struct pcr_values v, all;
	uint32_t active;

	assert_ok(pcr_active_banks(t, &active, &_err));
	assert_int_equal(active, 1 << PCR_SHA1 | 1 << PCR_SHA256 | 1 << PCR_SHA384 | 1 << PCR_SHA512);
	bool moved = true;
	assert_ok(pcr_moved(t, 15, &moved, &_err));
	assert_false(moved);
	assert_ok(pcr_extend_all(t, 15, event, strlen(event), &_err));
	assert_ok(pcr_moved(t, 15, &moved, &_err));
	assert_true(moved);
	for (int b = PCR_SHA1; b <= PCR_SHA512; b++) {
		uint8_t want[PCR_DIGEST_MAX] = { 0 };

		assert_ok(pcr_read(t, (enum pcr_bank)b, 1 << 15, &v, &_err));
		assert_int_equal(v.mask, 1 << 15);
		assert_ok(pcr_extend_value((enum pcr_bank)b, want, event, strlen(event), want, &_err));
		assert_memory_equal(v.value[15], want, pcr_bank_size((enum pcr_bank)b));
	}
	/* More than the eight that one answer holds; 17 to 22 are all FF without DRTM. */
	assert_ok(pcr_read(t, PCR_SHA384, 0xffffff, &all, &_err));
	assert_int_equal(all.mask, 0xffffff);
	assert_memory_equal(all.value[17], "\xff\xff\xff\xff", 4);
	assert_true(pcr_is_reset(&all, 14));
	assert_false(pcr_is_reset(&all, 15));
	assert_fails(pcr_read(t, PCR_SM3_256, 1 << 7, &v, &_err), ERR_TPM, "pcr-bank");
	assert_ok(pcr_read(t, PCR_SHA256, 0, &v, &_err));
	assert_int_equal(v.mask, 0);
}

static void test_untrusted(void **state)
{
	_cleanup_tpm_ struct tpm *t = check_open(swtpm_access(*state));

	read_and_extend(t, *state);
}

static void test_trusted(void **state)
{
	struct tpm_name name;
	_cleanup_tpm_ struct tpm *t = check_trusted(*state, &name);

	read_and_extend(t, *state);
}

/* Somebody else computes the same: tpm2-tools extends what we read, and reads what we extended. */
static void test_against_tools(void **state)
{
	struct pcr_values v;
	struct tpm *t;

	if (swtpm_sh(*state, "tpm2_pcrevent 8 /proc/sys/kernel/ostype") == 127)
		return print_message("# tpm2-tools are not installed\n");
	t = check_open(swtpm_access(*state));
	assert_ok(pcr_read(t, PCR_SHA512, 1 << 8, &v, &_err));
	uint8_t want[PCR_DIGEST_MAX] = { 0 };
	assert_ok(pcr_extend_value(PCR_SHA512, want, "Linux\n", 6, want, &_err));
	assert_memory_equal(v.value[8], want, 64);
	tpm_close(t);
	/* One bank alone is not enough. */
	if (swtpm_sh(*state, "tpm2_pcrextend 14:sha256=0000000000000000000000000000000000000000000000000000000000000001") == 0) {
		bool moved = true;

		t = check_open(swtpm_access(*state));
		assert_ok(pcr_moved(t, 14, &moved, &_err));
		assert_false(moved);
		tpm_close(t);
	}
	/* A TPM may have banks that are switched off. */
	assert_int_equal(swtpm_sh(*state, "tpm2_pcrallocate sha1:none+sha256:all+sha384:none+sha512:none"), 0);
	swtpm_reboot(*state);
	t = check_open(swtpm_access(*state));
	uint32_t active;
	assert_ok(pcr_active_banks(t, &active, &_err));
	assert_int_equal(active, 1 << PCR_SHA256);
	assert_fails(pcr_read(t, PCR_SHA384, 1 << 7, &v, &_err), ERR_TPM, "pcr-bank");
	assert_ok(pcr_extend_all(t, 15, "x", 1, &_err));
	tpm_close(t);
	/* And such that keep some PCRs alone. */
	assert_int_equal(swtpm_sh(*state, "tpm2_pcrallocate sha1:0,1,2+sha256:all"), 0);
	swtpm_reboot(*state);
	t = check_open(swtpm_access(*state));
	bool moved = true;
	assert_ok(pcr_moved(t, 15, &moved, &_err));
	assert_false(moved);
	assert_ok(pcr_extend_all(t, 15, "x", 1, &_err));
	assert_ok(pcr_moved(t, 15, &moved, &_err));
	assert_true(moved);
	tpm_close(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists), cmocka_unit_test(test_banks), cmocka_unit_test(test_state_words),
		cmocka_unit_test(test_arithmetic), vtpm_test(test_untrusted), vtpm_test(test_trusted),
		vtpm_test(test_against_tools),
	};

	swtpm_or_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
