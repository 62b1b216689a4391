/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* H6: what is encrypted, how and where. The one check that stops null ciphers (A2, A3), weak IVs (A6) and moved data (A7). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "luks/audit.h"

static void check_integrity(struct audit *a, const json_t *v)
{
	static const char *const required[] = { "type", "journal_encryption", "journal_integrity", NULL };
	static const char *const optional[] = { "key_size", NULL };
	static const char *const hmac[] = { "hmac(sha256)", NULL };
	static const char *const none[] = { "none", NULL };

	audit_base(a, "segments.0");
	if (!v) {
		if (a->policy->integrity == INTEGRITY_HMAC_SHA256)
			audit_fail(a, "H6", "integrity", NULL, "hmac(sha256), by configuration");
		return;
	}
	if (a->policy->integrity == INTEGRITY_NONE) {
		audit_fail(a, "H6", "integrity", v, "absent, by configuration");
		return;
	}
	audit_base(a, "segments.0.integrity");
	if (!audit_members(a, "H6", v, required, optional))
		return;
	audit_str_in(a, "H6", v, "type", hmac);
	audit_str_in(a, "H6", v, "journal_encryption", none);
	audit_str_in(a, "H6", v, "journal_integrity", none);
	/* Written by newer cryptsetup; it must say what hmac(sha256) has anyway. */
	if (json_object_get(v, "key_size"))
		audit_int(a, "H6", v, "key_size", 32, 32, NULL);
}

static void check_sector_size(struct audit *a, const json_t *seg)
{
	const json_t *v = json_object_get(seg, "sector_size");
	json_int_t n = json_integer_value(v);
	char text[64];

	if (!v)
		return;
	if (a->policy->sector_size) {
		snprintf(text, sizeof(text), "%u, by configuration", a->policy->sector_size);
		if (!json_is_integer(v) || n != (json_int_t)a->policy->sector_size)
			audit_fail(a, "H6", "sector_size", v, text);
	} else if (!json_is_integer(v) || (n != 512 && n != 4096)) {
		audit_fail(a, "H6", "sector_size", v, "512, 4096");
	}
}

void audit_segments(struct audit *a, const json_t *root, uint64_t data_offset)
{
	static const char *const required[] = { "type", "offset", "size", "iv_tweak", "encryption", "sector_size", NULL };
	static const char *const optional[] = { "integrity", NULL };
	static const char *const crypt[] = { "crypt", NULL };
	static const char *const ciphers[] = { "aes-xts-plain64", NULL };
	static const char *const dynamic[] = { "dynamic", NULL };
	static const char *const zero[] = { "0", NULL }; /* the only segment's name, and where its IV begins */
	const json_t *segments = json_object_get(root, "segments"), *seg;
	char want[24];
	uint64_t offset;

	audit_base(a, "segments");
	if (!audit_members(a, "H6", segments, zero, NULL))
		return;
	seg = json_object_get(segments, "0");
	audit_base(a, "segments.0");
	audit_members(a, "H6", seg, required, optional);
	if (!json_is_object(seg))
		return;
	audit_str_in(a, "H6", seg, "type", crypt);
	audit_str_in(a, "H6", seg, "encryption", ciphers);
	audit_str_in(a, "H6", seg, "size", dynamic);
	audit_str_in(a, "H6", seg, "iv_tweak", zero);
	snprintf(want, sizeof(want), "\"%" PRIu64 "\"", data_offset);
	if (audit_u64_text(a, "H6", seg, "offset", &offset) && offset != data_offset)
		audit_fail(a, "H6", "offset", json_object_get(seg, "offset"), want);
	check_sector_size(a, seg);
	check_integrity(a, json_object_get(seg, "integrity"));
}

bool header_has_integrity(const json_t *root)
{
	return json_object_get(json_object_get(json_object_get(root, "segments"), "0"), "integrity") != NULL;
}
