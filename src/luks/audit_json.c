/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Typed access to host-written JSON: each helper takes exactly what is asked for, or adds a finding. An absent member is
 * reported once, by audit_members(), which every object goes through; the typed helpers then only return false.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "luks/audit.h"

static bool in_list(const char *const *list, const char *s)
{
	for (; list && *list; list++)
		if (strcmp(*list, s) == 0)
			return true;
	return false;
}

static void join_list(const char *const *list, char *out, size_t cap)
{
	size_t len = 0;

	*out = 0;
	for (; *list && len < cap; list++)
		len += (size_t)snprintf(out + len, cap - len, "%s\"%s\"", len ? ", " : "", *list);
}

bool audit_object(struct audit *a, const char *id, const char *member, const json_t *v)
{
	if (json_is_object(v))
		return true;
	audit_fail(a, id, member, v, "an object");
	return false;
}

bool audit_members(struct audit *a, const char *id, const json_t *obj, const char *const *required,
		   const char *const *optional)
{
	const char *key;
	json_t *value;
	bool ok = true;

	if (!audit_object(a, id, NULL, obj))
		return false;
	for (const char *const *r = required; *r; r++) {
		if (json_object_get(obj, *r))
			continue;
		audit_fail(a, id, *r, NULL, "must be present");
		ok = false;
	}
	json_object_foreach((json_t *)obj, key, value) {
		if (in_list(required, key) || in_list(optional, key))
			continue;
		audit_fail(a, id, key, value, "no such member");
		ok = false;
	}
	return ok;
}

const char *audit_str_in(struct audit *a, const char *id, const json_t *obj, const char *member,
			 const char *const *allowed)
{
	const json_t *v = json_object_get(obj, member);
	const char *s = json_string_value(v);
	char text[128];

	/* A string with an inner NUL is cut by string_value: the lengths must agree too. */
	if (s && json_string_length(v) == strlen(s) && in_list(allowed, s))
		return s;
	if (!v)
		return NULL;
	join_list(allowed, text, sizeof(text));
	audit_fail(a, id, member, v, text);
	return NULL;
}

bool audit_int(struct audit *a, const char *id, const json_t *obj, const char *member, uint64_t min, uint64_t max,
	       uint64_t *ret)
{
	const json_t *v = json_object_get(obj, member);
	json_int_t i = json_integer_value(v);
	char text[64];

	if (json_is_integer(v) && i >= 0 && (uint64_t)i >= min && (uint64_t)i <= max) {
		if (ret)
			*ret = (uint64_t)i;
		return true;
	}
	if (!v)
		return false;
	if (min == max)
		snprintf(text, sizeof(text), "%" PRIu64, min);
	else
		snprintf(text, sizeof(text), "%" PRIu64 "..%" PRIu64, min, max);
	audit_fail(a, id, member, v, text);
	return false;
}

bool json_u64_text(const json_t *v, uint64_t *ret)
{
	const char *s = json_string_value(v);
	uint64_t n = 0;
	size_t len;

	if (!s)
		return false;
	len = json_string_length(v);
	if (len == 0 || len > 19 || (s[0] == '0' && len > 1))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(s[i] - '0');
	}
	*ret = n;
	return true;
}

bool audit_u64_text(struct audit *a, const char *id, const json_t *obj, const char *member, uint64_t *ret)
{
	const json_t *v = json_object_get(obj, member);

	if (json_u64_text(v, ret))
		return true;
	if (v)
		audit_fail(a, id, member, v, "a decimal number as string");
	return false;
}

size_t json_base64_len(const json_t *obj, const char *member)
{
	const json_t *v = json_object_get(obj, member);
	uint8_t out[96];
	size_t n = 0;

	if (!json_is_string(v) || json_string_length(v) > 128)
		return 0;
	if (b64_decode(B64_STD, json_string_value(v), json_string_length(v), out, sizeof(out), &n, NULL) < 0)
		return 0;
	return n;
}

bool audit_base64(struct audit *a, const char *id, const json_t *obj, const char *member, size_t len)
{
	char text[48];

	if (json_base64_len(obj, member) == len)
		return true;
	snprintf(text, sizeof(text), "base64 of %zu bytes", len);
	if (json_object_get(obj, member))
		audit_fail(a, id, member, json_object_get(obj, member), text);
	return false;
}

const json_t *json_only_member(const json_t *obj, const char **ret_name)
{
	void *it;

	if (!json_is_object(obj) || json_object_size(obj) != 1)
		return NULL;
	it = json_object_iter((json_t *)obj);
	if (ret_name)
		*ret_name = json_object_iter_key(it);
	return json_object_iter_value(it);
}

bool audit_name_is_number(const char *name)
{
	uint64_t n = 0;
	size_t len = strlen(name);

	if (len == 0 || len > 2 || (len == 2 && name[0] == '0'))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(name[i] - '0');
	}
	return n < LUKS_KEYSLOTS_MAX;
}
