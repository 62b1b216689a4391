/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What a TPM signed, read without a TPM's library: TPM 2.0 Part 2, 10.12. Big-endian. */
#include <string.h>

#include "base/buf.h"
#include "crypto/digest.h"
#include "vtpm/binding.h"

#define TPM_GENERATED UINT32_C(0xFF544347) /* a restricted key signs nothing that starts so unless the TPM made it */
#define TPM_ST_ATTEST_CERTIFY 0x8017
#define TPM_RH_OWNER UINT32_C(0x40000001)

static int bad(struct err **err, const char *what)
{
	return err_set(err, ERR_TPM, "vtpm-certify", "the certificate of the storage key %s", what);
}

static void read_name(struct rd *r, struct tpm_name *ret)
{
	uint16_t n = rd_u16be(r);
	const uint8_t *p = n <= TPM_NAME_MAX ? rd_ref(r, n) : NULL;

	if (!p) {
		r->bad = true;
		return;
	}
	ret->len = n;
	memcpy(ret->bytes, p, n);
}

int binding_attest_parse(const uint8_t *raw, size_t len, const uint8_t *nonce, size_t nonce_len, struct binding_attest *ret,
			 struct err **err)
{
	struct rd r = RD_INIT(raw, len);
	struct binding_attest a = { 0 };
	const uint8_t *extra;
	uint16_t extra_len;

	if (rd_u32be(&r) != TPM_GENERATED)
		return bad(err, "was not made by a TPM");
	if (rd_u16be(&r) != TPM_ST_ATTEST_CERTIFY)
		return bad(err, "certifies something else than a key");
	rd_skip(&r, rd_u16be(&r)); /* qualified signer: its signature says who it was */
	extra_len = rd_u16be(&r);
	extra = rd_ref(&r, extra_len);
	rd_skip(&r, 8 + 4 + 4 + 1 + 8); /* clock, resets, restarts, safe; firmware version */
	read_name(&r, &a.name);
	read_name(&r, &a.qualified_name);
	if (r.bad || rd_left(&r) != 0)
		return bad(err, "is cut off, or something follows it");
	if (extra_len != nonce_len || memcmp(extra, nonce, nonce_len) != 0)
		return bad(err, "is not an answer to our question");
	*ret = a;
	return 0;
}

int binding_qualified_name(const struct tpm_name *name, struct tpm_name *ret, struct err **err)
{
	static const uint8_t owner[4] = { TPM_RH_OWNER >> 24, TPM_RH_OWNER >> 16 & 0xFF, TPM_RH_OWNER >> 8 & 0xFF, TPM_RH_OWNER & 0xFF };
	const struct digest_piece pieces[] = { { owner, sizeof(owner) }, { name->bytes, name->len } };
	uint8_t digest[DIGEST_MAX];
	enum digest_alg alg;

	switch (name->len) {
	case 2 + 32:
		alg = DIGEST_SHA256;
		break;
	case 2 + 48:
		alg = DIGEST_SHA384;
		break;
	case 2 + 64:
		alg = DIGEST_SHA512;
		break;
	default:
		return bad(err, "has a Name of unknown length");
	}
	if (digest_pieces(alg, pieces, 2, digest, err) < 0)
		return -1;
	*ret = *name;
	memcpy(ret->bytes + 2, digest, name->len - 2);
	return 0;
}
