/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "vtpm/signer.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "crypto/digest.h"

/* TPM 2.0 Part 2: algorithms, and what an object may do. Written out because this file is pure and needs no library for it. */
#define ALG_RSA 0x0001
#define ALG_SHA256 0x000b
#define ALG_NULL 0x0010
#define ALG_ECC 0x0023
#define CURVE_P256 0x0003
#define ATTRIBUTES 0x00060040 /* sign, decrypt, userWithAuth */
#define EXPONENT 65537

static int put_rsa(struct buf *b, const struct public_key *k, bool exponent_zero, struct err **err)
{
	uint64_t e = 0;

	for (size_t i = 0; i < k->e_len; i++)
		e = e << 8 | k->e[i];
	if (k->e_len > 4 || e != EXPONENT)
		return err_set(err, ERR_CONFIG, "signer", "the signer's RSA key has another exponent than 65537");
	if (k->n_len != 256 && k->n_len != 384 && k->n_len != 512)
		return err_set(err, ERR_CONFIG, "signer", "the signer's RSA key has %zu bits; 2048, 3072 and 4096 are accepted", 8 * k->n_len);
	buf_put_u16be(b, ALG_NULL); /* symmetric */
	buf_put_u16be(b, ALG_NULL); /* scheme */
	buf_put_u16be(b, (uint16_t)(8 * k->n_len));
	buf_put_u32be(b, exponent_zero ? 0 : EXPONENT);
	buf_put_u16be(b, (uint16_t)k->n_len);
	buf_append(b, k->n, k->n_len);
	return 0;
}

static int put_ec(struct buf *b, const struct public_key *k, struct err **err)
{
	if (k->curve_bits != 256)
		return err_set(err, ERR_CONFIG, "signer", "the signer's EC key is not on P-256");
	buf_put_u16be(b, ALG_NULL); /* symmetric */
	buf_put_u16be(b, ALG_NULL); /* scheme */
	buf_put_u16be(b, CURVE_P256);
	buf_put_u16be(b, ALG_NULL); /* kdf */
	buf_put_u16be(b, 32);
	buf_append(b, k->x, 32);
	buf_put_u16be(b, 32);
	buf_append(b, k->y, 32);
	return 0;
}

static int make_area(struct pcr_signer *s, bool exponent_zero, struct err **err)
{
	_cleanup_buf_ struct buf b = BUF_INIT(SIGNER_AREA_MAX);

	buf_put_u16be(&b, s->key.rsa ? ALG_RSA : ALG_ECC);
	buf_put_u16be(&b, ALG_SHA256);
	buf_put_u32be(&b, ATTRIBUTES);
	buf_put_u16be(&b, 0); /* authPolicy */
	if ((s->key.rsa ? put_rsa(&b, &s->key, exponent_zero, err) : put_ec(&b, &s->key, err)) < 0 || buf_check(&b, err) < 0)
		return -1;
	memcpy(s->area, b.data, b.len);
	s->area_len = b.len;
	return 0;
}

int pcr_signer_parse(const char *pem, bool exponent_zero, struct pcr_signer *ret, struct err **err)
{
	struct pcr_signer s = { 0 };
	uint8_t digest[DIGEST_MAX];

	if (public_key_from_pem(pem, strlen(pem), &s.key, s.fingerprint, err) < 0)
		return err_wrap(err, "signer");
	if (make_area(&s, exponent_zero, err) < 0 || digest_bytes(DIGEST_SHA256, s.area, s.area_len, digest, err) < 0)
		return -1;
	s.name.len = 34;
	s.name.bytes[1] = ALG_SHA256;
	memcpy(s.name.bytes + 2, digest, 32);
	*ret = s;
	return 0;
}
