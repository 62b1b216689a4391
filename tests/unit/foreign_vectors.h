/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Foreign tokens for the tests of their parsers: the corpus of the fuzz target. systemd-pcrs, -pin, -signed, -signed-alone were written by
 * systemd-cryptenroll 252 and clevis-pcrs, -no-pcrs, -rsa, -sss, -known by clevis 19, on a software TPM that is gone; the others are these,
 * in the form of other versions.
 */
#ifndef CRYPTATTEST_TESTS_FOREIGN_VECTORS_H
#define CRYPTATTEST_TESTS_FOREIGN_VECTORS_H

#include "tests/lib/check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/text.h"
#include "tests/lib/mutate.h"
#include "vtpm/foreign.h"
#include "wire/json.h"

static inline char *vector_text(const char *name, size_t *ret_len)
{
	const char *top = getenv("TOP_SRCDIR");
	_cleanup_free_ char *path = text_printf("%s/tests/fuzz/corpus/foreign_token/%s", top ? top : ".", name);
	char *text = NULL;

	assert_non_null(path);
	assert_ok(file_read(AT_FDCWD, path, 65536, ERR_INTERNAL, &text, ret_len, &_err));
	return text;
}

static inline json_t *vector_json(const char *name)
{
	size_t len;
	_cleanup_free_ char *text = vector_text(name, &len);
	json_t *obj = NULL;

	assert_ok(json_parse(text, len, 65536, false, &obj, &_err));
	return obj;
}

static inline void vector(const char *name, enum foreign_kind kind, struct foreign_token *ret)
{
	_cleanup_json_ json_t *obj = vector_json(name);

	assert_ok(foreign_token_parse(obj, kind, ret, &_err));
}

static inline void vector_fails(const char *name, enum foreign_kind kind, enum err_class cls, const char *id, const char *words)
{
	_cleanup_json_ json_t *obj = vector_json(name);
	_cleanup_err_ struct err *e = NULL;
	struct foreign_token k;

	assert_int_equal(foreign_token_parse(obj, kind, &k, &e), -1);
	assert_int_equal(err_class(e), cls);
	assert_string_equal(err_id(e), id);
	if (!strstr(err_message(e), words))
		fail_msg("%s: \"%s\" is not in: %s", name, words, err_message(e));
}

/* Takes obj. */
static inline void refused(json_t *obj, enum foreign_kind kind, const char *what)
{
	_cleanup_err_ struct err *e = NULL;
	struct foreign_token k;

	if (foreign_token_parse(obj, kind, &k, &e) == 0)
		fail_msg("%s: accepted", what);
	assert_int_equal(err_class(e), ERR_INTEGRITY);
	assert_string_equal(err_id(e), "foreign-token");
	json_decref(obj);
}

/* What every token that parses is, whatever was done to it. */
static inline void assert_bounded(const struct foreign_token *k)
{
	assert_true(k->keyslot >= 0 && k->keyslot < 32);
	assert_true(k->pub.len > 0 && k->pub.len <= SEALED_PART_MAX);
	assert_true(k->priv.len > 0 && k->priv.len <= SEALED_PART_MAX);
	assert_true((k->pcrs | k->signed_pcrs) < 1u << PCR_COUNT);
	assert_true(k->salt_len <= FOREIGN_SALT_MAX);
	assert_true(!k->signer_pem || k->signed_pcrs);
}

static inline void mutated(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	const enum foreign_kind *kind = ctx;
	_cleanup_err_ struct err *e = NULL;
	_cleanup_json_ json_t *obj = NULL;
	struct foreign_token k;

	(void)what;
	if (json_parse((const char *)data, len, 65536, false, &obj, NULL) < 0)
		return;
	if (foreign_token_parse(obj, *kind, &k, &e) < 0) {
		assert_true(err_class(e) == ERR_INTEGRITY || err_class(e) == ERR_TPM);
		return;
	}
	assert_bounded(&k);
	foreign_token_clear(&k);
}

static inline void mutate_vector(const char *name, enum foreign_kind kind)
{
	size_t len;
	_cleanup_free_ char *text = vector_text(name, &len);

	mutate_bit_flips((const uint8_t *)text, 0, len, len, mutated, &kind);
	mutate_truncations((const uint8_t *)text, len, 1, mutated, &kind);
}

#endif
