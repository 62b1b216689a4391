/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "wire/json.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* The usable size may exceed what was asked for; all of it is ours. No header in front of the block, so that blocks
 * from before the switch, and texts that a caller free()s, stay valid. */
static void wiping_free(void *p)
{
	if (p)
		wipe(p, malloc_usable_size(p));
	free(p);
}

void json_use_wiping_allocator(void)
{
	uint32_t seed = 0;

	json_set_alloc_funcs(malloc, wiping_free);
	/* For its hash tables; without one jansson reads /dev/urandom, which an initramfs may not have yet, or takes the time. */
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) == (ssize_t)sizeof(seed) && seed)
		json_object_seed(seed);
}

/* jansson's own message quotes the text near the error, which may be a passphrase: only our words are used. */
static const char *parse_problem(enum json_error_code code)
{
	switch (code) {
	case json_error_out_of_memory:
		return "out of memory";
	case json_error_stack_overflow:
		return "nested too deeply";
	case json_error_invalid_utf8:
		return "invalid UTF-8";
	case json_error_premature_end_of_input:
		return "ends too early";
	case json_error_end_of_input_expected:
		return "something follows the value";
	case json_error_null_character:
	case json_error_null_byte_in_key:
		return "NUL character in a string";
	case json_error_duplicate_key:
		return "duplicate member";
	case json_error_numeric_overflow:
		return "number out of range";
	default:
		return "syntax error";
	}
}

/* jansson recurses, so depth and the number of values are known before it sees the text. */
static int pre_scan(const char *text, size_t len, struct err **err)
{
	size_t depth = 0, values = 1;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
			continue;
		}
		if (c == '"')
			in_string = true;
		else if (c == '[' || c == '{')
			depth++;
		else if ((c == ']' || c == '}') && depth > 0)
			depth--;
		else if (c == ',' || c == ':')
			values++;
		if (depth > JSON_DEPTH_MAX)
			return err_set(err, ERR_INTEGRITY, "json", "nested more than %d levels deep", JSON_DEPTH_MAX);
		if (values > JSON_VALUES_MAX)
			return err_set(err, ERR_INTEGRITY, "json", "more than %d values", JSON_VALUES_MAX);
	}
	return 0;
}

/* Bounded by JSON_DEPTH_MAX. */
static bool has_real(const json_t *v)
{
	const char *key;
	json_t *member;
	size_t i;

	switch (json_typeof(v)) {
	case JSON_REAL:
		return true;
	case JSON_ARRAY:
		json_array_foreach(v, i, member)
			if (has_real(member))
				return true;
		return false;
	case JSON_OBJECT:
		json_object_foreach((json_t *)v, key, member)
			if (has_real(member))
				return true;
		return false;
	default:
		return false;
	}
}

int json_parse(const char *text, size_t len, size_t max, bool allow_real, json_t **ret, struct err **err)
{
	_cleanup_json_ json_t *v = NULL;
	json_error_t problem;
	enum json_error_code code;
	int line, column;

	if (len > max)
		return err_set(err, ERR_INTEGRITY, "json", "%zu bytes long, at most %zu are accepted", len, max);
	if (len == 0)
		return err_set(err, ERR_INTEGRITY, "json", "empty text where JSON is expected");
	if (memchr(text, 0, len))
		return err_set(err, ERR_INTEGRITY, "json", "NUL byte in JSON text");
	if (pre_scan(text, len, err) < 0)
		return -1;
	v = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &problem);
	if (!v) {
		code = json_error_code(&problem);
		line = problem.line;
		column = problem.column;
		wipe(&problem, sizeof(problem));
		if (code == json_error_out_of_memory)
			return err_nomem(err);
		return err_set(err, ERR_INTEGRITY, "json", "invalid JSON at line %d column %d: %s", line, column,
			       parse_problem(code));
	}
	if (!allow_real && has_real(v))
		return err_set(err, ERR_INTEGRITY, "json", "a number is not an integer");
	*ret = v;
	v = NULL;
	return 0;
}

static int get_member(const json_t *obj, const char *where, const char *key, json_t **ret, struct err **err)
{
	json_t *v;

	if (!json_is_object(obj))
		return err_set(err, ERR_INTEGRITY, "json", "%s is not an object", where);
	v = json_object_get(obj, key);
	if (!v)
		return err_set(err, ERR_INTEGRITY, "json", "%s has no member %s", where, key);
	*ret = v;
	return 0;
}

int json_get_str(const json_t *obj, const char *where, const char *key, const char **ret, struct err **err)
{
	json_t *v;

	if (get_member(obj, where, key, &v, err) < 0)
		return -1;
	/* Bytes of json_parse_bytes() are an array to everybody but those who ask for them. */
	if (!json_is_string(v) || json_string_value(v)[0] == 1)
		return err_set(err, ERR_INTEGRITY, "json", "%s: %s is not a string", where, key);
	*ret = json_string_value(v);
	return 0;
}

int json_get_u64(const json_t *obj, const char *where, const char *key, uint64_t min, uint64_t max, uint64_t *ret,
		 struct err **err)
{
	json_int_t n;
	json_t *v;

	if (get_member(obj, where, key, &v, err) < 0)
		return -1;
	if (!json_is_integer(v))
		return err_set(err, ERR_INTEGRITY, "json", "%s: %s is not an integer", where, key);
	n = json_integer_value(v);
	if (n < 0 || (uint64_t)n < min || (uint64_t)n > max)
		return err_set(err, ERR_INTEGRITY, "json", "%s: %s is %" JSON_INTEGER_FORMAT ", not within %" PRIu64 "..%" PRIu64,
			       where, key, n, min, max);
	*ret = (uint64_t)n;
	return 0;
}

int json_get_obj(const json_t *obj, const char *where, const char *key, json_t **ret, struct err **err)
{
	json_t *v;

	if (get_member(obj, where, key, &v, err) < 0)
		return -1;
	if (!json_is_object(v))
		return err_set(err, ERR_INTEGRITY, "json", "%s: %s is not an object", where, key);
	*ret = v;
	return 0;
}

int json_get_arr(const json_t *obj, const char *where, const char *key, json_t **ret, struct err **err)
{
	json_t *v;

	if (get_member(obj, where, key, &v, err) < 0)
		return -1;
	if (!json_is_array(v))
		return err_set(err, ERR_INTEGRITY, "json", "%s: %s is not an array", where, key);
	*ret = v;
	return 0;
}
