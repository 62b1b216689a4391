/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What json_parse_bytes() read, as plain JSON again: every value of bytes becomes the array that it came from. A new reference. */
#ifndef CRYPTATTEST_TESTS_JSON_EXPAND_H
#define CRYPTATTEST_TESTS_JSON_EXPAND_H

#include "wire/json.h"

static inline json_t *json_expand(const json_t *v)
{
	const uint8_t *bytes;
	const char *key;
	json_t *member, *ret = NULL;
	size_t n, i;

	if (json_bytes(v, &bytes, &n)) {
		ret = json_array();
		for (i = 0; i < n; i++)
			json_array_append_new(ret, json_integer(bytes[i]));
	} else if (json_is_array(v)) {
		ret = json_array();
		json_array_foreach(v, i, member)
			json_array_append_new(ret, json_expand(member));
	} else if (json_is_object(v)) {
		ret = json_object();
		json_object_foreach((json_t *)v, key, member)
			json_object_set_new_nocheck(ret, key, json_expand(member));
	}
	return ret ? ret : json_deep_copy(v);
}

#endif
