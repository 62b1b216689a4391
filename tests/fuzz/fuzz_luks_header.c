/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Header bytes through H1-H12. Input that begins with { is the JSON of both copies; anything else overwrites the start of a valid
 * header, with the checksums made right again. What passes must have the cipher, the places and the costs that we allow.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "luks/audit.h"
#include "tests/headers/edit.h"
#include "tests/headers/sample.h"

static size_t judge(const uint8_t *area, enum luks_profile profile, struct luks_header *h)
{
	struct luks_policy policy = { .profile = profile, .memory_available_kib = 1024 * 1024 };
	struct luks_findings f = { 0 };
	struct audit a;
	size_t n;

	audit_init(&a, &policy, &f);
	if (header_parse(&a, area, HDR_BOTH, h))
		audit_json(&a, h->json, h->data_offset);
	n = f.n;
	if (n > FINDINGS_MAX)
		abort();
	luks_findings_clear(&f);
	return n;
}

static const char *text_at(const json_t *obj, const char *member)
{
	const char *s = json_string_value(json_object_get(obj, member));

	return s ? s : "";
}

/* Said again in other words than the audit's. */
static void must_be_sound(const struct luks_header *h)
{
	json_t *seg = json_object_get(json_object_get(h->json, "segments"), "0"), *slot;
	const char *name;

	if (strcmp(text_at(seg, "encryption"), "aes-xts-plain64") != 0 || strcmp(text_at(seg, "type"), "crypt") != 0 ||
	    strtoull(text_at(seg, "offset"), NULL, 10) != h->data_offset || h->data_offset > DATA_OFFSET_MAX)
		abort();
	if (json_object_size(json_object_get(h->json, "keyslots")) > 8)
		abort();
	json_object_foreach(json_object_get(h->json, "keyslots"), name, slot) {
		const json_t *area = json_object_get(slot, "area"), *kdf = json_object_get(slot, "kdf");
		uint64_t off = strtoull(text_at(area, "offset"), NULL, 10), size = strtoull(text_at(area, "size"), NULL, 10);

		if (strcmp(text_at(area, "encryption"), "aes-xts-plain64") != 0 || off < HDR_BOTH || off + size > h->data_offset)
			abort();
		if (json_integer_value(json_object_get(kdf, "iterations")) > 20000000 ||
		    json_integer_value(json_object_get(kdf, "memory")) > 524288)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct luks_header strict = LUKS_HEADER_INIT, compat = LUKS_HEADER_INIT;
	struct edit e;
	size_t n;

	if (size > 0 && data[0] == '{') {
		if (size >= EDIT_HDR_SIZE - EDIT_BIN_SIZE)
			return 0;
		edit_make(&e, (const char *)data, size);
	} else {
		edit_make(&e, SAMPLE_JSON, strlen(SAMPLE_JSON));
		memcpy(e.copy, data, size < sizeof(e.copy) ? size : sizeof(e.copy));
		edit_checksum(e.copy[0]);
		edit_checksum(e.copy[1]);
	}
	n = judge(e.copy[0], LUKS_STRICT, &strict);
	if (n == 0)
		must_be_sound(&strict);
	if (judge(e.copy[0], LUKS_COMPAT, &compat) > n)
		abort(); /* compat takes all that strict takes */
	luks_header_clear(&strict);
	luks_header_clear(&compat);
	edit_free(&e);
	return 0;
}
