/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "vtpm/clevis_token.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "crypto/aead.h"
#include "vtpm/foreign_token_impl.h"
#include "wire/json.h"
#include "wire/wire_err.h"

#define HEADER_MAX 6144 /* of the JWE, decoded */
#define PASSPHRASE_MAX 1024
#define JWK_KEY_LEN 32

static int take_jwe(const json_t *token, const char **ret_protected, struct foreign_token *k, struct err **err)
{
	const json_t *jwe = json_object_get(token, "jwe");
	struct sealed_bytes iv = { 0 }, tag = { 0 };
	const char *cipher, *iv_text, *tag_text, *key;
	int rc = 0;

	if (!json_is_object(jwe))
		return foreign_bad(err, "jwe is no object");
	if (foreign_text(jwe, "protected", ret_protected, err) < 0 || foreign_text(jwe, "ciphertext", &cipher, err) < 0 ||
	    foreign_text(jwe, "iv", &iv_text, err) < 0 || foreign_text(jwe, "tag", &tag_text, err) < 0 ||
	    foreign_text(jwe, "encrypted_key", &key, err) < 0)
		return -1;
	if (key && *key)
		return foreign_bad(err, "jwe has an encrypted key, which \"dir\" has not");
	if (foreign_bytes(B64_URL, cipher, "ciphertext", PASSPHRASE_MAX, &k->ciphertext, err) < 0 ||
	    foreign_bytes(B64_URL, iv_text, "iv", sizeof(k->iv), &iv, err) < 0 ||
	    foreign_bytes(B64_URL, tag_text, "tag", sizeof(k->tag), &tag, err) < 0)
		rc = -1;
	else if (iv.len != sizeof(k->iv) || tag.len != sizeof(k->tag))
		rc = foreign_bad(err, "iv or tag has not the length of A256GCM's");
	if (rc == 0) {
		memcpy(k->iv, iv.data, sizeof(k->iv));
		memcpy(k->tag, tag.data, sizeof(k->tag));
	}
	free(iv.data);
	free(tag.data);
	return rc;
}

static int check_algorithms(const json_t *header, struct err **err)
{
	const char *alg, *enc;

	if (foreign_text(header, "alg", &alg, err) < 0 || foreign_text(header, "enc", &enc, err) < 0)
		return -1;
	return text_eq(alg, "dir") && text_eq(enc, "A256GCM") ? 0 : foreign_bad(err, "the JWE is not dir with A256GCM");
}

/* Other pins are tokens of the same type. */
static int pin_of(const json_t *header, const json_t **ret, struct err **err)
{
	const json_t *clevis = json_object_get(header, "clevis");
	const char *pin;

	if (foreign_text(clevis, "pin", &pin, err) < 0)
		return -1;
	if (text_eq(pin, "sss"))
		return foreign_unsupported(err, "shared secrets (pin sss), with or without a TPM among them, are not supported");
	if (text_eq(pin, "tang"))
		return foreign_unsupported(err, "bound to a tang server, not to the TPM");
	*ret = json_object_get(clevis, "tpm2");
	if (!text_eq(pin, "tpm2") || !json_is_object(*ret))
		return foreign_bad(err, "no clevis pin of a known kind");
	return 0;
}

/* The list as a string since 2018; some writers keep the array of their configuration. */
static int take_pcrs(const json_t *pin, struct foreign_token *k, struct err **err)
{
	const json_t *ids = json_object_get(pin, "pcr_ids");
	const char *bank;

	if (!ids)
		return 0;
	if (foreign_text(pin, "pcr_bank", &bank, err) < 0)
		return -1;
	if (!bank || pcr_bank_by_name(bank, &k->bank, NULL) < 0)
		return foreign_bad(err, "pcr_bank is not the name of a PCR bank");
	k->has_bank = true;
	if (json_is_array(ids))
		return foreign_pcr_list(ids, "pcr_ids", &k->pcrs, err);
	if (!json_is_string(ids) || pcr_mask_parse(json_string_value(ids), &k->pcrs, NULL) < 0 || !k->pcrs)
		return foreign_bad(err, "pcr_ids is not a list of PCRs that are usable in a policy");
	return 0;
}

static int take_pin(const json_t *pin, struct foreign_token *k, struct err **err)
{
	const char *hash, *key, *pub, *priv, *name;
	json_t *v;

	json_object_foreach((json_t *)pin, name, v)
		if (text_starts(name, "policy_"))
			return foreign_unsupported(err, "policies of clevis-pin-tpm2, the program in Rust, are not supported");
	if (foreign_text(pin, "hash", &hash, err) < 0 || foreign_text(pin, "key", &key, err) < 0 || foreign_text(pin, "jwk_pub", &pub, err) < 0 ||
	    foreign_text(pin, "jwk_priv", &priv, err) < 0)
		return -1;
	if (!text_eq(hash, "sha256"))
		return foreign_unsupported(err, "only the hash sha256, clevis's default, is supported");
	if (!text_eq(key, "ecc") && !text_eq(key, "rsa"))
		return foreign_unsupported(err, "only the keys ecc, clevis's default, and rsa are supported");
	k->parent = text_eq(key, "rsa") ? FOREIGN_LEGACY_RSA : FOREIGN_LEGACY_ECC;
	if (foreign_bytes(B64_URL, pub, "jwk_pub", SEALED_PART_MAX, &k->pub, err) < 0 ||
	    foreign_bytes(B64_URL, priv, "jwk_priv", SEALED_PART_MAX, &k->priv, err) < 0)
		return -1;
	return take_pcrs(pin, k, err);
}

static int take_header(const char *text, size_t len, struct foreign_token *k, struct err **err)
{
	_cleanup_json_ json_t *header = NULL;
	struct err *cause = NULL;
	const json_t *pin = NULL;

	if (json_parse(text, len, HEADER_MAX, false, &header, &cause) < 0)
		return wire_err(err, "foreign-token", cause, "header of the JWE");
	if (!json_is_object(header))
		return foreign_bad(err, "the header of the JWE is no object");
	if (pin_of(header, &pin, err) < 0 || check_algorithms(header, err) < 0)
		return -1;
	return take_pin(pin, k, err);
}

int clevis_token_parse(const json_t *token, struct foreign_token *ret, struct err **err)
{
	struct sealed_bytes header = { 0 };
	const char *protected_text;
	int rc;

	if (take_jwe(token, &protected_text, ret, err) < 0 ||
	    foreign_bytes(B64_URL, protected_text, "protected", HEADER_MAX, &header, err) < 0)
		return -1;
	rc = take_header((const char *)header.data, header.len, ret, err);
	free(header.data);
	if (rc < 0)
		return -1;
	ret->protected_text = text_dup(protected_text);
	return ret->protected_text ? 0 : err_nomem(err);
}

/* {"alg":"A256GCM","k":base64url,"kty":"oct",...} */
static int key_of(const struct secret *jwk, struct secret **ret, struct err **err)
{
	_cleanup_secret_ struct secret *key = NULL;
	_cleanup_json_ json_t *obj = NULL;
	const char *k, *kty;
	size_t n;

	if (json_parse((const char *)secret_cdata(jwk), secret_len(jwk), secret_len(jwk), false, &obj, NULL) < 0 || !json_is_object(obj))
		return err_set(err, ERR_INTEGRITY, "foreign-secret", "what the TPM unsealed is no JSON Web Key");
	k = json_string_value(json_object_get(obj, "k"));
	kty = json_string_value(json_object_get(obj, "kty"));
	if (secret_new(JWK_KEY_LEN, &key, err) < 0)
		return -1;
	if (!text_eq(kty, "oct") || !k || b64_decode(B64_URL, k, strlen(k), secret_data(key), JWK_KEY_LEN, &n, NULL) < 0 || n != JWK_KEY_LEN)
		return err_set(err, ERR_INTEGRITY, "foreign-secret", "what the TPM unsealed is no key of A256GCM");
	secret_set_len(key, JWK_KEY_LEN);
	*ret = TAKE_PTR(key);
	return 0;
}

int clevis_token_decrypt(const struct foreign_token *k, const struct secret *jwk, struct secret **ret, struct err **err)
{
	_cleanup_secret_ struct secret *key = NULL;

	if (key_of(jwk, &key, err) < 0)
		return -1;
	if (aes256gcm_open(key, k->iv, k->protected_text, strlen(k->protected_text), k->ciphertext.data, k->ciphertext.len, k->tag, ret, err) < 0)
		return err_wrap(err, "the passphrase in the clevis token");
	return 0;
}
