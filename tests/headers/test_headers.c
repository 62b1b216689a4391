/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The oracle of luks-untrusted-host.md 11: what must be refused, with its check id, and what must be accepted and open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "tests/headers/edit.h"
#include "tests/headers/image.h"

#define FAST_MS 50

struct reject {
	const char *name, *id, *path; /* path: part of the finding's JSON path */
	const char *ops[24];
	const char *base; /* image, default "base" */
	bool passes_compat; /* else compat refuses it too */
};

#define SEG "segments.0."
#define SLOT "keyslots.0."

static const struct reject rejects[] = {
	{ "A1 null keyslot", "H8", "keyslots.0.area.encryption", { "null-keyslot", "0" } },
	{ "A1 name only", "H8", "keyslots.0.area.encryption", { "set", SLOT "area.encryption", "\"cipher_null-ecb\"" } },
	{ "A2 cipher_null-ecb", "H6", "segments.0.encryption", { "set", SEG "encryption", "\"cipher_null-ecb\"" } },
	{ "A2 null", "H6", "segments.0.encryption", { "set", SEG "encryption", "\"null\"" } },
	{ "A2 cipher_null", "H6", "segments.0.encryption", { "set", SEG "encryption", "\"cipher_null\"" } },
	{ "A3 linear", "H6", "segments.0.encryption", { "set", SEG "type", "\"linear\"", "del", SEG "encryption" } },
	{ "A3 foo", "H6", "segments.0.encryption", { "set", SEG "type", "\"foo\"", "del", SEG "encryption" } },
	{ "A3 linear, shortest", "H6", "segments.0", { "set", "segments.0",
	  "{\"type\":\"linear\",\"offset\":\"16777216\",\"size\":\"dynamic\"}" } },
	{ "A4 second copy newer and hostile", "H2", "seqid",
	  { "second", "field", "seqid", "+10", "set", SEG "encryption", "\"cipher_null-ecb\"" } },
	{ "A4 same number, hostile", "H2", "json", { "second", "set", SEG "encryption", "\"cipher_null-ecb\"" } },
	{ "A5 duplicate member", "H4", "json", { "dup", SEG "encryption", "\"cipher_null-ecb\"" } },
	{ "A5 duplicate keyslot", "H4", "json", { "dup", "keyslots.0", "{}" } },
	{ "A6 aes-xts-null", "H6", "segments.0.encryption", { "set", SEG "encryption", "\"aes-xts-null\"" } },
	{ "A6 aes-xts-plain", "H6", "segments.0.encryption", { "set", SEG "encryption", "\"aes-xts-plain\"" } },
	{ "A6 capi", "H6", "segments.0.encryption", { "set", SEG "encryption", "\"capi:xts(ecb(aes-generic))-plain64\"" } },
	{ "A6 inner NUL", "H6", "segments.0.encryption", { "set", SEG "encryption", "\"aes-xts-plain64 \"" } },
	{ "A7 offset and iv_tweak", "H6", "segments.0.", { "set", SEG "offset", "\"16809984\"", "set", SEG "iv_tweak", "\"64\"" } },
	{ "A7 iv_tweak", "H6", "segments.0.iv_tweak", { "set", SEG "iv_tweak", "\"64\"" } },
	{ "A7 offset alone", "H6", "segments.0.offset", { "set", SEG "offset", "\"16809984\"" } },
	{ "A7 offset with leading zero", "H6", "segments.0.offset", { "set", SEG "offset", "\"016777216\"" } },
	{ "A7 size", "H6", "segments.0.size", { "set", SEG "size", "\"1048576\"" } },
	{ "A7 sector_size 1024", "H6", "segments.0.sector_size", { "set", SEG "sector_size", "1024" } },
	{ "A7 two segments", "H6", "segments.1",
	  { "set", "segments.1", "{\"type\":\"linear\",\"offset\":\"16777216\",\"size\":\"dynamic\"}" } },
	{ "A8 integrity of another kind", "H6", "segments.0.integrity.type",
	  { "set", SEG "integrity", "{\"type\":\"none\",\"journal_encryption\":\"none\",\"journal_integrity\":\"none\"}" } },
	{ "A8 integrity removed", "H7", "key_size", { "del", SEG "integrity" }, .base = "integrity" },
	{ "A8 integrity key_size", "H6", "integrity.key_size", { "set", SEG "integrity.key_size", "16" }, .base = "integrity" },
	{ "A9 key_size 1", "H7", "keyslots.0.key_size", { "set", SLOT "key_size", "1" } },
	{ "A9 area key_size 16", "H7", "keyslots.0.area.key_size", { "set", SLOT "area.key_size", "16" } },
	{ "A10 pbkdf2", "H9", "kdf.iterations", { "set", SLOT "kdf.iterations", "4294967295" } },
	{ "A10 argon2id", "H9", "kdf.memory", { "set", SLOT "kdf.memory", "4194304" }, .base = "argon2id" },
	{ "A10 argon2id time", "H9", "kdf.time", { "set", SLOT "kdf.time", "4294967295" }, .base = "argon2id" },
	{ "A10 argon2id cpus", "H9", "kdf.cpus", { "set", SLOT "kdf.cpus", "5" }, .base = "argon2id" },
	{ "A10 digest", "H10", "digests.0.iterations", { "set", "digests.0.iterations", "4294967295" } },
	{ "KDF of no known type", "H9", "kdf.type", { "set", SLOT "kdf.type", "\"scrypt\"" } },
	{ "A11 flags", "H5", "config.flags", { "set", "config.flags", "[\"allow-discards\",\"no-journal\"]" }, .passes_compat = true },
	{ "A11 unknown flag", "H5", "config.flags", { "set", "config.flags", "[\"allow-discards\",\"x\"]" } },
	{ "A12 requirement", "H5", "config.requirements",
	  { "set", "config.requirements", "{\"mandatory\":[\"online-reencrypt-v2\"]}" } },
	{ "A12 reencrypt keyslot", "H8", "keyslots.0.type", { "set", SLOT "type", "\"reencrypt\"" } },
	{ "A13 keyring token", "H11", "tokens.0.type",
	  { "set", "tokens.0", "{\"type\":\"luks2-keyring\",\"keyslots\":[\"0\"],\"key_description\":\"x\"}" } },
	{ "A13 clevis token", "H11", "tokens.0.type", { "set", "tokens.0", "{\"type\":\"clevis\",\"keyslots\":[\"0\"],\"jwe\":{}}" },
	  .passes_compat = true },
	{ "A17 digest of 20 bytes", "H10", "digests.0.digest", { "set", "digests.0.digest", "\"ws63ig+sVD4HQb/CdadEKj3SUnE=\"" },
	  .passes_compat = true },
	{ "A17 digest of 16 bytes", "H10", "digests.0.digest", { "set", "digests.0.digest", "\"AAAAAAAAAAAAAAAAAAAAAA==\"" } },
	{ "two digests", "H10", "digests", { "set", "digests.1", "{}" } },
	{ "digest without the keyslot", "H10", "digests.0.keyslots", { "set", "digests.0.keyslots", "[]" } },
	{ "digest of no segment", "H10", "digests.0.segments", { "set", "digests.0.segments", "[]" } },
	{ "bytes after the JSON", "H2", "json", { "tail", "{\"x\":1}" } },
	{ "hdr_size 4 MiB", "H3", "hdr_size", { "field", "hdr_size", "4194304" } },
	{ "keyslots_size beyond 16 MiB", "H3", "keyslots_size", { "set", "config.keyslots_size", "\"33554432\"" } },
	{ "json_size", "H5", "json_size", { "set", "config.json_size", "\"28672\"" } },
	{ "area inside the binary header", "H8", "keyslots.0.area.offset", { "set", SLOT "area.offset", "\"4096\"" } },
	{ "area in the data", "H8", "keyslots.0.area.offset", { "set", SLOT "area.offset", "\"16777216\"" } },
	{ "area wraps", "H8", "keyslots.0.area.offset", { "set", SLOT "area.offset", "\"9223372036854771712\"" } },
	{ "no keyslot", "H8", "keyslots", { "del", "keyslots.0" } },
	{ "LUKS1", "H1", "version", { NULL }, .base = "luks1" },
	{ "blank", "H1", "magic", { NULL }, .base = "blank" },
	{ "label with escapes", "H12", "label", { "field", "label", "\x1b[2J" } },
	{ "uuid of text", "H12", "uuid", { "field", "uuid", "not-a-uuid" } },
	{ "version 3", "H1", "version", { "field", "version", "3" } },
	{ "sha1 checksum", "H1", "csum_alg", { "field", "csum_alg", "sha1" } },
	{ "first copy torn", "H2-torn", "csum", { "raw", "5000", "ff" } },
	{ "second copy torn", "H2-torn", "csum", { "raw", "21400", "ff" } },
	{ "both torn", "H1", "csum", { "raw", "4196", "ff", }, .base = "torn" },
	{ "first copy wiped", "H2-torn", "magic", { "raw", "0", "000000000000" } },
	{ "second copy one behind", "H2-torn", "seqid", { "second", "field", "seqid", "+0xffffffffffffffff" } },
};

/* Of this process: a KDF that runs is seen, a busy machine is not. */
static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static bool has_finding(const struct luks_findings *f, const char *id, const char *path)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->items[i].id, id) == 0 && strstr(f->items[i].path, path))
			return true;
	return false;
}

static void inspect(const char *image, enum luks_profile profile, const char *id, const char *path, const char *what)
{
	_cleanup_(luks_header_clear) struct luks_header h = LUKS_HEADER_INIT;
	struct luks_policy policy = { .profile = profile };
	struct luks_findings f = { 0 };
	struct luks_device dev;
	struct err *e = NULL;
	double t = cpu_ms();
	int r;

	image_device(image, &dev);
	r = luks_inspect(&dev, &policy, &h, &f, &e);
	t = cpu_ms() - t;
	for (size_t i = 0; i < f.n; i++)
		if (strpbrk(f.items[i].found, "\x1b\n"))
			fail_msg("%s: control characters in a finding", what);
	if (!id && r < 0)
		fail_msg("%s: refused: %s", what, err_message(e));
	if (id && r == 0)
		fail_msg("%s: accepted", what);
	if (id && !has_finding(&f, id, path))
		fail_msg("%s: no %s at %s; first: %s", what, id, path, err_message(e));
	if (id && (err_class(e) != ERR_INTEGRITY || f.n == 0))
		fail_msg("%s: class %s", what, err_class_name(err_class(e)));
	if (t > FAST_MS)
		fail_msg("%s: took %.0f ms", what, t);
	err_free(e);
	luks_findings_clear(&f);
	device_close(&dev);
}

static void test_reject(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rejects); i++) {
		const struct reject *c = &rejects[i];

		image_copy(c->base ? c->base : "base", "case");
		if (c->ops[0])
			edit_run(image_path("case"), c->ops);
		inspect("case", LUKS_STRICT, c->id, c->path, c->name);
		inspect("case", LUKS_COMPAT, c->passes_compat ? NULL : c->id, c->path, c->name);
	}
}

/* A refusal says what was found, what is allowed, and which switch would take it. */
static void test_message(void **state)
{
	static const char *const ops[] = { "set", "config.flags", "[\"no-journal\"]", NULL };
	struct luks_policy policy = { 0 };
	struct luks_header h = LUKS_HEADER_INIT;
	struct luks_findings f = { 0 };
	struct luks_device dev;
	struct err *e = NULL;

	image_copy("base", "case");
	edit_run(image_path("case"), ops);
	image_device("case", &dev);
	assert_int_equal(luks_inspect(&dev, &policy, &h, &f, &e), -1);
	assert_string_equal(err_message(e),
			    "H5: config.flags is [\"no-journal\"], allowed: absent (`header = compat` would accept it)");
	assert_string_equal(err_id(e), "H5");
	assert_string_equal(f.items[0].compat, "header = compat");
	err_free(e);
	luks_findings_clear(&f);
	luks_header_clear(&h);
	device_close(&dev);
}

static void unlock_with(struct luks_volume *v, const char *pass, int want_slot, const char *what)
{
	struct secret *s = NULL, *key = NULL;
	struct err *e = NULL;
	int slot = -1;

	assert_int_equal(secret_from(pass, strlen(pass), &s, NULL), 0);
	if (luks_volume_unlock(v, s, LUKS_SECRET_MIN, -1, &key, &slot, &e) < 0)
		fail_msg("%s: %s", what, err_message(e));
	if (want_slot >= 0 && slot != want_slot)
		fail_msg("%s: keyslot %d, expected %d", what, slot, want_slot);
	secret_free(key);
	secret_free(s);
}

static void accept(const char *image, enum luks_profile profile, int want_slot, const char *pass)
{
	struct luks_policy policy = { .profile = profile };
	struct luks_header h = LUKS_HEADER_INIT;
	struct luks_volume *v = NULL;
	struct luks_device dev;
	struct err *e = NULL;

	image_device(image, &dev);
	if (luks_header_read(&dev, &policy, &h, &e) < 0 || luks_volume_new(&h, &dev, &policy, &v, &e) < 0)
		fail_msg("%s: %s", image, err_message(e));
	unlock_with(v, pass, want_slot, image);
	/* 2 x 16 KiB and the listed areas, not the 16 MiB. */
	assert_true(h.copied < 2 * 1024 * 1024);
	luks_volume_free(v);
	luks_header_clear(&h);
	device_close(&dev);
}

static void test_accept_plain(void **state)
{
	static const char *const uuid[] = { "field", "uuid", "00000000-1111-4222-8333-444444444444", NULL };
	static const char *const integrity_key[] = { "set", "segments.0.integrity.key_size", "32", NULL };

	accept("base", LUKS_STRICT, 0, IMAGE_PASS);
	accept("base", LUKS_COMPAT, 0, IMAGE_PASS);
	image_copy("base", "case");
	edit_run(image_path("case"), uuid);
	accept("case", LUKS_STRICT, 0, IMAGE_PASS);
	accept("sectors", LUKS_STRICT, 0, IMAGE_PASS);
	accept("integrity", LUKS_STRICT, 1, IMAGE_PASS);
	image_copy("integrity", "case");
	edit_run(image_path("case"), integrity_key);
	accept("case", LUKS_STRICT, 1, IMAGE_PASS);
}

static void test_accept_keyslots(void **state)
{
	image_copy("base", "two");
	image_cryptsetup("luksAddKey --key-file %P --pbkdf pbkdf2 --pbkdf-force-iterations 1000 %NAME %Q", "two");
	accept("two", LUKS_STRICT, 0, IMAGE_PASS);
	accept("two", LUKS_STRICT, 1, IMAGE_PASS2);
	image_format("sha512", "--hash sha512");
	accept("sha512", LUKS_STRICT, 0, IMAGE_PASS);
	accept("argon2id", LUKS_STRICT, 0, IMAGE_PASS);
}

/* C9: re-encryption renames keyslot and digest; conversion from LUKS1 leaves a digest of 20 bytes. */
static void test_accept_maintained(void **state)
{
	/* Locks are files of root's directory. */
	static const char reencrypt[] = "reencrypt --disable-locks --force-offline-reencrypt --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "
					"--key-file %P %NAME";

	image_format("re", "--offset 8192 --sector-size 512");
	image_cryptsetup(reencrypt, "re");
	accept("re", LUKS_STRICT, 1, IMAGE_PASS);
	image_cryptsetup(reencrypt, "re");
	accept("re", LUKS_STRICT, 0, IMAGE_PASS);
	image_copy("luks1", "converted");
	image_cryptsetup("convert --type luks2 %NAME", "converted");
	inspect("converted", LUKS_STRICT, "H10", "digests.0.digest", "converted, strict");
	accept("converted", LUKS_COMPAT, 0, IMAGE_PASS);
	image_new("luks1-256", IMAGE_SIZE);
	image_cryptsetup("luksFormat --type luks1 --pbkdf-force-iterations 1000 --key-size 256 --key-file %P %NAME", "luks1-256");
	image_cryptsetup("convert --type luks2 %NAME", "luks1-256");
	inspect("luks1-256", LUKS_STRICT, "H7", "keyslots.0.key_size", "converted AES-128, strict");
	accept("luks1-256", LUKS_COMPAT, 0, IMAGE_PASS);
	image_format("argon2i", "--key-slot 3");
	image_cryptsetup("luksConvertKey --key-file %P --pbkdf argon2i --pbkdf-force-iterations 4 --pbkdf-memory 1024 "
			 "--pbkdf-parallel 1 %NAME", "argon2i");
	inspect("argon2i", LUKS_STRICT, "H9", "keyslots.3.kdf.type", "argon2i, strict");
	accept("argon2i", LUKS_COMPAT, 3, IMAGE_PASS);
}

static void test_policy(void **state)
{
	struct luks_policy ok = { .sector_size = 4096, .integrity = INTEGRITY_NONE }, wrong = { .sector_size = 512 };
	struct luks_policy must = { .integrity = INTEGRITY_HMAC_SHA256 }, tight = { .memory_available_kib = 65536 };
	struct luks_policy uuid = { .uuid = "00000000-1111-4222-8333-444444444444" };
	const struct {
		const struct luks_policy *p;
		const char *image, *id;
	} cases[] = { { &ok, "sectors", NULL }, { &wrong, "sectors", "H6" }, { &must, "sectors", "H6" }, { &must, "integrity", NULL },
		      { &ok, "integrity", "H6" }, { &tight, "argon2id", "H9" }, { &uuid, "base", "H12" } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct luks_header h = LUKS_HEADER_INIT;
		struct luks_findings f = { 0 };
		struct luks_device dev;
		struct err *e = NULL;

		image_device(cases[i].image, &dev);
		luks_inspect(&dev, cases[i].p, &h, &f, &e);
		if (cases[i].id ? strcmp(err_id(e), cases[i].id) != 0 : e != NULL)
			fail_msg("case %zu: %s", i, e ? err_message(e) : "accepted");
		err_free(e);
		luks_findings_clear(&f);
		luks_header_clear(&h);
		device_close(&dev);
	}
}

static int make_images(void **state)
{
	image_format("base", "--sector-size 512");
	image_format("sectors", "--sector-size 4096");
	image_integrity("integrity", "--sector-size 4096");
	image_new("blank", IMAGE_SIZE);
	image_new("luks1", IMAGE_SIZE);
	image_cryptsetup("luksFormat --type luks1 --pbkdf-force-iterations 1000 --key-size 512 --key-file %P %NAME", "luks1");
	image_copy("base", "torn");
	edit_run(image_path("torn"), (const char *const[]){ "raw", "21400", "ff", NULL });
	image_new("argon2id", IMAGE_SIZE);
	image_cryptsetup("luksFormat --type luks2 --pbkdf argon2id --pbkdf-memory 65536 --pbkdf-force-iterations 4 "
			 "--pbkdf-parallel 1 --key-file %P %NAME", "argon2id");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reject),	       cmocka_unit_test(test_message),		cmocka_unit_test(test_accept_plain),
		cmocka_unit_test(test_accept_keyslots), cmocka_unit_test(test_accept_maintained), cmocka_unit_test(test_policy),
	};

	image_tool_or_skip();
	return cmocka_run_group_tests(tests, make_images, NULL);
}
