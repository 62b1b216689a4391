/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* H9 and H10: costs bounded before any KDF runs (A10), one digest of full length over every keyslot and the segment (A17). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "luks/audit.h"

#define PBKDF2_MIN 1000
#define PBKDF2_MAX 20000000
#define ARGON2_MEMORY_MAX 1048576 /* KiB */

static const char *const hashes[] = { "sha256", "sha512", NULL };

static void check_pbkdf2(struct audit *a, const json_t *kdf)
{
	static const char *const required[] = { "type", "hash", "iterations", "salt", NULL };

	audit_members(a, "H9", kdf, required, NULL);
	audit_str_in(a, "H9", kdf, "hash", hashes);
	audit_int(a, "H9", kdf, "iterations", PBKDF2_MIN, PBKDF2_MAX, NULL);
	audit_base64(a, "H9", kdf, "salt", 32);
}

/* MemAvailable in KiB, 0 when the kernel does not say. */
static uint64_t memory_available(const struct luks_policy *policy)
{
	_cleanup_fclose_ FILE *f = NULL;
	uint64_t kib = 0;
	char line[128];

	if (policy->memory_available_kib)
		return policy->memory_available_kib;
	f = fopen("/proc/meminfo", "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib) == 1)
			break;
	return kib;
}

static void check_argon2(struct audit *a, const json_t *kdf)
{
	static const char *const required[] = { "type", "time", "memory", "cpus", "salt", NULL };
	uint64_t max = ARGON2_MEMORY_MAX, available = memory_available(a->policy);

	/* Half of what is free, so that a header cannot call the OOM killer. */
	if (available && available / 2 < max)
		max = available / 2;
	audit_members(a, "H9", kdf, required, NULL);
	audit_int(a, "H9", kdf, "time", 1, 16, NULL);
	audit_int(a, "H9", kdf, "memory", 32, max > 32 ? max : 32, NULL);
	audit_int(a, "H9", kdf, "cpus", 1, 4, NULL);
	audit_base64(a, "H9", kdf, "salt", 32);
}

void audit_kdf(struct audit *a, const char *slot, const json_t *kdf)
{
	const json_t *v = json_object_get(kdf, "type");
	const char *type = json_string_value(v);

	if (!kdf)
		return;
	audit_base(a, "keyslots.%s.kdf", slot);
	if (!audit_object(a, "H9", NULL, kdf))
		return;
	if (type && json_string_length(v) == strlen(type)) {
		if (strcmp(type, "pbkdf2") == 0) {
			check_pbkdf2(a, kdf);
			return;
		}
		if (strcmp(type, "argon2id") == 0) {
			check_argon2(a, kdf);
			return;
		}
		if (strcmp(type, "argon2i") == 0) {
			audit_fail_strict(a, "H9", "type", v, "\"argon2id\", \"pbkdf2\"");
			check_argon2(a, kdf);
			return;
		}
	}
	audit_fail(a, "H9", "type", v, "\"argon2id\", \"pbkdf2\"");
}

/* Both are arrays of names: the digest must speak for exactly these. */
static bool same_names(const json_t *array, const json_t *object)
{
	size_t i, n = json_array_size(array);
	json_t *v;

	if (!json_is_array(array) || n != json_object_size(object))
		return false;
	json_array_foreach(array, i, v) {
		const char *s = json_string_value(v);

		if (!s || strlen(s) != json_string_length(v) || !json_object_get(object, s))
			return false;
		for (size_t j = 0; j < i; j++)
			if (json_equal(v, json_array_get(array, j)))
				return false;
	}
	return true;
}

static void check_digest_value(struct audit *a, const json_t *digest, const char *hash)
{
	size_t want = hash && strcmp(hash, "sha512") == 0 ? 64 : 32, len = json_base64_len(digest, "digest");
	const json_t *v = json_object_get(digest, "digest");
	char text[48];

	if (len == want || !v)
		return;
	snprintf(text, sizeof(text), "base64 of %zu bytes", want);
	/* Conversion from LUKS1 keeps its 20 bytes (C9). */
	if (len == 20)
		audit_fail_strict(a, "H10", "digest", v, text);
	else
		audit_fail(a, "H10", "digest", v, text);
}

void audit_digests(struct audit *a, const json_t *root)
{
	static const char *const required[] = { "type", "keyslots", "segments", "hash", "iterations", "salt", "digest", NULL };
	static const char *const pbkdf2[] = { "pbkdf2", NULL };
	const json_t *digests = json_object_get(root, "digests"), *digest;
	const char *name = NULL, *hash;
	char count[24];

	audit_base(a, "digests");
	if (!digests)
		return; /* H5 has said so */
	if (!audit_object(a, "H10", NULL, digests))
		return;
	/* Under any name: re-encryption renames it (C9). */
	digest = json_only_member(digests, &name);
	if (!digest) {
		snprintf(count, sizeof(count), "%zu digests", json_object_size(digests));
		audit_fail_text(a, "H10", NULL, count, "exactly one");
		return;
	}
	audit_base(a, "digests.%s", name);
	if (!audit_name_is_number(name))
		audit_fail_text(a, "H10", NULL, "an unknown name", "\"0\" to \"31\"");
	audit_members(a, "H10", digest, required, NULL);
	if (!json_is_object(digest))
		return;
	audit_str_in(a, "H10", digest, "type", pbkdf2);
	if (!same_names(json_object_get(digest, "keyslots"), json_object_get(root, "keyslots")))
		audit_fail(a, "H10", "keyslots", json_object_get(digest, "keyslots"), "every keyslot once");
	if (!same_names(json_object_get(digest, "segments"), json_object_get(root, "segments")))
		audit_fail(a, "H10", "segments", json_object_get(digest, "segments"), "[\"0\"]");
	hash = audit_str_in(a, "H10", digest, "hash", hashes);
	audit_int(a, "H10", digest, "iterations", PBKDF2_MIN, PBKDF2_MAX, NULL);
	audit_base64(a, "H10", digest, "salt", 32);
	check_digest_value(a, digest, hash);
}
