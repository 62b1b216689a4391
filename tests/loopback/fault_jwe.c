/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Encrypted answers: the form of 0.1.x, which our own server does not make, and good ones spoiled in one member. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "crypto/aead.h"
#include "crypto/digest.h"
#include "tests/loopback/faultkbs.h"
#include "wire/jwe.h"
#include "wire/json.h"

static void must(bool ok)
{
	if (!ok)
		abort();
}

static json_t *b64_member(const void *data, size_t len)
{
	_cleanup_free_ char *text = b64_encode_dup(B64_URL, data, len);

	must(text != NULL);
	return json_string(text);
}

/* kbs-protocol.md 4.4: the header as plain JSON, the tag behind the ciphertext, no additional data. */
static char *old_form(const struct jwk *to, const char *secret, size_t len)
{
	_cleanup_json_ json_t *j = json_object();
	_cleanup_secret_ struct secret *cek = NULL;
	_cleanup_free_ uint8_t *ct = malloc(len + 16);
	uint8_t iv[12], wrapped[KEY_MODULUS_MAX];
	size_t n = 0;

	must(ct && secret_new(32, &cek, NULL) == 0);
	secret_set_len(cek, 32);
	must(random_bytes(secret_data(cek), 32, NULL) == 0 && random_bytes(iv, sizeof(iv), NULL) == 0);
	must(aes256gcm_seal(cek, iv, "", 0, secret, len, ct, ct + len, NULL) == 0);
	must(public_key_rsa_encrypt(&to->key, false, secret_cdata(cek), 32, wrapped, sizeof(wrapped), &n, NULL) == 0);
	json_object_set_new(j, "protected", json_string("{\"alg\":\"RSA1_5\",\"enc\":\"A256GCM\"}"));
	json_object_set_new(j, "encrypted_key", b64_member(wrapped, n));
	json_object_set_new(j, "iv", b64_member(iv, sizeof(iv)));
	json_object_set_new(j, "ciphertext", b64_member(ct, len + 16));
	json_object_set_new(j, "tag", json_string(""));
	return json_dumps(j, JSON_COMPACT);
}

static void spoil_header(json_t *jwe, const char *how)
{
	const char *old = json_string_value(json_object_get(jwe, "protected"));
	_cleanup_free_ uint8_t *raw = NULL;
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *h = NULL;
	json_t *epk;
	size_t n;

	must(b64_decode_dup(B64_URL, old, strlen(old), &raw, &n, NULL) == 0);
	h = json_loadb((char *)raw, n, 0, NULL);
	epk = json_object_get(h, "epk");
	if (strcmp(how, "jwe-alg") == 0)
		json_object_set_new(h, "alg", json_string("RSA1_5"));
	else if (strcmp(how, "jwe-enc") == 0)
		json_object_set_new(h, "enc", json_string("A128GCM"));
	else /* x twice: no point of the curve */
		json_object_set(epk, "y", json_object_get(epk, "x"));
	text = json_dumps(h, JSON_COMPACT);
	json_object_set_new(jwe, "protected", b64_member(text, strlen(text)));
}

static void spoil_bytes(json_t *jwe, const char *member, bool cut)
{
	const char *old = json_string_value(json_object_get(jwe, member));
	_cleanup_free_ uint8_t *raw = NULL;
	size_t n;

	must(b64_decode_dup(B64_URL, old, strlen(old), &raw, &n, NULL) == 0 && n > 0);
	raw[n - 1] ^= 1;
	json_object_set_new(jwe, member, b64_member(raw, cut ? n - 1 : n));
}

char *fault_jwe(const struct jwk *to, enum kbs_protocol p, const char *secret, size_t len, const char *action)
{
	_cleanup_json_ json_t *j = NULL;
	_cleanup_free_ char *text = NULL;

	if (p < KBS_0_2_0)
		return old_form(to, secret, len);
	must(jwe_encrypt(to, secret, len, &text, NULL) == 0);
	j = json_loads(text, 0, NULL);
	if (strcmp(action, "jwe-tag") == 0)
		spoil_bytes(j, "tag", false);
	else if (strcmp(action, "jwe-short") == 0)
		spoil_bytes(j, "ciphertext", true);
	else if (strcmp(action, "jwe-alg") == 0 || strcmp(action, "jwe-enc") == 0 || strcmp(action, "jwe-epk") == 0)
		spoil_header(j, action);
	return json_dumps(j, JSON_COMPACT);
}
