/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "wire/runtime_data.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "wire/json.h"

static void put_number(struct buf *b, const uint8_t *n, size_t len)
{
	char text[2 * KEY_MODULUS_MAX];

	b64_encode(B64_URL, n, len, text);
	buf_puts(b, text);
}

/*
 * Section 3.3: clients of 0.1.0 hash the bare texts one after another. Where the nonce ends must not be the other side's
 * choice: whoever knows our modulus n can make a modulus of its own that ends in n and has known factors, and by a nonce
 * "N || the rest of it" would have our report certify that key for the nonce N of a real broker.
 */
static int put_concatenated(struct buf *b, const char *nonce, const struct jwk *jwk, struct err **err)
{
	uint8_t bytes[32];
	size_t n = 0;

	if (strlen(nonce) != 44 || b64_decode(B64_STD, nonce, 44, bytes, sizeof(bytes), &n, NULL) < 0 || n != sizeof(bytes))
		return err_set(err, ERR_INTEGRITY, "runtime-data", "the nonce of KBS protocol 0.1.0 is not the base64 of 32 bytes");
	if (!jwk->key.rsa)
		return err_set(err, ERR_CONFIG, "kbs-version", "KBS protocol 0.1.0 knows RSA keys only");
	buf_puts(b, nonce);
	put_number(b, jwk->key.n, jwk->key.n_len);
	put_number(b, jwk->key.e, jwk->key.e_len);
	return buf_check(b, err);
}

/* The object that is hashed has three members; the runtime-data that is sent has two (3.1, pitfall 2). */
static int put_object(struct buf *b, enum kbs_protocol protocol, const char *nonce, const struct jwk *jwk,
		      const char *additional_evidence, struct err **err)
{
	_cleanup_json_ json_t *obj = json_object(), *key = NULL;

	if (!obj)
		return err_nomem(err);
	if (jwk_to_json(jwk, &key, err) < 0)
		return -1;
	if (protocol >= KBS_0_4_0 &&
	    json_object_set_new(obj, "additional-evidence", json_string(additional_evidence)) < 0)
		return err_set(err, ERR_INTEGRITY, "runtime-data", "additional evidence is not UTF-8");
	if (json_object_set_new(obj, "nonce", json_string(nonce)) < 0)
		return err_set(err, ERR_INTEGRITY, "runtime-data", "nonce is not UTF-8");
	if (json_object_set(obj, "tee-pubkey", key) < 0)
		return err_nomem(err);
	return json_canonical(obj, b, err);
}

static int put_text(struct buf *b, enum kbs_protocol protocol, const char *nonce, const struct jwk *jwk,
		    const char *additional_evidence, struct err **err)
{
	if (protocol == KBS_0_1_0)
		return put_concatenated(b, nonce, jwk, err);
	return put_object(b, protocol, nonce, jwk, additional_evidence, err);
}

int runtime_data_text(enum kbs_protocol protocol, const char *nonce, const struct jwk *jwk,
		      const char *additional_evidence, char **ret, struct err **err)
{
	_cleanup_buf_ struct buf b = BUF_INIT(4 * KBS_BODY_MAX);
	char *text;

	if (put_text(&b, protocol, nonce, jwk, additional_evidence, err) < 0)
		return -1;
	text = buf_take_str(&b);
	if (!text)
		return err_nomem(err);
	*ret = text;
	return 0;
}

int runtime_data_report_data(enum kbs_protocol protocol, enum digest_alg alg, const char *nonce, const struct jwk *jwk,
			     const char *additional_evidence, uint8_t out[static 64], struct err **err)
{
	_cleanup_buf_ struct buf b = BUF_INIT(4 * KBS_BODY_MAX);
	uint8_t digest[DIGEST_MAX] = { 0 };

	if (put_text(&b, protocol, nonce, jwk, additional_evidence, err) < 0 ||
	    digest_bytes(alg, b.data, b.len, digest, err) < 0)
		return -1;
	memcpy(out, digest, sizeof(digest)); /* a shorter digest leaves the zeros of its initialiser */
	return 0;
}
