/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "wire/init_data.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "wire/toml.h"
#include "wire/wire_err.h"

#define INIT_DATA_KEYS_MAX 256

struct reading {
	struct init_data d;
	bool have_version, have_algorithm, in_data;
	size_t count;
};

static int append(char ***v, const char *s, struct err **err)
{
	bool failed = false;

	*v = strv_append(*v, s, &failed);
	return failed ? err_nomem(err) : 0;
}

static int take_data(struct reading *r, const struct toml_entry *e, struct err **err)
{
	if (init_data_get(&r->d, e->key))
		return err_set(err, ERR_INTEGRITY, "init-data", "key %s appears twice", e->key);
	if (r->count++ == INIT_DATA_KEYS_MAX)
		return err_set(err, ERR_INTEGRITY, "init-data", "more than %d keys", INIT_DATA_KEYS_MAX);
	if (append(&r->d.keys, e->key, err) < 0 || append(&r->d.values, e->value, err) < 0)
		return -1;
	return 0;
}

static int take_top(struct reading *r, const struct toml_entry *e, struct err **err)
{
	if (strcmp(e->key, "version") == 0 && !r->have_version) {
		r->have_version = true;
		if (strcmp(e->value, "0.1.0") != 0)
			return err_set(err, ERR_INTEGRITY, "init-data", "version %.16s, only 0.1.0 is known", e->value);
		return 0;
	}
	if (strcmp(e->key, "algorithm") == 0 && !r->have_algorithm) {
		r->have_algorithm = true;
		return digest_by_name(e->value, &r->d.alg, err);
	}
	return err_set(err, ERR_INTEGRITY, "init-data", "unexpected or repeated key %s", e->key);
}

static int take_entry(const struct toml_entry *e, void *ctx, struct err **err)
{
	struct reading *r = ctx;

	if (e->key)
		return r->in_data ? take_data(r, e, err) : take_top(r, e, err);
	if (strcmp(e->table, "data") != 0 || r->in_data)
		return err_set(err, ERR_INTEGRITY, "init-data", "unexpected or repeated table [%s]", e->table);
	r->in_data = true;
	return 0;
}

static int read_text(const char *text, size_t len, struct reading *r, struct err **err)
{
	if (len > INIT_DATA_MAX)
		return err_set(err, ERR_INTEGRITY, "init-data", "%zu bytes, at most %d", len, INIT_DATA_MAX);
	if (toml_parse(text, len, take_entry, r, err) < 0)
		return -1;
	if (!r->have_version || !r->have_algorithm || !r->in_data)
		return err_set(err, ERR_INTEGRITY, "init-data", "version, algorithm or [data] is missing");
	return digest_bytes(r->d.alg, text, len, r->d.digest, err);
}

int init_data_parse(const char *text, size_t len, struct init_data *ret, struct err **err)
{
	struct reading r = { 0 };
	struct err *cause = NULL;

	if (read_text(text, len, &r, &cause) < 0) {
		init_data_clear(&r.d);
		return wire_err(err, "init-data", cause, "init-data");
	}
	*ret = r.d;
	return 0;
}

const char *init_data_get(const struct init_data *d, const char *key)
{
	for (size_t i = 0; d->keys && d->keys[i]; i++)
		if (strcmp(d->keys[i], key) == 0)
			return d->values[i];
	return NULL;
}

bool init_data_matches(const struct init_data *d, const uint8_t *field, size_t len)
{
	size_t size = digest_size(d->alg), n = size < len ? size : len;

	return memcmp(d->digest, field, n) == 0 && all_zero(field + n, len - n);
}

void init_data_clear(struct init_data *d)
{
	strv_free(d->keys);
	strv_free(d->values);
	memset(d, 0, sizeof(*d));
}
