/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "wire/jwk.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "wire/json.h"
#include "wire/wire_err.h"

static const struct {
	const char *name;
	bool rsa;
} algs[] = {
	[JWK_RSA_OAEP_256] = { "RSA-OAEP-256", true },
	[JWK_RSA1_5] = { "RSA1_5", true },
	[JWK_ECDH_A256KW] = { "ECDH-ES+A256KW", false },
};

const char *jwk_alg_name(enum jwk_alg alg)
{
	return algs[alg].name;
}

static const char *curve_name(const struct public_key *key)
{
	return key->curve_bits == 256 ? "P-256" : "P-521";
}

static int add_text(json_t *obj, const char *name, const char *text, struct err **err)
{
	if (json_object_set_new(obj, name, json_string(text)) < 0)
		return err_nomem(err);
	return 0;
}

static int add_number(json_t *obj, const char *name, const uint8_t *n, size_t len, struct err **err)
{
	_cleanup_free_ char *text = b64_encode_dup(B64_URL, n, len);

	if (!text)
		return err_nomem(err);
	return add_text(obj, name, text, err);
}

int jwk_key_to_json(const struct public_key *key, const char *alg, json_t **ret, struct err **err)
{
	_cleanup_json_ json_t *obj = json_object();

	if (!obj)
		return err_nomem(err);
	if (alg && add_text(obj, "alg", alg, err) < 0)
		return -1;
	if (key->rsa) {
		if (add_number(obj, "e", key->e, key->e_len, err) < 0 || add_text(obj, "kty", "RSA", err) < 0 ||
		    add_number(obj, "n", key->n, key->n_len, err) < 0)
			return -1;
	} else {
		if (add_text(obj, "crv", curve_name(key), err) < 0 || add_text(obj, "kty", "EC", err) < 0 ||
		    add_number(obj, "x", key->x, key->coord_len, err) < 0 ||
		    add_number(obj, "y", key->y, key->coord_len, err) < 0)
			return -1;
	}
	*ret = TAKE_PTR(obj);
	return 0;
}

int jwk_to_json(const struct jwk *jwk, json_t **ret, struct err **err)
{
	return jwk_key_to_json(&jwk->key, algs[jwk->alg].name, ret, err);
}

/* RFC 7518 6.3.1.1: no leading zero octet. */
static int get_number(const json_t *obj, const char *name, uint8_t *out, size_t cap, size_t *ret_len, struct err **err)
{
	const char *text;
	size_t len;

	if (json_get_str(obj, "key", name, &text, err) < 0)
		return -1;
	if (b64_decode(B64_URL, text, strlen(text), out, cap, &len, err) < 0)
		return err_wrap(err, "member %s", name);
	if (len == 0 || out[0] == 0)
		return err_set(err, ERR_INTEGRITY, "jwk", "member %s starts with a zero byte or is empty", name);
	*ret_len = len;
	return 0;
}

static int get_coordinate(const json_t *obj, const char *name, size_t width, uint8_t *out, struct err **err)
{
	const char *text;
	size_t len;

	if (json_get_str(obj, "key", name, &text, err) < 0)
		return -1;
	if (b64_decode(B64_URL, text, strlen(text), out, width, &len, err) < 0)
		return err_wrap(err, "member %s", name);
	if (len != width)
		return err_set(err, ERR_INTEGRITY, "jwk", "member %s is %zu bytes wide, the curve needs %zu", name, len, width);
	return 0;
}

static int get_ec(const json_t *obj, struct public_key *key, struct err **err)
{
	const char *crv;

	if (json_get_str(obj, "key", "crv", &crv, err) < 0)
		return -1;
	if (strcmp(crv, "P-256") == 0)
		key->curve_bits = 256;
	else if (strcmp(crv, "P-521") == 0)
		key->curve_bits = 521;
	else
		return err_set(err, ERR_INTEGRITY, "jwk", "curve %.32s is not supported", crv);
	key->coord_len = (key->curve_bits + 7) / 8;
	if (get_coordinate(obj, "x", key->coord_len, key->x, err) < 0 ||
	    get_coordinate(obj, "y", key->coord_len, key->y, err) < 0)
		return -1;
	return 0;
}

/* n has no leading zero byte, so its length and first byte give its bits. */
static int check_modulus(const struct public_key *key, struct err **err)
{
	if (key->n_len < 256 || (key->n_len == 256 && !(key->n[0] & 0x80)))
		return err_set(err, ERR_INTEGRITY, "jwk", "RSA modulus of less than 2048 bits");
	return 0; /* the buffer ends at 4096 bits */
}

static int get_key(const json_t *obj, struct public_key *key, struct err **err)
{
	const char *kty;

	if (json_get_str(obj, "key", "kty", &kty, err) < 0)
		return -1;
	if (strcmp(kty, "RSA") == 0) {
		key->rsa = true;
		if (get_number(obj, "n", key->n, sizeof(key->n), &key->n_len, err) < 0 ||
		    get_number(obj, "e", key->e, sizeof(key->e), &key->e_len, err) < 0 || check_modulus(key, err) < 0)
			return -1;
	} else if (strcmp(kty, "EC") == 0) {
		if (get_ec(obj, key, err) < 0)
			return -1;
	} else {
		return err_set(err, ERR_INTEGRITY, "jwk", "key type %.32s is not supported", kty);
	}
	return 0;
}

int jwk_key_from_json(const json_t *obj, struct public_key *ret, struct err **err)
{
	struct public_key key = { 0 };
	struct err *cause = NULL;

	if (get_key(obj, &key, &cause) < 0)
		return wire_err(err, "jwk", cause, "public key");
	*ret = key;
	return 0;
}

static int get_alg(const json_t *obj, enum jwk_alg *ret, struct err **err)
{
	const char *name;

	if (json_get_str(obj, "key", "alg", &name, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(algs); i++) {
		if (strcmp(name, algs[i].name) != 0)
			continue;
		*ret = (enum jwk_alg)i;
		return 0;
	}
	return err_set(err, ERR_INTEGRITY, "jwk", "algorithm %.32s is not supported", name);
}

int jwk_from_json(const json_t *obj, struct jwk *ret, struct err **err)
{
	struct err *cause = NULL;
	struct jwk jwk = { 0 };

	if (get_alg(obj, &jwk.alg, &cause) < 0)
		return wire_err(err, "jwk", cause, "public key");
	if (jwk_key_from_json(obj, &jwk.key, err) < 0)
		return -1;
	if (jwk.key.rsa != algs[jwk.alg].rsa)
		return err_set(err, ERR_INTEGRITY, "jwk", "public key: algorithm %s does not fit its key type",
			       algs[jwk.alg].name);
	*ret = jwk;
	return 0;
}
