/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* H7 (sizes) and H8 (keyslots): null keyslots (A1), short keys (A9), areas outside the header, re-encryption slots (A12). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "luks/audit.h"

struct area {
	uint64_t offset, size;
};

static uint64_t round_up(uint64_t n)
{
	return (n + 4095) / 4096 * 4096;
}

/* H7. Returns the key size for the size of the area, 0 when it is not a number. */
static uint64_t check_key_size(struct audit *a, const json_t *slot, bool integrity)
{
	uint64_t want = integrity ? 96 : 64, n = 0;

	if (!audit_int(a, "H7", slot, "key_size", 1, 1024, &n))
		return 0;
	if (n == want)
		return n;
	/* A LUKS1 volume of default size, converted: AES-128 in XTS mode. */
	if (!integrity && n == 32)
		audit_fail_strict(a, "H7", "key_size", json_object_get(slot, "key_size"), "64");
	else
		audit_fail(a, "H7", "key_size", json_object_get(slot, "key_size"), integrity ? "96" : "64");
	return n;
}

static void check_af(struct audit *a, const char *name, const json_t *af)
{
	static const char *const required[] = { "type", "stripes", "hash", NULL };
	static const char *const luks1[] = { "luks1", NULL };
	static const char *const hashes[] = { "sha256", "sha512", NULL };

	if (!af)
		return;
	audit_base(a, "keyslots.%s.af", name);
	audit_members(a, "H8", af, required, NULL);
	audit_str_in(a, "H8", af, "type", luks1);
	audit_int(a, "H8", af, "stripes", 4000, 4000, NULL);
	audit_str_in(a, "H8", af, "hash", hashes);
}

static void check_place(struct audit *a, const json_t *area, uint64_t key_size, uint64_t data_offset, struct area *ret)
{
	char want[80];
	uint64_t offset, size;

	if (audit_u64_text(a, "H8", area, "size", &size) && key_size && size != round_up(key_size * 4000)) {
		snprintf(want, sizeof(want), "\"%" PRIu64 "\"", round_up(key_size * 4000));
		audit_fail(a, "H8", "size", json_object_get(area, "size"), want);
		return;
	}
	if (!audit_u64_text(a, "H8", area, "offset", &offset) || !json_u64_text(json_object_get(area, "size"), &size))
		return;
	if (offset % 4096 != 0 || offset < HDR_BOTH || offset > data_offset || size > data_offset - offset) {
		snprintf(want, sizeof(want), "a multiple of 4096 from 32768, area inside %" PRIu64, data_offset);
		audit_fail(a, "H8", "offset", json_object_get(area, "offset"), want);
		return;
	}
	*ret = (struct area){ offset, size };
}

static void check_area(struct audit *a, const char *name, const json_t *area, uint64_t key_size, uint64_t data_offset,
		       struct area *ret)
{
	static const char *const required[] = { "type", "offset", "size", "encryption", "key_size", NULL };
	static const char *const raw[] = { "raw", NULL };
	static const char *const ciphers[] = { "aes-xts-plain64", NULL };
	const json_t *v = json_object_get(area, "key_size");

	if (!area)
		return;
	audit_base(a, "keyslots.%s.area", name);
	audit_members(a, "H8", area, required, NULL);
	if (!json_is_object(area))
		return;
	audit_str_in(a, "H8", area, "type", raw);
	audit_str_in(a, "H8", area, "encryption", ciphers);
	if (v && json_is_integer(v) && json_integer_value(v) == 32)
		audit_fail_strict(a, "H7", "key_size", v, "64");
	else
		audit_int(a, "H7", area, "key_size", 64, 64, NULL);
	check_place(a, area, key_size, data_offset, ret);
}

static void check_slot(struct audit *a, const char *name, const json_t *slot, bool integrity, uint64_t data_offset,
		       struct area *ret)
{
	static const char *const required[] = { "type", "key_size", "af", "area", "kdf", NULL };
	static const char *const optional[] = { "priority", NULL };
	static const char *const luks2[] = { "luks2", NULL };
	uint64_t key_size;

	audit_base(a, "keyslots.%s", name);
	if (!audit_name_is_number(name))
		audit_fail_text(a, "H8", NULL, "an unknown name", "keyslots \"0\" to \"31\"");
	audit_members(a, "H8", slot, required, optional);
	if (!json_is_object(slot))
		return;
	audit_str_in(a, "H8", slot, "type", luks2);
	if (json_object_get(slot, "priority"))
		audit_int(a, "H8", slot, "priority", 1, 2, NULL);
	key_size = check_key_size(a, slot, integrity);
	check_af(a, name, json_object_get(slot, "af"));
	check_area(a, name, json_object_get(slot, "area"), key_size, data_offset, ret);
	audit_kdf(a, name, json_object_get(slot, "kdf"));
}

static void check_overlap(struct audit *a, const struct area *areas, size_t n)
{
	audit_base(a, "keyslots");
	for (size_t i = 0; i < n; i++) {
		for (size_t j = i + 1; j < n; j++) {
			if (areas[i].offset < areas[j].offset + areas[j].size && areas[j].offset < areas[i].offset + areas[i].size) {
				audit_fail_text(a, "H8", "area", "overlapping", "one area per keyslot");
				return;
			}
		}
	}
}

void audit_keyslots(struct audit *a, const json_t *root, uint64_t data_offset)
{
	const json_t *slots = json_object_get(root, "keyslots");
	bool integrity = header_has_integrity(root);
	struct area areas[KEYSLOTS_MAX] = { 0 };
	const char *name;
	json_t *slot;
	size_t n = 0;
	char count[24];

	audit_base(a, "keyslots");
	if (!slots)
		return; /* H5 has said so */
	if (!audit_object(a, "H8", NULL, slots))
		return;
	if (json_object_size(slots) < 1 || json_object_size(slots) > KEYSLOTS_MAX) {
		snprintf(count, sizeof(count), "%zu keyslots", json_object_size(slots));
		audit_fail_text(a, "H8", NULL, count, "1..8");
		return;
	}
	json_object_foreach((json_t *)slots, name, slot)
		check_slot(a, name, slot, integrity, data_offset, &areas[n++]);
	check_overlap(a, areas, n);
}
