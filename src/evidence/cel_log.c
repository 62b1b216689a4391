/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "evidence/cel_log.h"

#include <string.h>

#include "base/encode.h"
#include "base/text.h"
#include "wire/json.h"

#define RECORD_SEPARATOR '\x1e'

static const char *alg_name(enum tcg_alg alg, size_t *ret_size)
{
	switch (alg) {
	case TCG_SHA256:
		*ret_size = 32;
		return "sha256";
	case TCG_SHA384:
		*ret_size = 48;
		return "sha384";
	case TCG_SHA512:
		*ret_size = 64;
		return "sha512";
	default:
		*ret_size = 20;
		return "sha1";
	}
}

static int read_digest(json_t *list, enum tcg_alg alg, uint8_t *out, struct err **err)
{
	size_t size, i;
	const char *wanted = alg_name(alg, &size), *name, *hex;
	json_t *d;

	json_array_foreach(list, i, d) {
		if (json_get_str(d, "digest", "hashAlg", &name, err) < 0)
			return -1;
		if (!text_eq(name, wanted))
			continue;
		if (json_get_str(d, "digest", "digest", &hex, err) < 0)
			return -1;
		return hex_decode(hex, strlen(hex), out, size, err);
	}
	return err_set(err, ERR_INTEGRITY, "event-log", "a record has no %s digest", wanted);
}

static int read_record(const char *text, size_t len, enum tcg_alg alg, struct cel_event *ret, struct err **err)
{
	_cleanup_json_ json_t *root = NULL;
	struct cel_event ev = { 0 };
	const char *name;
	json_t *digests;
	uint64_t pcr;

	if (json_parse(text, len, CEL_RECORD_MAX, true, &root, err) < 0 ||
	    json_get_u64(root, "record", "pcr", 0, TCG_PCRS - 1, &pcr, err) < 0 ||
	    json_get_arr(root, "record", "digests", &digests, err) < 0 || read_digest(digests, alg, ev.digest, err) < 0)
		return -1;
	ev.pcr = (unsigned int)pcr;
	name = json_string_value(json_object_get(json_object_get(root, "content"), "string"));
	if (name)
		text_sanitise(name, strlen(name), ev.name, sizeof(ev.name));
	*ret = ev;
	return 0;
}

static bool blank(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!memchr(" \n\r\t", p[i], 4))
			return false;
	return true;
}

int cel_log_walk(const char *text, size_t len, enum tcg_alg alg, int (*fn)(void *ctx, const struct cel_event *ev, struct err **err),
		 void *ctx, struct err **err)
{
	const char *p = text, *const end = text + len;

	if (len > CEL_LOG_MAX)
		return err_set(err, ERR_INTEGRITY, "event-log", "user space's event log: %zu bytes, at most %zu", len, CEL_LOG_MAX);
	while (p < end) {
		const char *next = memchr(p, RECORD_SEPARATOR, (size_t)(end - p));
		size_t n = (size_t)((next ? next : end) - p);
		struct cel_event ev;

		if (!blank(p, n)) {
			struct err *e = NULL;

			if (read_record(p, n, alg, &ev, &e) < 0) {
				err_set(err, ERR_INTEGRITY, "event-log", "user space's event log, byte %zu: %s", (size_t)(p - text),
					err_message(e));
				err_free(e);
				return -1;
			}
			if (fn(ctx, &ev, err) < 0)
				return -1;
		}
		p = next ? next + 1 : end;
	}
	return 0;
}
