/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The audit over the JSON of hand-made headers: whitelist semantics, limits. Needs no cryptsetup. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "luks/audit.h"
#include "tests/headers/sample.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample_passes),  cmocka_unit_test(test_whitelist),	cmocka_unit_test(test_limits),
		cmocka_unit_test(test_keyslot_number), cmocka_unit_test(test_findings_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
