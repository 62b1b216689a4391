/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* H5 (top level, config) and H11 (tokens). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "luks/audit.h"

/* A11: flags that libcryptsetup 2.6 knows. Under compat they may stand there; activation ignores them (K5). */
static const char *const known_flags[] = { "allow-discards",	     "same-cpu-crypt",	    "submit-from-crypt-cpus", "no-journal",
					   "no-read-workqueue", "no-write-workqueue", NULL };
/* C9: token types whose presence compat takes. Their content is never read, their handlers are never loaded (A13). Types that make
 * stock tools act on a host-chosen name (luks2-keyring) are not among them. */
static const char *const known_tokens[] = { "clevis",	       "systemd-tpm2",	    "systemd-fido2",
					    "systemd-pkcs11", "systemd-recovery", NULL };

static bool is_one_of(const json_t *v, const char *const *list)
{
	const char *s = json_string_value(v);

	for (; s && *list; list++)
		if (json_string_length(v) == strlen(*list) && strcmp(s, *list) == 0)
			return true;
	return false;
}

static void check_flags(struct audit *a, const json_t *flags)
{
	size_t i;
	json_t *v;

	if (!flags)
		return;
	if (!json_is_array(flags)) {
		audit_fail(a, "H5", "flags", flags, "absent");
		return;
	}
	json_array_foreach(flags, i, v) {
		if (!is_one_of(v, known_flags)) {
			audit_fail(a, "H5", "flags", v, "absent");
			return;
		}
	}
	audit_fail_strict(a, "H5", "flags", flags, "absent");
}

/* H5 */
static void check_config(struct audit *a, const json_t *root, uint64_t data_offset)
{
	static const char *const top[] = { "keyslots", "tokens", "segments", "digests", "config", NULL };
	static const char *const required[] = { "json_size", "keyslots_size", NULL };
	static const char *const optional[] = { "flags", NULL };
	const json_t *config = json_object_get(root, "config");
	uint64_t n;
	char want[24];

	audit_base(a, "%s", "");
	audit_members(a, "H5", root, top, NULL);
	audit_base(a, "config");
	/* requirements (re-encryption and other states) are refused as any unknown member: A12. */
	audit_members(a, "H5", config, required, optional);
	if (!json_is_object(config))
		return;
	if (audit_u64_text(a, "H5", config, "json_size", &n) && n != HDR_SIZE - HDR_BIN_SIZE)
		audit_fail(a, "H5", "json_size", json_object_get(config, "json_size"), "\"12288\"");
	snprintf(want, sizeof(want), "\"%" PRIu64 "\"", data_offset - HDR_BOTH);
	if (audit_u64_text(a, "H5", config, "keyslots_size", &n) && n != data_offset - HDR_BOTH)
		audit_fail(a, "H5", "keyslots_size", json_object_get(config, "keyslots_size"), want);
	check_flags(a, json_object_get(config, "flags"));
}

/* H11 */
static void check_tokens(struct audit *a, const json_t *root)
{
	const json_t *tokens = json_object_get(root, "tokens");
	const char *name;
	json_t *token;

	audit_base(a, "tokens");
	if (!tokens)
		return; /* H5 has said so */
	if (!audit_object(a, "H11", NULL, tokens))
		return;
	json_object_foreach((json_t *)tokens, name, token) {
		const json_t *type = json_object_get(token, "type");

		audit_base(a, "tokens.%s", name);
		if (is_one_of(type, known_tokens))
			audit_fail_strict(a, "H11", "type", type, "no tokens");
		else
			audit_fail(a, "H11", "type", type, "no tokens");
	}
}

void audit_json(struct audit *a, const json_t *json, uint64_t data_offset)
{
	check_config(a, json, data_offset);
	audit_segments(a, json, data_offset);
	audit_keyslots(a, json, data_offset);
	audit_digests(a, json);
	check_tokens(a, json);
}
