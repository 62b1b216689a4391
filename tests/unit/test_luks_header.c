/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The audit over hand-made headers: whitelist semantics, limits, mutations, identity vectors. Needs no cryptsetup. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "luks/audit.h"
#include "luks/volume.h"
#include "tests/headers/edit.h"
#include "tests/headers/image.h"
#include "tests/headers/sample.h"
#include "tests/lib/mutate.h"
#include "wire/json.h"

static struct luks_policy strict = { .memory_available_kib = 4 * 1024 * 1024 };
static struct luks_policy compat = { .profile = LUKS_COMPAT, .memory_available_kib = 4 * 1024 * 1024 };

static json_t *sample(void)
{
	json_t *j = json_loads(SAMPLE_JSON, 0, NULL);

	assert_non_null(j);
	return j;
}

/* Number of findings; the first one's id in id. */
static size_t judge(const json_t *json, const struct luks_policy *policy, char id[static 12])
{
	struct luks_findings f = { 0 };
	struct audit a;
	size_t n;

	audit_init(&a, policy, &f);
	audit_json(&a, json, SAMPLE_DATA_OFFSET);
	snprintf(id, 12, "%s", f.n ? f.items[0].id : "");
	assert_false(a.nomem);
	n = f.n;
	luks_findings_clear(&f);
	return n;
}

static void test_sample_passes(void **state)
{
	json_t *j = sample();
	char id[12];

	assert_int_equal(judge(j, &strict, id), 0);
	assert_int_equal(judge(j, &compat, id), 0);
	json_decref(j);
}

struct walk {
	json_t *root;
	char path[128];
	unsigned int n;
};

static void must_fail(struct walk *w, const char *key, const char *what)
{
	char id[12];

	w->n++;
	if (judge(w->root, &strict, id) == 0 || judge(w->root, &compat, id) == 0)
		fail_msg("%s.%s %s: accepted", w->path, key, what);
}

/* Every member removed, replaced by something of another type or value, and joined by an unknown one. */
static void walk(struct walk *w, json_t *obj)
{
	static const char *const values[] = { "null", "true", "1", "-1", "\"x\"", "\"\"", "[]", "[\"x\"]", "{\"x\":1}", "9223372036854775807" };
	char *keys[16];
	size_t n = 0, len = strlen(w->path);
	const char *key;
	json_t *value;

	json_object_set_new(obj, "x", json_integer(1));
	must_fail(w, "x", "added");
	json_object_del(obj, "x");
	json_object_foreach(obj, key, value)
		keys[n++] = strdup(key);
	for (size_t i = 0; i < n; i++) {
		value = json_incref(json_object_get(obj, keys[i]));
		json_object_del(obj, keys[i]);
		must_fail(w, keys[i], "removed");
		for (size_t k = 0; k < ARRAY_SIZE(values); k++) {
			json_object_set_new(obj, keys[i], json_loads(values[k], JSON_DECODE_ANY, NULL));
			must_fail(w, keys[i], values[k]);
		}
		json_object_set(obj, keys[i], value);
		if (json_is_object(value)) {
			snprintf(w->path + len, sizeof(w->path) - len, ".%s", keys[i]);
			/* "tokens" is the one object that may be empty: what is in it is the token test's matter. */
			walk(w, value);
			w->path[len] = 0;
		}
		json_decref(value);
		free(keys[i]);
	}
}

static void test_whitelist(void **state)
{
	struct walk w = { .root = sample() };
	char id[12];

	walk(&w, w.root);
	assert_true(w.n > 300);
	assert_int_equal(judge(w.root, &strict, id), 0);
	json_decref(w.root);
}

#define S64 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8AAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHw=="
#define ARGON(type, time, memory, cpus) \
	"{\"type\":\"" type "\",\"time\":" time ",\"memory\":" memory ",\"cpus\":" cpus ",\"salt\":\"" SAMPLE_SALT "\"}"

static void test_limits(void **state)
{
	static const struct {
		const char *path, *key, *value, *strict_id, *compat_id; /* "" = passes */
	} cases[] = {
		{ "keyslots.0.kdf", "iterations", "999", "H9", "H9" },
		{ "keyslots.0.kdf", "iterations", "20000000", "", "" },
		{ "keyslots.0.kdf", "iterations", "20000001", "H9", "H9" },
		{ "keyslots.0.kdf", "hash", "\"sha512\"", "", "" },
		{ "keyslots.0.kdf", "hash", "\"sha1\"", "H9", "H9" },
		{ "keyslots.0.kdf", "salt", "\"AAAA\"", "H9", "H9" },
		{ "keyslots.0", "kdf", ARGON("argon2id", "16", "1048576", "4"), "", "" },
		{ "keyslots.0", "kdf", ARGON("argon2id", "17", "1048576", "4"), "H9", "H9" },
		{ "keyslots.0", "kdf", ARGON("argon2id", "4", "1048577", "4"), "H9", "H9" },
		{ "keyslots.0", "kdf", ARGON("argon2id", "4", "31", "4"), "H9", "H9" },
		{ "keyslots.0", "kdf", ARGON("argon2id", "4", "32", "0"), "H9", "H9" },
		{ "keyslots.0", "kdf", ARGON("argon2i", "4", "65536", "4"), "H9", "" },
		{ "keyslots.0", "kdf", ARGON("argon2d", "4", "65536", "4"), "H9", "H9" },
		{ "keyslots.0", "priority", "0", "H8", "H8" },
		{ "keyslots.0", "priority", "1", "", "" },
		{ "keyslots.0", "priority", "2", "", "" },
		{ "keyslots.0", "priority", "3", "H8", "H8" },
		{ "keyslots.0.af", "hash", "\"sha512\"", "", "" },
		{ "keyslots.0.af", "stripes", "3999", "H8", "H8" },
		{ "keyslots.0.area", "offset", "\"36864\"", "", "" },
		{ "keyslots.0.area", "offset", "\"33000\"", "H8", "H8" },
		{ "keyslots.0.area", "offset", "\"16519168\"", "", "" },   /* ends where the data begins */
		{ "keyslots.0.area", "offset", "\"16523264\"", "H8", "H8" },
		{ "keyslots.0.area", "size", "\"262144\"", "H8", "H8" },
		{ "keyslots.0.area", "size", "\"256000\"", "H8", "H8" },
		{ "keyslots", "32", "{}", "H8", "H8" },
		{ "digests.0", "hash", "\"sha512\"", "H10", "H10" }, /* with a digest of 32 bytes */
		{ "digests.0", "digest", "\"" S64 "\"", "H10", "H10" },
		{ "digests.0", "iterations", "999", "H10", "H10" },
		{ "digests.0", "keyslots", "[\"0\",\"0\"]", "H10", "H10" },
		{ "digests.0", "keyslots", "[\"1\"]", "H10", "H10" },
		{ "segments.0", "sector_size", "512", "", "" },
		{ "segments.0", "sector_size", "2048", "H6", "H6" },
		{ "segments.0", "flags", "[\"backup-final\"]", "H6", "H6" },
		{ "config", "flags", "[]", "H5", "" },
		{ "config", "flags", "[\"same-cpu-crypt\",\"no-write-workqueue\"]", "H5", "" },
		{ "config", "flags", "{}", "H5", "H5" },
		{ "tokens", "0", "{\"type\":\"systemd-tpm2\",\"keyslots\":[\"0\"]}", "H11", "" },
		{ "tokens", "0", "{\"type\":\"systemd-tpm2\\u0000x\"}", "H11", "H11" },
		{ "tokens", "0", "{}", "H11", "H11" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *path = strdup(cases[i].path), *save = NULL, id[12];
		json_t *root = sample(), *obj = root;

		for (char *w = strtok_r(path, ".", &save); w; w = strtok_r(NULL, ".", &save))
			obj = json_object_get(obj, w);
		assert_int_equal(json_object_set_new(obj, cases[i].key,
						     json_loads(cases[i].value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL)), 0);
		judge(root, &strict, id);
		if (strcmp(id, cases[i].strict_id) != 0)
			fail_msg("%s.%s = %s: strict says \"%s\"", cases[i].path, cases[i].key, cases[i].value, id);
		judge(root, &compat, id);
		if (strcmp(id, cases[i].compat_id) != 0)
			fail_msg("%s.%s = %s: compat says \"%s\"", cases[i].path, cases[i].key, cases[i].value, id);
		json_decref(root);
		free(path);
	}
}

/* n keyslots, each in its own area unless overlap. */
static json_t *with_slots(int n, bool overlap)
{
	json_t *root = sample(), *slots = json_object_get(root, "keyslots"), *names = json_array();

	for (int i = 0; i < n; i++) {
		json_t *slot = json_deep_copy(json_object_get(slots, "0"));
		char name[12], offset[24];

		snprintf(name, sizeof(name), "%d", i);
		snprintf(offset, sizeof(offset), "%d", 32768 + 258048 * i - (overlap && i == n - 1 ? 4096 : 0));
		json_object_set_new(json_object_get(slot, "area"), "offset", json_string(offset));
		json_object_set_new(slots, name, slot);
		json_array_append_new(names, json_string(name));
	}
	json_object_set_new(json_object_get(json_object_get(root, "digests"), "0"), "keyslots", names);
	return root;
}

static void test_keyslot_number(void **state)
{
	const struct {
		int n;
		bool overlap;
		const char *id;
	} cases[] = { { 8, false, "" }, { 9, false, "H8" }, { 32, false, "H8" }, { 2, true, "H8" }, { 8, true, "H8" } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *root = with_slots(cases[i].n, cases[i].overlap);
		char id[12];

		judge(root, &strict, id);
		assert_string_equal(id, cases[i].id);
		json_decref(root);
	}
}

/* 12 KiB of unknown members: findings stay bounded, and each is printable. */
static void test_findings_bounded(void **state)
{
	json_t *root = sample();
	struct luks_findings f = { 0 };
	struct audit a;
	char name[64];

	for (int i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "\x1b[31m%d\"\\\n", i);
		json_object_set_new(root, name, json_string("\x1b]0;x\x07"));
	}
	audit_init(&a, &strict, &f);
	audit_json(&a, root, SAMPLE_DATA_OFFSET);
	assert_int_equal(f.n, FINDINGS_MAX);
	for (size_t i = 0; i < f.n; i++)
		for (const char *p = f.items[i].path; *p; p++)
			assert_true(*p >= 0x20 && *p < 0x7f);
	luks_findings_clear(&f);
	json_decref(root);
}

static size_t parse(const uint8_t *area, size_t len, struct luks_header *h, char id[static 12])
{
	struct luks_findings f = { 0 };
	struct audit a;
	bool ok;
	size_t n;

	audit_init(&a, &strict, &f);
	ok = header_parse(&a, area, len, h);
	if (ok)
		audit_json(&a, h->json, h->data_offset);
	assert_true(ok || f.n > 0);
	n = f.n;
	snprintf(id, 12, "%s", n ? f.items[0].id : "");
	luks_findings_clear(&f);
	return n;
}

static void test_binary_flips(void **state)
{
	struct luks_header h = LUKS_HEADER_INIT;
	struct edit e;
	char id[12];

	edit_make(&e, SAMPLE_JSON, strlen(SAMPLE_JSON));
	assert_int_equal(parse(e.copy[0], sizeof(e.copy), &h, id), 0);
	assert_string_equal(h.uuid, "6f1c9d3e-0000-4000-8000-000000000001");
	assert_int_equal(h.data_offset, SAMPLE_DATA_OFFSET);
	luks_header_clear(&h);
	/* The checksum made right again, as a host does: only the salt of a copy may differ. */
	for (int copy = 0; copy < 2; copy++) {
		for (unsigned int byte = 0; byte < 520; byte++) {
			struct edit m = e;

			m.copy[copy][byte] ^= (uint8_t)(1U << (byte % 8));
			if (byte < 448 || byte >= 512)
				edit_checksum(m.copy[copy]);
			if ((parse(m.copy[0], sizeof(m.copy), &h, id) == 0) != (byte >= 104 && byte < 168))
				fail_msg("copy %d, byte %u: %s", copy, byte, *id ? id : "accepted");
			luks_header_clear(&h);
		}
	}
	edit_free(&e);
}

static void refused(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	struct luks_header h = LUKS_HEADER_INIT;
	char id[12];

	if (parse(data, len, &h, id) == 0)
		fail_msg("%s: accepted", what);
	luks_header_clear(&h);
}

static void test_without_checksum(void **state)
{
	struct edit e;

	edit_make(&e, SAMPLE_JSON, strlen(SAMPLE_JSON));
	mutate_truncations(e.copy[0], sizeof(e.copy), 509, refused, NULL);
	mutate_bit_flips(e.copy[0], 0, 300, sizeof(e.copy), refused, NULL);
	mutate_bit_flips(e.copy[0], 16384 + 4096, 16384 + 4096 + 64, sizeof(e.copy), refused, NULL);
	edit_free(&e);
}

/* Salts and the digest are the only free text of a header; iteration counts and the area's place have legal ranges. */
static json_t *without_free_text(json_t *root)
{
	json_t *kdf = json_object_get(json_object_get(json_object_get(root, "keyslots"), "0"), "kdf");
	json_t *digests = json_object_get(root, "digests");
	json_t *digest = json_incref(json_object_iter_value(json_object_iter(digests))); /* any name (C9) */

	json_object_clear(digests);
	json_object_set_new(digests, "0", digest);
	json_object_del(kdf, "salt");
	json_object_del(digest, "salt");
	json_object_del(digest, "digest");
	json_object_del(kdf, "iterations");
	json_object_del(digest, "iterations");
	json_object_del(json_object_get(json_object_get(json_object_get(root, "keyslots"), "0"), "area"), "offset");
	return root;
}

/* Every bit of the JSON flipped in both copies: what passes means what the sample means. */
static void test_json_flips(void **state)
{
	json_t *want = without_free_text(sample());
	unsigned int accepted = 0;
	size_t len = strlen(SAMPLE_JSON);

	for (size_t bit = 0; bit < len * 8; bit++) {
		char text[sizeof(SAMPLE_JSON)], id[12];
		struct luks_header h = LUKS_HEADER_INIT;
		struct edit e;

		memcpy(text, SAMPLE_JSON, sizeof(text));
		text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
		edit_make(&e, text, len);
		if (parse(e.copy[0], sizeof(e.copy), &h, id) == 0) {
			accepted++;
			if (!json_equal(without_free_text(h.json), want))
				fail_msg("bit %zu: accepted as %.80s", bit, text + (bit / 8 > 40 ? bit / 8 - 40 : 0));
		}
		luks_header_clear(&h);
		edit_free(&e);
	}
	assert_true(accepted > 100); /* most of the salts' bits */
	json_decref(want);
}

static void test_identity_vectors(void **state)
{
	uint8_t key[64], *area = malloc(258048);
	struct luks_header h = LUKS_HEADER_INIT;
	struct secret *s = NULL;
	struct luks_device dev;
	struct err *e = NULL;
	struct edit ed;
	char out[65];
	int fd;

	image_new("sample", SAMPLE_DATA_OFFSET);
	edit_make(&ed, SAMPLE_JSON, strlen(SAMPLE_JSON));
	edit_save(&ed, image_path("sample"));
	edit_free(&ed);
	memset(area, 0x5a, 258048);
	fd = open(image_path("sample"), O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, area, 258048, 32768), 258048);
	close(fd);
	free(area);
	image_device("sample", &dev);
	if (luks_header_read(&dev, &strict, &h, &e) < 0)
		fail_msg("%s", err_message(e));
	assert_int_equal(h.copied, 32768 + 258048);
	assert_int_equal(luks_header_id(&h, 0, out, NULL), 0);
	/* Computed once by another program from the words of contracts.md 1. */
	assert_string_equal(out, "512e64fdf5ede7ec173d064dfac5a2ce7814df3528fc7aff8b8f46ebd4c32272");
	assert_int_equal(luks_header_id(&h, 1, out, NULL), -1);
	for (int i = 0; i < 64; i++)
		key[i] = (uint8_t)i;
	assert_int_equal(secret_from(key, sizeof(key), &s, NULL), 0);
	assert_int_equal(luks_vk_id(s, "6F1C9D3E-0000-4000-8000-000000000001", "root", out, NULL), 0);
	assert_string_equal(out, "04e80b5d330a45d4b045d6e42c133e8ac09bf26209115b0deb23a898e0a975ba");
	assert_int_equal(luks_vk_id(s, h.uuid, "ro ot", out, NULL), -1);
	secret_free(s);
	luks_header_clear(&h);
	device_close(&dev);
}

/* A device that ends too early, and one that lies about its size. */
static void test_short_device(void **state)
{
	const struct {
		size_t size;
		uint64_t claimed;
		const char *id;
		enum err_class cls;
	} cases[] = { { 100, 100, "H1", ERR_INTEGRITY },
		      { 40000, 40000, "H3", ERR_INTEGRITY },
		      { 40000, SAMPLE_DATA_OFFSET, "device-unreadable", ERR_DEVICE } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct luks_header h = LUKS_HEADER_INIT;
		struct luks_device dev;
		struct err *e = NULL;
		struct edit ed;

		image_new("short", cases[i].size);
		edit_make(&ed, SAMPLE_JSON, strlen(SAMPLE_JSON));
		edit_save(&ed, image_path("short"));
		edit_free(&ed);
		assert_int_equal(truncate(image_path("short"), (off_t)cases[i].size), 0);
		image_device("short", &dev);
		dev.size = cases[i].claimed;
		assert_int_equal(luks_header_read(&dev, &strict, &h, &e), -1);
		assert_string_equal(err_id(e), cases[i].id);
		assert_int_equal(err_class(e), cases[i].cls);
		err_free(e);
		device_close(&dev);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample_passes),	 cmocka_unit_test(test_whitelist),
		cmocka_unit_test(test_limits),		 cmocka_unit_test(test_keyslot_number),
		cmocka_unit_test(test_findings_bounded), cmocka_unit_test(test_binary_flips),
		cmocka_unit_test(test_without_checksum), cmocka_unit_test(test_json_flips),
		cmocka_unit_test(test_identity_vectors), cmocka_unit_test(test_short_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
