/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Names of objects and NV indices (TPM 2.0 Part 1, 16; tpm-sealing.md 4.5). */
#include <string.h>

#include "base/encode.h"
#include "crypto/digest.h"
#include "vtpm/tpm_impl.h"

bool tpm_name_equal(const struct tpm_name *a, const struct tpm_name *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static int name_digest(uint16_t alg, enum digest_alg *ret, struct err **err)
{
	switch (alg) {
	case TPM2_ALG_SHA256:
		*ret = DIGEST_SHA256;
		return 0;
	case TPM2_ALG_SHA384:
		*ret = DIGEST_SHA384;
		return 0;
	case TPM2_ALG_SHA512:
		*ret = DIGEST_SHA512;
		return 0;
	default:
		return err_set(err, ERR_TPM, "tpm-name", "a Name made with algorithm 0x%04x; SHA-256, SHA-384 and SHA-512 are understood",
			       alg);
	}
}

static int name_of(uint16_t alg, const uint8_t *area, size_t len, struct tpm_name *ret, struct err **err)
{
	uint8_t digest[DIGEST_MAX];
	enum digest_alg d = DIGEST_SHA256; /* GCC does not see that a failure comes back as such */

	if (name_digest(alg, &d, err) < 0 || digest_bytes(d, area, len, digest, err) < 0)
		return -1;
	ret->len = 2 + digest_size(d);
	ret->bytes[0] = (uint8_t)(alg >> 8);
	ret->bytes[1] = (uint8_t)alg;
	memcpy(ret->bytes + 2, digest, digest_size(d));
	return 0;
}

int tpm_name_of_public(const TPM2B_PUBLIC *pub, struct tpm_name *ret, struct err **err)
{
	uint8_t area[sizeof(TPMT_PUBLIC)];
	size_t len = 0;
	TSS2_RC rc = Tss2_MU_TPMT_PUBLIC_Marshal(&pub->publicArea, area, sizeof(area), &len);

	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(rc, "encoding a public area", err);
	return name_of(pub->publicArea.nameAlg, area, len, ret, err);
}

int tpm_name_of_nv(const TPM2B_NV_PUBLIC *pub, struct tpm_name *ret, struct err **err)
{
	uint8_t area[sizeof(TPMS_NV_PUBLIC)];
	size_t len = 0;
	TSS2_RC rc = Tss2_MU_TPMS_NV_PUBLIC_Marshal(&pub->nvPublic, area, sizeof(area), &len);

	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(rc, "encoding the public area of an NV index", err);
	return name_of(pub->nvPublic.nameAlg, area, len, ret, err);
}

int tpm_name_parse(const char *hex, struct tpm_name *ret, struct err **err)
{
	const size_t digits = strlen(hex);
	struct tpm_name name = { .len = digits / 2 };
	uint16_t alg;

	if (digits != 2 * 34 && digits != 2 * 50)
		return err_set(err, ERR_CONFIG, "tpm-name", "a TPM Name has 68 (SHA-256) or 100 (SHA-384) hexadecimal digits, not %zu", digits);
	if (hex_decode(hex, digits, name.bytes, name.len, err) < 0) {
		if (err)
			err_reclass(err, ERR_CONFIG);
		return -1;
	}
	alg = (uint16_t)(name.bytes[0] << 8 | name.bytes[1]);
	if (alg != (name.len == 34 ? TPM2_ALG_SHA256 : TPM2_ALG_SHA384))
		return err_set(err, ERR_CONFIG, "tpm-name", "a TPM Name begins with 000b (SHA-256) or 000c (SHA-384), not %.4s", hex);
	*ret = name;
	return 0;
}

void tpm_name_text(const struct tpm_name *n, char out[static 2 * TPM_NAME_MAX + 1])
{
	hex_encode(n->bytes, n->len, out);
}

/* u32 handle, TPM2B_NAME, u32 kind, then the public area (tpm-sealing.md 5.1, tpm2_srk). */
#define KIND_KEY 1
#define KIND_NV 2

static TSS2_RC serialized(struct tpm *t, ESYS_TR tr, uint8_t **blob, size_t *len, size_t *off, uint32_t kind)
{
	TPM2B_NAME name = { 0 };
	uint32_t handle, found;
	TSS2_RC rc = Esys_TR_Serialize(t->esys, tr, blob, len);

	if (rc == TSS2_RC_SUCCESS)
		rc = Tss2_MU_UINT32_Unmarshal(*blob, *len, off, &handle);
	if (rc == TSS2_RC_SUCCESS)
		rc = Tss2_MU_TPM2B_NAME_Unmarshal(*blob, *len, off, &name);
	if (rc == TSS2_RC_SUCCESS)
		rc = Tss2_MU_UINT32_Unmarshal(*blob, *len, off, &found);
	return rc == TSS2_RC_SUCCESS && found != kind ? TSS2_ESYS_RC_MALFORMED_RESPONSE : rc;
}

int tpm_public_of(struct tpm *t, ESYS_TR key, TPM2B_PUBLIC *ret, struct err **err)
{
	_cleanup_esys_ uint8_t *blob = NULL;
	TPM2B_PUBLIC pub = { 0 };
	size_t len = 0, off = 0;
	TSS2_RC rc = serialized(t, key, &blob, &len, &off, KIND_KEY);

	if (rc == TSS2_RC_SUCCESS)
		rc = Tss2_MU_TPM2B_PUBLIC_Unmarshal(blob, len, &off, &pub);
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(rc, "the public area of a key", err);
	*ret = pub;
	return 0;
}

int tpm_nv_public_of(struct tpm *t, ESYS_TR index, TPM2B_NV_PUBLIC *ret, struct err **err)
{
	_cleanup_esys_ uint8_t *blob = NULL;
	TPM2B_NV_PUBLIC pub = { 0 };
	size_t len = 0, off = 0;
	TSS2_RC rc = serialized(t, index, &blob, &len, &off, KIND_NV);

	if (rc == TSS2_RC_SUCCESS)
		rc = Tss2_MU_TPM2B_NV_PUBLIC_Unmarshal(blob, len, &off, &pub);
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(rc, "the public area of an NV index", err);
	*ret = pub;
	return 0;
}
