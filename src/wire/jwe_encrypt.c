/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The server's half. Rust clients do not use the protected string that they receive as additional data: they parse it
 * and write it again as compact JSON with alg, enc, then the other members in alphabetical order (kbs-protocol.md 4.2).
 * So exactly that text is made here, and nothing else is ever put into the header.
 */
#include "wire/jwe.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "crypto/aead.h"
#include "crypto/digest.h"
#include "wire/json.h"

struct sealed_key {
	uint8_t data[KEY_MODULUS_MAX];
	size_t len;
};

static int wrap_rsa(const struct jwk *to, const struct secret *cek, struct sealed_key *ret, struct err **err)
{
	return public_key_rsa_encrypt(&to->key, to->alg == JWK_RSA_OAEP_256, secret_cdata(cek), secret_len(cek), ret->data,
				      sizeof(ret->data), &ret->len, err);
}

static void keypair_freep(struct keypair **kp)
{
	keypair_free(*kp);
}

static int wrap_ecdh(const struct jwk *to, const struct secret *cek, struct sealed_key *ret, json_t **ret_epk, struct err **err)
{
	_cleanup_(keypair_freep) struct keypair *ephemeral = NULL;
	_cleanup_secret_ struct secret *z = NULL, *kek = NULL;
	_cleanup_json_ json_t *epk = NULL;
	struct public_key pk;

	if (keypair_generate(to->key.curve_bits == 256 ? KEY_EC_P256 : KEY_EC_P521, &ephemeral, err) < 0)
		return -1;
	keypair_public(ephemeral, &pk);
	if (keypair_ecdh(ephemeral, &to->key, &z, err) < 0 || ecdh_concat_kdf(z, jwk_alg_name(to->alg), &kek, err) < 0 ||
	    aes_key_wrap(kek, cek, ret->data, sizeof(ret->data), &ret->len, err) < 0 ||
	    jwk_key_to_json(&pk, NULL, &epk, err) < 0)
		return -1;
	*ret_epk = TAKE_PTR(epk);
	return 0;
}

static int write_header(const struct jwk *to, const json_t *epk, char **ret, struct err **err)
{
	_cleanup_buf_ struct buf b = BUF_INIT(JWE_HEADER_MAX);

	buf_printf(&b, "{\"alg\":\"%s\",\"enc\":\"A256GCM\"", jwk_alg_name(to->alg));
	if (epk) {
		buf_puts(&b, ",\"epk\":");
		if (json_canonical(epk, &b, err) < 0)
			return -1;
	}
	buf_putc(&b, '}');
	if (buf_check(&b, err) < 0)
		return -1;
	*ret = b64_encode_dup(B64_URL, b.data, b.len);
	return *ret ? 0 : err_nomem(err);
}

static int put_member(struct buf *b, const char *name, const void *data, size_t len, struct err **err)
{
	_cleanup_free_ char *text = b64_encode_dup(B64_URL, data, len);

	if (!text)
		return err_nomem(err);
	buf_printf(b, ",\"%s\":\"", name);
	buf_puts(b, text);
	buf_putc(b, '"');
	return 0;
}

static int write_response(const char *header, const struct sealed_key *wrapped, const uint8_t iv[static 12],
			  const uint8_t *ct, size_t ct_len, const uint8_t tag[static 16], char **ret, struct err **err)
{
	_cleanup_buf_ struct buf b = BUF_INIT(JWE_TEXT_MAX);

	buf_printf(&b, "{\"protected\":\"%s\"", header);
	if (put_member(&b, "encrypted_key", wrapped->data, wrapped->len, err) < 0 ||
	    put_member(&b, "iv", iv, 12, err) < 0 || put_member(&b, "ciphertext", ct, ct_len, err) < 0 ||
	    put_member(&b, "tag", tag, 16, err) < 0)
		return -1;
	buf_putc(&b, '}');
	if (buf_check(&b, err) < 0)
		return -1;
	*ret = buf_take_str(&b);
	return *ret ? 0 : err_nomem(err);
}

int jwe_encrypt(const struct jwk *to, const void *plain, size_t len, char **ret_json, struct err **err)
{
	_cleanup_secret_ struct secret *cek = NULL;
	_cleanup_json_ json_t *epk = NULL;
	_cleanup_free_ char *header = NULL;
	_cleanup_free_ uint8_t *ct = NULL;
	struct sealed_key wrapped;
	uint8_t iv[12], tag[16];

	if (len > JWE_PLAIN_MAX)
		return err_set(err, ERR_INTERNAL, "jwe", "%zu bytes to encrypt, at most %d", len, JWE_PLAIN_MAX);
	ct = malloc(len ? len : 1);
	if (!ct)
		return err_nomem(err);
	if (secret_new(32, &cek, err) < 0 || random_bytes(secret_data(cek), 32, err) < 0 || random_bytes(iv, 12, err) < 0)
		return -1;
	secret_set_len(cek, 32);
	if ((to->key.rsa ? wrap_rsa(to, cek, &wrapped, err) : wrap_ecdh(to, cek, &wrapped, &epk, err)) < 0 ||
	    write_header(to, epk, &header, err) < 0 ||
	    aes256gcm_seal(cek, iv, header, strlen(header), plain, len, ct, tag, err) < 0)
		return -1;
	return write_response(header, &wrapped, iv, ct, len, tag, ret_json, err);
}
