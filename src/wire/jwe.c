/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "wire/jwe.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"
#include "crypto/aead.h"
#include "wire/json.h"
#include "wire/wire_err.h"

void jwe_clear(struct jwe *jwe)
{
	free(jwe->protected_text);
	free(jwe->encrypted_key);
	free(jwe->iv);
	free(jwe->ciphertext);
	free(jwe->tag);
	memset(jwe, 0, sizeof(*jwe));
}

static int take_member(const json_t *obj, const char *name, char **ret, struct err **err)
{
	const char *text;

	if (json_get_str(obj, "response", name, &text, err) < 0)
		return -1;
	if (strlen(text) > JWE_MEMBER_MAX)
		return err_set(err, ERR_INTEGRITY, "jwe", "member %s is longer than %d bytes", name, JWE_MEMBER_MAX);
	*ret = text_dup(text);
	return *ret ? 0 : err_nomem(err);
}

static int parse_members(const char *text, size_t len, struct jwe *jwe, struct err **err)
{
	_cleanup_json_ json_t *obj = NULL;

	if (json_parse(text, len, JWE_TEXT_MAX, false, &obj, err) < 0 ||
	    take_member(obj, "protected", &jwe->protected_text, err) < 0 ||
	    take_member(obj, "encrypted_key", &jwe->encrypted_key, err) < 0 ||
	    take_member(obj, "iv", &jwe->iv, err) < 0 || take_member(obj, "ciphertext", &jwe->ciphertext, err) < 0 ||
	    take_member(obj, "tag", &jwe->tag, err) < 0)
		return -1;
	/* It would be authenticated beside the header (RFC 7516 5.2 step 15); no KBS sends it (4.2). */
	if (json_object_get(obj, "aad"))
		return err_set(err, ERR_INTEGRITY, "jwe", "member aad is not supported");
	return 0;
}

int jwe_parse(const char *text, size_t len, struct jwe *ret, struct err **err)
{
	struct jwe jwe = { 0 };
	struct err *cause = NULL;

	if (parse_members(text, len, &jwe, &cause) < 0) {
		jwe_clear(&jwe);
		return wire_err(err, "jwe", cause, "encrypted response");
	}
	*ret = jwe;
	return 0;
}

/* Members that change how a JWE is processed and that we do not implement: ignoring one would be wrong. */
static int refuse_unsupported(const json_t *header, struct err **err)
{
	static const char *const names[] = { "crit", "zip", "apu", "apv" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (json_object_get(header, names[i]))
			return err_set(err, ERR_INTEGRITY, "jwe", "header member %s is not supported", names[i]);
	return 0;
}

static int read_header(const struct jwe *jwe, enum jwk_alg alg, bool old_form, json_t **ret, struct err **err)
{
	_cleanup_json_ json_t *header = NULL;
	const char *text = jwe->protected_text, *found;
	size_t len = strlen(text);
	uint8_t decoded[JWE_HEADER_MAX];

	if (!old_form) {
		if (b64_decode(B64_URL, text, len, decoded, sizeof(decoded), &len, err) < 0)
			return -1;
		text = (const char *)decoded;
	}
	if (json_parse(text, len, JWE_HEADER_MAX, false, &header, err) < 0 ||
	    json_get_str(header, "header", "enc", &found, err) < 0)
		return -1;
	if (strcmp(found, "A256GCM") != 0)
		return err_set(err, ERR_INTEGRITY, "jwe", "content encryption %.32s is not A256GCM", found);
	if (json_get_str(header, "header", "alg", &found, err) < 0)
		return -1;
	if (strcmp(found, jwk_alg_name(alg)) != 0)
		return err_set(err, ERR_INTEGRITY, "jwe", "algorithm %.32s is not our key's %s", found, jwk_alg_name(alg));
	if (refuse_unsupported(header, err) < 0)
		return -1;
	*ret = TAKE_PTR(header);
	return 0;
}

static int ecdh_key(const json_t *header, const struct keypair *kp, const void *wrapped, size_t len, struct secret **ret,
		    struct err **err)
{
	_cleanup_secret_ struct secret *z = NULL, *kek = NULL;
	struct public_key epk;
	json_t *obj;

	if (json_get_obj(header, "header", "epk", &obj, err) < 0 || jwk_key_from_json(obj, &epk, err) < 0 ||
	    keypair_ecdh(kp, &epk, &z, err) < 0 || ecdh_concat_kdf(z, jwk_alg_name(JWK_ECDH_A256KW), &kek, err) < 0)
		return -1;
	return aes_key_unwrap(kek, wrapped, len, ret, err);
}

/* The content key, exactly 32 bytes. */
static int content_key(const struct jwe *jwe, const json_t *header, const struct keypair *kp, enum jwk_alg alg,
		       struct secret **ret, struct err **err)
{
	_cleanup_secret_ struct secret *key = NULL;
	uint8_t wrapped[KEY_MODULUS_MAX];
	size_t len;
	int r;

	if (b64_decode(B64_URL, jwe->encrypted_key, strlen(jwe->encrypted_key), wrapped, sizeof(wrapped), &len, err) < 0)
		return -1;
	if (alg == JWK_ECDH_A256KW)
		r = ecdh_key(header, kp, wrapped, len, &key, err);
	else
		r = keypair_rsa_decrypt(kp, alg == JWK_RSA_OAEP_256, wrapped, len, &key, err);
	if (r < 0)
		return -1;
	if (secret_len(key) != 32)
		return err_set(err, ERR_INTEGRITY, "jwe", "content key of %zu bytes, not 32", secret_len(key));
	*ret = TAKE_PTR(key);
	return 0;
}

/* iv 12 bytes, tag 16; in the old form the tag is the end of the ciphertext (4.4). *ret_len excludes the tag. */
static int sealed_parts(const struct jwe *jwe, bool old_form, uint8_t iv[static 12], uint8_t tag[static 16], uint8_t **ret,
			size_t *ret_len, struct err **err)
{
	_cleanup_free_ uint8_t *ct = NULL;
	size_t len = 0, n = 0;

	if (b64_decode(B64_URL, jwe->iv, strlen(jwe->iv), iv, 12, &n, err) < 0)
		return -1;
	if (n != 12)
		return err_set(err, ERR_INTEGRITY, "jwe", "iv of %zu bytes, not 12", n);
	if (b64_decode_dup(B64_URL, jwe->ciphertext, strlen(jwe->ciphertext), &ct, &len, err) < 0)
		return -1;
	if (!old_form) {
		if (b64_decode(B64_URL, jwe->tag, strlen(jwe->tag), tag, 16, &n, err) < 0)
			return -1;
	} else {
		if (*jwe->tag)
			return err_set(err, ERR_INTEGRITY, "jwe", "a tag beside the ciphertext in the old form");
		n = len < 16 ? 0 : 16;
		len -= n;
		memcpy(tag, ct + len, n);
	}
	if (n != 16)
		return err_set(err, ERR_INTEGRITY, "jwe", "no tag of 16 bytes");
	if (len > JWE_PLAIN_MAX)
		return err_set(err, ERR_INTEGRITY, "jwe", "plaintext of %zu bytes, at most %d", len, JWE_PLAIN_MAX);
	*ret = TAKE_PTR(ct);
	*ret_len = len;
	return 0;
}

static int decrypt(const struct jwe *jwe, const struct keypair *kp, enum jwk_alg alg, bool old_form, struct secret **ret,
		   struct err **err)
{
	_cleanup_json_ json_t *header = NULL;
	_cleanup_secret_ struct secret *key = NULL;
	_cleanup_free_ uint8_t *ct = NULL;
	uint8_t iv[12], tag[16];
	size_t ct_len = 0;

	if (old_form && alg != JWK_RSA1_5)
		return err_set(err, ERR_INTEGRITY, "jwe", "the old form knows RSA1_5 only");
	/* Everything that can be judged without the key first: what fails after it must all look alike (RSA1_5). */
	if (read_header(jwe, alg, old_form, &header, err) < 0 ||
	    sealed_parts(jwe, old_form, iv, tag, &ct, &ct_len, err) < 0 ||
	    content_key(jwe, header, kp, alg, &key, err) < 0)
		return -1;
	return aes256gcm_open(key, iv, jwe->protected_text, old_form ? 0 : strlen(jwe->protected_text), ct, ct_len, tag, ret,
			      err);
}

int jwe_decrypt(const struct jwe *jwe, const struct keypair *kp, enum jwk_alg alg, bool old_form, struct secret **ret,
		struct err **err)
{
	struct err *cause = NULL;

	if (decrypt(jwe, kp, alg, old_form, ret, &cause) < 0)
		return wire_err(err, "jwe", cause, "encrypted response");
	return 0;
}
