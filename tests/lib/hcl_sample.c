/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/lib/hcl_sample.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "crypto/digest.h"

static void put_key(struct buf *out, const char *kid, const char *op, const struct public_key *k)
{
	_cleanup_free_ char *n = b64_encode_dup(B64_URL, k->n, k->n_len), *e = b64_encode_dup(B64_URL, k->e, k->e_len);

	buf_printf(out, "{\"kid\":\"%s\",\"key_ops\":[\"%s\"],\"kty\":\"RSA\",\"e\":\"%s\",\"n\":\"%s\"}", kid, op, e, n);
}

int hcl_sample_claims(const struct hcl_sample *s, struct buf *out, struct err **err)
{
	buf_puts(out, "{\"keys\":[");
	if (s->ak)
		put_key(out, "HCLAkPub", "sign", s->ak);
	if (s->ak && s->ek)
		buf_putc(out, ',');
	if (s->ek)
		put_key(out, "HCLEkPub", "encrypt", s->ek);
	buf_putc(out, ']');
	if (s->configuration)
		buf_printf(out, ",\"vm-configuration\":%s", s->configuration);
	if (s->user_data) {
		char hex[2 * TEE_REPORT_DATA + 1];

		hex_encode(s->user_data, TEE_REPORT_DATA, hex);
		buf_printf(out, ",\"user-data\":\"%s\"", hex);
	}
	buf_putc(out, '}');
	return buf_check(out, err);
}

static size_t report_data_offset(enum tee_kind tee)
{
	return tee == TEE_SNP ? SNP_OFF_REPORT_DATA : 128;
}

void hcl_sample_bind(enum tee_kind tee, uint8_t hardware[static SNP_REPORT_SIZE], const void *claims, size_t len)
{
	uint8_t digest[DIGEST_MAX], *to = hardware + report_data_offset(tee);

	if (digest_bytes(DIGEST_SHA256, claims, len, digest, NULL) < 0)
		abort();
	memset(to, 0, TEE_REPORT_DATA);
	memcpy(to, digest, 32);
}

void hcl_sample_wrap(uint32_t version, enum tee_kind tee, const uint8_t hardware[static SNP_REPORT_SIZE], const void *claims,
		     size_t len, struct buf *out)
{
	uint32_t data = (uint32_t)len + 20;

	buf_puts(out, "HCLA");
	buf_put_u32le(out, version ? version : 1);
	buf_put_u32le(out, 0x20 + SNP_REPORT_SIZE + data);
	buf_put_u32le(out, 2); /* request type */
	buf_put_zero(out, 16);
	buf_append(out, hardware, SNP_REPORT_SIZE);
	buf_put_u32le(out, data);
	buf_put_u32le(out, 1);
	buf_put_u32le(out, tee == TEE_SNP ? 2 : 4);
	buf_put_u32le(out, 1); /* SHA-256 */
	buf_put_u32le(out, (uint32_t)len);
	buf_append(out, claims, len);
}

int hcl_sample_snp(const struct testpki *pki, const struct hcl_sample *s, struct snp_report *r, struct buf *out, struct err **err)
{
	_cleanup_buf_ struct buf claims = BUF_INIT(HCL_CLAIMS_MAX);
	uint8_t raw[SNP_REPORT_SIZE], digest[DIGEST_MAX];

	if (hcl_sample_claims(s, &claims, err) < 0 || digest_bytes(DIGEST_SHA256, claims.data, claims.len, digest, err) < 0)
		return -1;
	memset(r->report_data, 0, sizeof(r->report_data));
	memcpy(r->report_data, digest, 32);
	if (testpki_snp_sign(pki, r, raw, err) < 0)
		return -1;
	hcl_sample_wrap(s->version, TEE_SNP, raw, claims.data, claims.len, out);
	return buf_check(out, err);
}

void hcl_sample_tdreport(uint8_t out[static SNP_REPORT_SIZE])
{
	memset(out, 0, SNP_REPORT_SIZE);
	out[0] = 0x81;
	memset(out + 512 + 16, 0xa7, 48);
}
