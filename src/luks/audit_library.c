/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The library's own view of the sealed copy: what it dumps equals what we audited (H4), and what it will use (H13). */
#include <inttypes.h>
#include <libcryptsetup.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "luks/audit.h"
#include "luks/context.h"
#include "wire/json.h"

static void want_text(struct audit *a, const char *member, const char *found, const char *want)
{
	if (!text_eq(found, want))
		audit_fail_text(a, "H13", member, found ? found : "none", want);
}

static void want_number(struct audit *a, const char *member, uint64_t found, uint64_t want)
{
	char f[24], w[24];

	if (found == want)
		return;
	snprintf(f, sizeof(f), "%" PRIu64, found);
	snprintf(w, sizeof(w), "%" PRIu64, want);
	audit_fail_text(a, "H13", member, f, w);
}

static uint64_t json_u64(const json_t *obj, const char *member)
{
	return (uint64_t)json_integer_value(json_object_get(obj, member));
}

static void check_dump(struct audit *a, struct crypt_device *cd, const struct luks_header *h)
{
	_cleanup_json_ json_t *dump = NULL;
	const char *text = NULL;

	audit_base(a, "header");
	if (crypt_dump_json(cd, &text, 0) < 0 || !text) {
		audit_fail_text(a, "H4", "json", "no dump", "crypt_dump_json()");
		return;
	}
	/* Equal as values; as text the two differ (contracts.md 1). */
	if (json_parse(text, strlen(text), HDR_SIZE, false, &dump, NULL) < 0 || !json_equal(dump, h->json))
		audit_fail_text(a, "H4", "json", "different in libcryptsetup", "the same values");
}

static void check_slot(struct audit *a, struct crypt_device *cd, const char *name, const json_t *slot)
{
	const json_t *kdf = json_object_get(slot, "kdf"), *area = json_object_get(slot, "area");
	struct crypt_pbkdf_type pbkdf = { 0 };
	int n = atoi(name);
	size_t key_size = 0;

	audit_base(a, "keyslots.%s", name);
	want_text(a, "area.encryption", crypt_keyslot_get_encryption(cd, n, &key_size),
		  json_string_value(json_object_get(area, "encryption")));
	want_number(a, "area.key_size", key_size, json_u64(area, "key_size"));
	want_number(a, "key_size", (uint64_t)crypt_keyslot_get_key_size(cd, n), json_u64(slot, "key_size"));
	if (crypt_keyslot_get_pbkdf(cd, n, &pbkdf) < 0) {
		audit_fail_text(a, "H13", "kdf", "unreadable", "as in the JSON");
		return;
	}
	want_text(a, "kdf.type", pbkdf.type, json_string_value(json_object_get(kdf, "type")));
	if (text_eq(pbkdf.type, "pbkdf2")) {
		want_text(a, "kdf.hash", pbkdf.hash, json_string_value(json_object_get(kdf, "hash")));
		want_number(a, "kdf.iterations", pbkdf.iterations, json_u64(kdf, "iterations"));
	} else {
		want_number(a, "kdf.time", pbkdf.iterations, json_u64(kdf, "time"));
		want_number(a, "kdf.memory", pbkdf.max_memory_kb, json_u64(kdf, "memory"));
		want_number(a, "kdf.cpus", pbkdf.parallel_threads, json_u64(kdf, "cpus"));
	}
}

static void check_flags(struct audit *a, struct crypt_device *cd)
{
	uint32_t flags = 0;

	if (crypt_persistent_flags_get(cd, CRYPT_FLAGS_REQUIREMENTS, &flags) < 0 || flags)
		audit_fail_text(a, "H13", "requirements", "set", "none");
	flags = 0;
	/* Under compat they may be there (H5), activation ignores them (K5). */
	if (crypt_persistent_flags_get(cd, CRYPT_FLAGS_ACTIVATION, &flags) < 0 || (flags && a->policy->profile != LUKS_COMPAT))
		audit_fail_text(a, "H13", "flags", "set", "none");
}

static void check_view(struct audit *a, struct crypt_device *cd, const struct luks_header *h)
{
	const json_t *seg = json_object_get(json_object_get(h->json, "segments"), "0"), *slots, *first;
	struct crypt_params_integrity ip = { 0 };
	bool integrity = header_has_integrity(h->json);
	char cipher[64];
	const char *name;
	json_t *slot;

	slots = json_object_get(h->json, "keyslots");
	first = json_object_iter_value(json_object_iter((json_t *)slots));
	audit_base(a, "library");
	want_text(a, "type", crypt_get_type(cd), CRYPT_LUKS2);
	want_number(a, "detached", (uint64_t)crypt_header_is_detached(cd), 1);
	snprintf(cipher, sizeof(cipher), "%s-%s", crypt_get_cipher(cd), crypt_get_cipher_mode(cd));
	want_text(a, "cipher", cipher, json_string_value(json_object_get(seg, "encryption")));
	want_number(a, "key_size", (uint64_t)crypt_get_volume_key_size(cd), json_u64(first, "key_size"));
	want_number(a, "sector_size", (uint64_t)crypt_get_sector_size(cd), json_u64(seg, "sector_size"));
	want_number(a, "offset", crypt_get_data_offset(cd) * 512, h->data_offset);
	if (!crypt_get_uuid(cd) || strcasecmp(crypt_get_uuid(cd), h->uuid) != 0)
		want_text(a, "uuid", crypt_get_uuid(cd), h->uuid);
	if (crypt_get_integrity_info(cd, &ip) < 0)
		audit_fail_text(a, "H13", "integrity", "unreadable", "as in the JSON");
	else
		want_text(a, "integrity", ip.integrity, integrity ? "hmac(sha256)" : NULL);
	check_flags(a, cd);
	json_object_foreach((json_t *)slots, name, slot)
		check_slot(a, cd, name, slot);
}

int audit_library(struct audit *a, const struct luks_header *h, const struct luks_device *dev,
		  struct crypt_device **ret_cd, struct err **err)
{
	_cleanup_context_ struct crypt_device *cd = NULL;
	_cleanup_err_ struct err *e = NULL;

	if (context_open(h, dev->path, &cd, &e) < 0) {
		if (err_class(e) != ERR_INTEGRITY)
			return err_propagate(err, TAKE_PTR(e));
		audit_base(a, "library");
		audit_fail_text(a, "H13", NULL, "refused by libcryptsetup", "a header that it loads");
		return 0;
	}
	check_dump(a, cd, h);
	check_view(a, cd, h);
	if (ret_cd)
		*ret_cd = TAKE_PTR(cd);
	return 0;
}
