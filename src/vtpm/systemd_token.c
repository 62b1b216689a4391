/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "vtpm/systemd_token.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "vtpm/foreign_token_impl.h"

#define BLOB_MAX (2 * SEALED_PART_MAX)
#define PEM_MAX 4096
#define SRK_MAX 1024
#define ESYS_KEY 1 /* kind of a serialized ESYS_TR: a key */
#define NAME_LEN 34 /* with SHA-256; ours is such a one (config: srk-name) */

/* A string, or since 257 an array of one; two are the shards of a signed policy and pcrlock together. */
static int one_text(const json_t *token, const char *key, const char **ret, struct err **err)
{
	const json_t *v = json_object_get(token, key);

	if (json_is_array(v) && json_array_size(v) > 1)
		return foreign_unsupported(err, "a secret in several shards (a signed policy and pcrlock together) is not supported");
	if (json_is_array(v))
		v = json_array_get(v, 0);
	if (!json_is_string(v) || json_string_length(v) > FOREIGN_TEXT_MAX)
		return err_set(err, ERR_INTEGRITY, "foreign-token", "%s is absent or no string of a usual length", key);
	*ret = json_string_value(v);
	return 0;
}

/* A TPM2B, its length in front included. */
static int take_2b(struct rd *r, struct sealed_bytes *ret, struct err **err)
{
	const size_t start = r->off, len = rd_u16be(r);
	const uint8_t *p;

	rd_seek(r, start);
	p = rd_ref(r, len + 2);
	if (!p || len == 0 || len + 2 > SEALED_PART_MAX)
		return foreign_bad(err, "tpm2-blob does not hold a private and a public area");
	ret->data = malloc(len + 2);
	if (!ret->data)
		return err_nomem(err);
	memcpy(ret->data, p, len + 2);
	ret->len = len + 2;
	return 0;
}

static int take_blob(const json_t *token, struct foreign_token *k, struct err **err)
{
	struct sealed_bytes blob = { 0 };
	const char *text;
	struct rd r;
	int rc;

	if (one_text(token, "tpm2-blob", &text, err) < 0 || foreign_bytes(B64_STD, text, "tpm2-blob", BLOB_MAX, &blob, err) < 0)
		return -1;
	r = (struct rd)RD_INIT(blob.data, blob.len);
	rc = take_2b(&r, &k->priv, err) < 0 ? -1 : take_2b(&r, &k->pub, err);
	if (rc == 0 && rd_left(&r) > 0)
		rc = foreign_unsupported(err, "a secret sealed without the TPM (an object to be imported) is not supported");
	free(blob.data);
	return rc;
}

/* The digest is in the public area, too, and compared there; here only its form counts. */
static int check_hash(const json_t *token, struct err **err)
{
	const char *text;
	uint8_t digest[32];

	if (one_text(token, "tpm2-policy-hash", &text, err) < 0)
		return -1;
	if (hex_decode(text, strlen(text), digest, sizeof(digest), NULL) < 0)
		return foreign_bad(err, "tpm2-policy-hash is not 64 hex digits");
	return 0;
}

static int take_pcrs(const json_t *token, struct foreign_token *k, struct err **err)
{
	const char *bank;

	if (foreign_pcr_list(json_object_get(token, "tpm2-pcrs"), "tpm2-pcrs", &k->pcrs, err) < 0 ||
	    foreign_text(token, "tpm2-pcr-bank", &bank, err) < 0)
		return -1;
	if (bank && pcr_bank_by_name(bank, &k->bank, NULL) < 0)
		return foreign_bad(err, "tpm2-pcr-bank is not the name of a PCR bank");
	k->has_bank = bank;
	return 0;
}

/* Two spellings of members since 252, both as they are. */
static int take_signer(const json_t *token, struct foreign_token *k, struct err **err)
{
	struct sealed_bytes pem = { 0 };
	const char *text;
	int rc;

	if (foreign_text(token, "tpm2_pubkey", &text, err) < 0)
		return -1;
	if (!text || !*text)
		return 0;
	if (foreign_pcr_list(json_object_get(token, "tpm2_pubkey_pcrs"), "tpm2_pubkey_pcrs", &k->signed_pcrs, err) < 0)
		return -1;
	if (!k->signed_pcrs)
		return foreign_bad(err, "tpm2_pubkey stands without PCRs");
	if (foreign_bytes(B64_STD, text, "tpm2_pubkey", PEM_MAX, &pem, err) < 0)
		return -1;
	rc = memchr(pem.data, 0, pem.len) ? foreign_bad(err, "tpm2_pubkey is no text") : 0;
	if (rc == 0) {
		k->signer_pem = strndup((const char *)pem.data, pem.len);
		rc = k->signer_pem ? 0 : err_nomem(err);
	}
	free(pem.data);
	return rc;
}

static int take_bool(const json_t *token, const char *key, bool *ret, struct err **err)
{
	const json_t *v = json_object_get(token, key);

	if (v && !json_is_boolean(v))
		return err_set(err, ERR_INTEGRITY, "foreign-token", "%s is neither true nor false", key);
	*ret = json_is_true(v);
	return 0;
}

static int take_pin(const json_t *token, struct foreign_token *k, struct err **err)
{
	struct sealed_bytes salt = { 0 };
	const char *text;

	if (take_bool(token, "tpm2-pin", &k->pin, err) < 0 || foreign_text(token, "tpm2_salt", &text, err) < 0)
		return -1;
	if (!text || !*text)
		return 0;
	if (foreign_bytes(B64_STD, text, "tpm2_salt", sizeof(k->salt), &salt, err) < 0)
		return -1;
	memcpy(k->salt, salt.data, salt.len);
	k->salt_len = salt.len;
	free(salt.data);
	return 0;
}

/* Since 255 the object's parent is the storage primary, serialized as ESYS does it: handle, Name, kind, public area. The Name is all that
 * is needed: it is compared with that of the primary that we trust. */
static int parse_srk(const struct sealed_bytes *b, struct foreign_token *k, struct err **err)
{
	struct rd r = RD_INIT(b->data, b->len);

	rd_u32be(&r);
	k->parent_name.len = rd_u16be(&r);
	if (k->parent_name.len != NAME_LEN)
		return foreign_bad(err, "tpm2_srk is no key with a SHA-256 Name");
	rd_copy(&r, k->parent_name.bytes, NAME_LEN);
	if (rd_u32be(&r) != ESYS_KEY || r.bad)
		return foreign_bad(err, "tpm2_srk is not a key as the TPM library writes one");
	k->parent = FOREIGN_STORAGE;
	return 0;
}

static int take_parent(const json_t *token, struct foreign_token *k, struct err **err)
{
	struct sealed_bytes srk = { 0 };
	const char *alg, *text;
	int rc;

	if (foreign_text(token, "tpm2-primary-alg", &alg, err) < 0 || foreign_text(token, "tpm2_srk", &text, err) < 0)
		return -1;
	if (alg && !text_eq(alg, "ecc") && !text_eq(alg, "rsa"))
		return foreign_bad(err, "tpm2-primary-alg is neither ecc nor rsa");
	k->parent = text_eq(alg, "rsa") ? FOREIGN_LEGACY_RSA : FOREIGN_LEGACY_ECC;
	if (!text || !*text)
		return 0;
	if (foreign_bytes(B64_STD, text, "tpm2_srk", SRK_MAX, &srk, err) < 0)
		return -1;
	rc = parse_srk(&srk, k, err);
	free(srk.data);
	return rc;
}

int systemd_token_parse(const json_t *token, struct foreign_token *ret, struct err **err)
{
	bool pcrlock = false;

	if (take_bool(token, "tpm2_pcrlock", &pcrlock, err) < 0)
		return -1;
	if (pcrlock || json_object_get(token, "tpm2_pcrlock_nv"))
		return foreign_unsupported(err, "a secret under systemd-pcrlock's policy is not supported");
	if (take_blob(token, ret, err) < 0 || check_hash(token, err) < 0 || take_pcrs(token, ret, err) < 0 || take_signer(token, ret, err) < 0)
		return -1;
	return take_pin(token, ret, err) < 0 ? -1 : take_parent(token, ret, err);
}
