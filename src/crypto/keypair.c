/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Making, reading and writing private keys. */
#include "crypto/keypair.h"

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

#include "crypto/keypair_impl.h"

static const struct {
	const char *name;
	unsigned int rsa_bits;
	const char *group;
} key_types[] = {
	[KEY_RSA_2048] = { "rsa-2048", 2048, NULL },
	[KEY_RSA_3072] = { "rsa-3072", 3072, NULL },
	[KEY_RSA_4096] = { "rsa-4096", 4096, NULL },
	[KEY_EC_P256] = { "ec-p256", 0, "P-256" },
	[KEY_EC_P521] = { "ec-p521", 0, "P-521" },
};

const char *key_type_name(enum key_type t)
{
	return key_types[t].name;
}

int key_type_by_name(const char *name, enum key_type *ret, struct err **err)
{
	for (size_t i = 0; i < ARRAY_SIZE(key_types); i++) {
		if (strcmp(name, key_types[i].name) != 0)
			continue;
		*ret = (enum key_type)i;
		return 0;
	}
	return err_set(err, ERR_CONFIG, "key-type",
		       "unknown key type %s (known: rsa-2048, rsa-3072, rsa-4096, ec-p256, ec-p521)", name);
}

void keypair_free(struct keypair *kp)
{
	if (!kp)
		return;
	EVP_PKEY_free(kp->pkey); /* wipes the private numbers */
	free(kp);
}

/* Big-endian, exactly width bytes, or minimal when width is 0. */
static int read_number(const EVP_PKEY *pkey, const char *name, size_t width, uint8_t *out, size_t cap, size_t *ret_len,
		       struct err **err)
{
	_cleanup_ossl_(bn) BIGNUM *n = NULL;
	size_t len;

	if (EVP_PKEY_get_bn_param(pkey, name, &n) != 1)
		return ossl_err(err, ERR_INTERNAL, "crypto", "reading key parameter %s", name);
	len = width ? width : (size_t)BN_num_bytes(n);
	if (len > cap || BN_bn2binpad(n, out, (int)len) != (int)len)
		return err_set(err, ERR_CONFIG, "key-type", "key parameter %s of %d bits is too long", name, BN_num_bits(n));
	*ret_len = len;
	return 0;
}

static int read_rsa_public(const EVP_PKEY *pkey, struct public_key *pub, struct err **err)
{
	int bits = EVP_PKEY_get_bits(pkey);

	if (bits < 2048 || bits > 4096)
		return err_set(err, ERR_CONFIG, "key-type", "RSA key of %d bits, 2048 to 4096 are accepted", bits);
	pub->rsa = true;
	if (read_number(pkey, OSSL_PKEY_PARAM_RSA_N, 0, pub->n, sizeof(pub->n), &pub->n_len, err) < 0 ||
	    read_number(pkey, OSSL_PKEY_PARAM_RSA_E, 0, pub->e, sizeof(pub->e), &pub->e_len, err) < 0)
		return -1;
	return 0;
}

static int read_ec_public(const EVP_PKEY *pkey, struct public_key *pub, struct err **err)
{
	char group[64] = "";

	if (EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) != 1)
		return ossl_err(err, ERR_CONFIG, "key-type", "EC key without a named curve");
	if (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0)
		pub->curve_bits = 256;
	else if (strcmp(group, "secp521r1") == 0 || strcmp(group, "P-521") == 0)
		pub->curve_bits = 521;
	else
		return err_set(err, ERR_CONFIG, "key-type", "EC curve %s, P-256 and P-521 are accepted", group);
	pub->coord_len = (pub->curve_bits + 7) / 8;
	if (read_number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, pub->coord_len, pub->x, sizeof(pub->x), &pub->coord_len, err) < 0 ||
	    read_number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, pub->coord_len, pub->y, sizeof(pub->y), &pub->coord_len, err) < 0)
		return -1;
	return 0;
}

int pkey_read_public(const EVP_PKEY *pkey, struct public_key *ret, struct err **err)
{
	struct public_key pub = { 0 };
	int r;

	if (EVP_PKEY_is_a(pkey, "RSA"))
		r = read_rsa_public(pkey, &pub, err);
	else if (EVP_PKEY_is_a(pkey, "EC"))
		r = read_ec_public(pkey, &pub, err);
	else
		r = err_set(err, ERR_CONFIG, "key-type", "neither an RSA nor an EC key");
	if (r == 0)
		*ret = pub;
	return r;
}

/* Takes pkey over, also on failure. */
static int keypair_wrap(EVP_PKEY *pkey, struct keypair **ret, struct err **err)
{
	_cleanup_ossl_(pkey) EVP_PKEY *owned = pkey;
	struct public_key pub;
	struct keypair *kp;

	if (pkey_read_public(owned, &pub, err) < 0)
		return -1;
	kp = calloc(1, sizeof(*kp));
	if (!kp)
		return err_nomem(err);
	kp->pkey = TAKE_PTR(owned);
	kp->pub = pub;
	*ret = kp;
	return 0;
}

/* OpenSSL calls this for every candidate of a prime; 0 ends the search. */
static int keep_searching(EVP_PKEY_CTX *ctx)
{
	const atomic_bool *stop = EVP_PKEY_CTX_get_app_data(ctx);

	return !atomic_load(stop);
}

static int generate_rsa(unsigned int bits, const atomic_bool *stop, EVP_PKEY **ret)
{
	_cleanup_ossl_(pkey_ctx) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);

	if (!ctx || EVP_PKEY_keygen_init(ctx) != 1 || EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)bits) != 1)
		return -1;
	EVP_PKEY_CTX_set_app_data(ctx, (void *)(uintptr_t)stop);
	EVP_PKEY_CTX_set_cb(ctx, keep_searching);
	return EVP_PKEY_generate(ctx, ret) == 1 ? 0 : -1;
}

int keypair_generate_until(enum key_type type, const atomic_bool *stop, struct keypair **ret, struct err **err)
{
	EVP_PKEY *pkey = NULL;

	if (key_types[type].group)
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", key_types[type].group);
	else if (generate_rsa(key_types[type].rsa_bits, stop, &pkey) < 0 && atomic_load(stop)) {
		ossl_forget();
		return err_set(err, ERR_TIMEOUT, "cancelled", "generating a key of type %s: stopped", key_types[type].name);
	}
	if (!pkey)
		return ossl_err(err, ERR_INTERNAL, "crypto", "generating a key of type %s", key_types[type].name);
	return keypair_wrap(pkey, ret, err);
}

int keypair_generate(enum key_type type, struct keypair **ret, struct err **err)
{
	static const atomic_bool never = false;

	return keypair_generate_until(type, &never, ret, err);
}

int keypair_from_pem(const char *pem, size_t len, struct keypair **ret, struct err **err)
{
	_cleanup_ossl_(bio) BIO *bio = NULL;
	EVP_PKEY *pkey;

	if (len > 65536)
		return err_set(err, ERR_CONFIG, "key-pem", "key file of %zu bytes is too long", len);
	bio = BIO_new_mem_buf(pem, (int)len);
	if (!bio)
		return ossl_err(err, ERR_NOMEM, "crypto", "reading a private key");
	pkey = PEM_read_bio_PrivateKey(bio, NULL, ossl_no_passphrase, NULL);
	if (!pkey)
		return ossl_err(err, ERR_CONFIG, "key-pem", "not an unencrypted PEM private key");
	ossl_forget();
	return keypair_wrap(pkey, ret, err);
}

int keypair_to_pem(const struct keypair *kp, struct secret **ret, struct err **err)
{
	/* A memory BIO clears its buffer when it grows and when it is freed. */
	_cleanup_ossl_(bio) BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long len;

	if (!bio || PEM_write_bio_PKCS8PrivateKey(bio, kp->pkey, NULL, NULL, 0, NULL, NULL) != 1)
		return ossl_err(err, ERR_INTERNAL, "crypto", "writing a private key");
	len = BIO_get_mem_data(bio, &text);
	if (len <= 0)
		return err_set(err, ERR_INTERNAL, "crypto", "writing a private key: no data");
	return secret_from(text, (size_t)len, ret, err);
}

void keypair_public(const struct keypair *kp, struct public_key *ret)
{
	*ret = kp->pub;
}
