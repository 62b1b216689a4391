/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* K6 word by word: tables as real kernels print them (boot-integration.md 14.2, 14.5), and everything that differs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "luks/table.h"
#include "tests/lib/mutate.h"

#define UUID "6f1c9d3e-0000-4000-8000-000000000001"
#define KEY64 ":64:logon:cryptsetup:" UUID "-d0"
#define AEAD "capi:authenc(hmac(sha256),xts(aes))-plain64 :96:logon:cryptsetup:" UUID "-d0"
#define JOURNAL                                                                                                            \
	"journal_sectors:1320 interleave_sectors:32768 buffer_sectors:128 journal_watermark:50 commit_time:10000 fix_padding"

static const char *forbidden; /* must be in no message */

static struct table_expect expect(bool integrity, unsigned int sector)
{
	return (struct table_expect){ .name = "root",
				      .uuid = UUID,
				      .digest = "0",
				      .rdev = makedev(254, 32),
				      .device_size = (32768 + 65536) * 512ULL,
				      .data_offset = 32768 * 512ULL,
				      .sector_size = sector,
				      .key_size = integrity ? 96 : 64,
				      .integrity = integrity,
				      .read_only = 0 };
}

/* 0 accepted, 1 refused with K6. */
static int crypt_says(const struct table_expect *e, const char *params, uint64_t length)
{
	struct mapper_target t = { .type = "crypt", .length = length, .params = (char *)params };
	struct mapper_info i = { .exists = true, .uuid = "CRYPT-LUKS2-6f1c9d3e000040008000000000000001-root", .targets = &t, .n_targets = 1 };
	struct err *err = NULL;
	int r = table_check_crypt(&i, e, makedev(254, 1), &err);

	if (r < 0) {
		assert_int_equal(err_class(err), ERR_INTEGRITY);
		assert_string_equal(err_id(err), "K6");
		assert_true(!forbidden || !strstr(err_message(err), forbidden));
	}
	err_free(err);
	return r < 0;
}

static int integrity_says(const struct table_expect *e, const char *params)
{
	struct mapper_target t = { .type = "integrity", .length = 57344, .params = (char *)params };
	struct mapper_info i = { .exists = true, .uuid = "CRYPT-INTEGRITY-6f1c9d3e000040008000000000000001-root_dif", .targets = &t, .n_targets = 1 };
	struct err *err = NULL;
	int r = table_check_integrity(&i, e, &err);

	if (r < 0)
		assert_string_equal(err_id(err), "K6");
	err_free(err);
	return r < 0;
}

static void test_plain(void **state)
{
	static const struct {
		const char *params;
		unsigned int sector;
		bool discard, refused;
	} cases[] = {
		{ "aes-xts-plain64 " KEY64 " 0 254:32 32768", 512 },
		{ "aes-xts-plain64 " KEY64 " 0 254:32 32768 1 sector_size:4096", 4096 },
		{ "aes-xts-plain64 " KEY64 " 0 254:32 32768 1 allow_discards", 512, .discard = true },
		{ "aes-xts-plain64 " KEY64 " 0 254:32 32768 2 sector_size:4096 allow_discards", 4096, .discard = true },
		{ "aes-xts-plain64 " KEY64 " 0 254:32 32768 0", 512 },
		{ "aes-xts-plain64 " KEY64 " 0 254:32 32768 1 allow_discards", 512, .refused = true },
		{ "aes-xts-plain64 " KEY64 " 0 254:32 32768", 512, .discard = true, .refused = true },
		{ "aes-xts-plain64 " KEY64 " 0 254:32 32768", 4096, .refused = true },
		{ "aes-xts-plain64 " KEY64 " 0 254:32 32768 2 sector_size:4096 sector_size:4096", 4096, .refused = true },
		{ "aes-xts-plain64 " KEY64 " 0 254:32 32768 2 sector_size:4096", 4096, .refused = true },
		{ "aes-xts-plain64 " KEY64 " 0 254:32 32768 1 sector_size:4096 iv_large_sectors", 4096, .refused = true },
		{ "aes-xts-plain64 " KEY64 " 0 254:32 32768 1 no_read_workqueue", 512, .refused = true },
		{ "aes-xts-plain64 " KEY64 " 1 254:32 32768", 512, .refused = true },
		{ "aes-xts-plain64 " KEY64 " 0 254:33 32768", 512, .refused = true },
		{ "aes-xts-plain64 " KEY64 " 0 /dev/vdb 32768", 512, .refused = true },
		{ "aes-xts-plain64 " KEY64 " 0 254:32 32832", 512, .refused = true },
		{ "aes-xts-plain64 " KEY64 " 0 254:32 0", 512, .refused = true },
		{ "aes-xts-plain64 " KEY64 " 0 254:32", 512, .refused = true },
		{ "aes-xts-plain64", 512, .refused = true },
		{ "", 512, .refused = true },
		{ "aes-xts-plain64 " KEY64 " 0 254:32  32768", 512, .refused = true },
		{ "aes-xts-plain64 " KEY64 " 0 254:32 32768 ", 512, .refused = true },
		{ "aes-xts-plain " KEY64 " 0 254:32 32768", 512, .refused = true },
		{ "aes-xts-null " KEY64 " 0 254:32 32768", 512, .refused = true },
		{ "capi:xts(ecb(aes-generic))-plain64 " KEY64 " 0 254:32 32768", 512, .refused = true },
		{ "cipher_null-ecb - 0 254:32 32768", 512, .refused = true },
		{ "aes-xts-plain64 - 0 254:32 32768", 512, .refused = true },
		{ "aes-xts-plain64 :64:logon:cryptsetup:" UUID "-d1 0 254:32 32768", 512, .refused = true },
		{ "aes-xts-plain64 :64:user:cryptsetup:" UUID "-d0 0 254:32 32768", 512, .refused = true },
		{ "aes-xts-plain64 :32:logon:cryptsetup:" UUID "-d0 0 254:32 32768", 512, .refused = true },
		{ "aes-xts-plain64 :64:logon:host:key 0 254:32 32768", 512, .refused = true },
		{ "aes-xts-plain64 00 0 254:32 32768", 512, .refused = true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct table_expect e = expect(false, cases[i].sector);

		e.discard = cases[i].discard;
		if (crypt_says(&e, cases[i].params, 65536) != cases[i].refused)
			fail_msg("%s: %s", cases[i].params, cases[i].refused ? "accepted" : "refused");
	}
}

static void test_lengths(void **state)
{
	static const char params[] = "aes-xts-plain64 " KEY64 " 0 254:32 32768";
	struct table_expect e = expect(false, 512);

	assert_int_equal(crypt_says(&e, params, 65536), 0);
	assert_int_equal(crypt_says(&e, params, 65535), 1);
	assert_int_equal(crypt_says(&e, params, 65537), 1);
	assert_int_equal(crypt_says(&e, params, 0), 1);
	/* The tail of a device that is no multiple of the sector size is not mapped. */
	e = expect(false, 4096);
	e.device_size += 512 * 5;
	assert_int_equal(crypt_says(&e, "aes-xts-plain64 " KEY64 " 0 254:32 32768 1 sector_size:4096", 65536), 0);
	e.device_size = e.data_offset;
	assert_int_equal(crypt_says(&e, params, 8), 1);
}

static void test_key_in_table(void **state)
{
	struct table_expect e = expect(false, 512);
	struct secret *key = NULL;
	char params[256], hex_zero[129] = { 0 };
	uint8_t raw[64] = { 0 };

	memset(hex_zero, '0', 128);
	forbidden = "00000000";
	snprintf(params, sizeof(params), "aes-xts-plain64 %s 0 254:32 32768", hex_zero);
	assert_int_equal(crypt_says(&e, params, 65536), 0);
	assert_int_equal(secret_from(raw, sizeof(raw), &key, NULL), 0);
	e.key = key;
	assert_int_equal(crypt_says(&e, params, 65536), 0);
	params[20] = '1';
	assert_int_equal(crypt_says(&e, params, 65536), 1);
	params[20] = 'g';
	assert_int_equal(crypt_says(&e, params, 65536), 1);
	forbidden = NULL;
	secret_free(key);
}

static void test_integrity(void **state)
{
	static const struct {
		const char *params;
		bool refused;
	} outer[] = { { AEAD " 0 254:1 0 2 integrity:32:aead sector_size:4096" },
		      { AEAD " 0 254:1 0 2 sector_size:4096 integrity:32:aead" },
		      { AEAD " 0 254:1 0 1 sector_size:4096", true },
		      { AEAD " 0 254:1 0 2 integrity:28:aead sector_size:4096", true },
		      { AEAD " 0 254:1 0 2 integrity:32:none sector_size:4096", true },
		      { AEAD " 0 254:32 0 2 integrity:32:aead sector_size:4096", true },
		      { AEAD " 0 254:1 32768 2 integrity:32:aead sector_size:4096", true },
		      { "aes-xts-plain64 " KEY64 " 0 254:1 0 2 integrity:32:aead sector_size:4096", true } },
	  inner[] = { { "254:32 32768 32 J 7 block_size:4096 " JOURNAL },
		      { "254:32 32768 32 J 1 block_size:4096" },
		      { "254:32 32768 32 J 8 block_size:4096 fix_hmac " JOURNAL },
		      { "254:32 32768 32 J 6 " JOURNAL, true },
		      { "254:32 32768 32 J 7 block_size:512 " JOURNAL, true },
		      { "254:32 32768 32 J 8 block_size:4096 block_size:4096 " JOURNAL, true },
		      { "254:32 32768 32 J 6 block_size:4096 " JOURNAL, true },
		      { "254:32 32768 32 J 8 block_size:4096 recalculate " JOURNAL, true },
		      { "254:32 32768 32 J 8 block_size:4096 internal_hash:crc32c " JOURNAL, true },
		      { "254:32 32768 32 J 8 block_size:4096 meta_device:8:1 " JOURNAL, true },
		      { "254:32 32768 32 J 8 block_size:4096 allow_discards " JOURNAL, true },
		      { "254:32 32768 32 J 2 block_size:4096 journal_sectors:", true },
		      { "254:32 32768 32 J 2 block_size:4096 journal_sectors:1x", true },
		      { "254:32 32768 32 D 1 block_size:4096", true },
		      { "254:32 32768 32 R 1 block_size:4096", true },
		      { "254:32 32768 0 J 1 block_size:4096", true },
		      { "254:32 0 32 J 1 block_size:4096", true },
		      { "254:33 32768 32 J 1 block_size:4096", true },
		      { "254:32 32768 32", true },
		      { "", true } };
	struct table_expect e = expect(true, 4096);

	for (size_t i = 0; i < ARRAY_SIZE(outer); i++)
		if (crypt_says(&e, outer[i].params, 57344) != outer[i].refused)
			fail_msg("%s: %s", outer[i].params, outer[i].refused ? "accepted" : "refused");
	for (size_t i = 0; i < ARRAY_SIZE(inner); i++)
		if (integrity_says(&e, inner[i].params) != inner[i].refused)
			fail_msg("%s: %s", inner[i].params, inner[i].refused ? "accepted" : "refused");
	assert_int_equal(crypt_says(&e, outer[0].params, 65537), 1); /* longer than the device */
}

static void test_shape(void **state)
{
	static char params[] = "aes-xts-plain64 " KEY64 " 0 254:32 32768";
	struct mapper_target good[2] = { { .type = "crypt", .length = 65536, .params = params }, { .type = "zero", .length = 8, .params = params } };
	const struct mapper_info ok = { .exists = true, .uuid = "CRYPT-LUKS2-6f1c9d3e000040008000000000000001-root", .targets = good, .n_targets = 1 };
	struct table_expect e = expect(false, 512);
	struct mapper_info i = ok;
	struct err *err = NULL;

	assert_int_equal(table_check_crypt(&i, &e, 0, NULL), 0);
	i.n_targets = 2;
	assert_int_equal(table_check_crypt(&i, &e, 0, NULL), -1);
	i.n_targets = 0;
	assert_int_equal(table_check_crypt(&i, &e, 0, NULL), -1);
	i = ok;
	strcpy(i.uuid, "CRYPT-LUKS2-6f1c9d3e000040008000000000000001-other");
	assert_int_equal(table_check_crypt(&i, &e, 0, NULL), -1);
	strcpy(i.uuid, "CRYPT-PLAIN-root");
	assert_int_equal(table_check_crypt(&i, &e, 0, NULL), -1);
	i = ok;
	i.read_only = true;
	assert_int_equal(table_check_crypt(&i, &e, 0, NULL), -1);
	e.read_only = -1;
	assert_int_equal(table_check_crypt(&i, &e, 0, NULL), 0);
	strcpy(good[0].type, "linear");
	assert_int_equal(table_check_crypt(&i, &e, 0, NULL), -1);
	strcpy(good[0].type, "crypt");
	good[0].start = 8;
	assert_int_equal(table_check_crypt(&i, &e, 0, NULL), -1);
	i = (struct mapper_info){ 0 };
	assert_int_equal(table_check_crypt(&i, &e, 0, &err), -1);
	assert_string_equal(err_id(err), "mapping-absent");
	err_free(err);
}

static void flipped(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	struct table_expect e = expect(true, 4096);
	char text[512];

	memcpy(text, data, len);
	text[len] = 0;
	/* The case of the uuid is free. */
	if (crypt_says(&e, text, 57344) == 0 && strcasecmp(text, ctx) != 0)
		fail_msg("%s: accepted: %s", what, text);
}

static void test_flips(void **state)
{
	static char params[] = AEAD " 0 254:1 0 2 integrity:32:aead sector_size:4096";

	mutate_bit_flips((uint8_t *)params, 0, strlen(params), strlen(params), flipped, params);
	mutate_truncations((uint8_t *)params, strlen(params), 1, flipped, params);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),	  cmocka_unit_test(test_lengths), cmocka_unit_test(test_key_in_table),
		cmocka_unit_test(test_integrity), cmocka_unit_test(test_shape),	  cmocka_unit_test(test_flips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
