/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <string.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include "tests/lib/testpki_int.h"

#define SGX_EXTENSION "1.2.840.113741.1.13.1"
#define AUTH_LEN 32

/* --- PCK leaf: SEQUENCE of { OID, value } under one extension (tee-evidence.md 4.2 step 7) --- */

static void der_put(struct buf *out, uint8_t tag, const void *data, size_t len)
{
	buf_put_u8(out, tag);
	if (len >= 0x100) {
		buf_put_u8(out, 0x82);
		buf_put_u16be(out, (uint16_t)len);
	} else {
		if (len >= 0x80)
			buf_put_u8(out, 0x81);
		buf_put_u8(out, (uint8_t)len);
	}
	buf_append(out, data, len);
}

/* { SGX_EXTENSION.arc[.sub], value } */
static void der_pair(struct buf *out, uint8_t arc, uint8_t sub, uint8_t tag, const void *value, size_t len)
{
	static const uint8_t base[] = { 0x2A, 0x86, 0x48, 0x86, 0xF8, 0x4D, 0x01, 0x0D, 0x01 };
	_cleanup_buf_ struct buf pair = BUF_INIT(1024);
	uint8_t oid[sizeof(base) + 2];
	size_t n = sizeof(base);

	memcpy(oid, base, n);
	oid[n++] = arc;
	if (sub)
		oid[n++] = sub;
	der_put(&pair, 0x06, oid, n);
	der_put(&pair, tag, value, len);
	der_put(out, 0x30, pair.data, pair.len);
}

static int extend_pck(X509 *x, const void *arg)
{
	static const uint8_t ppid[16] = { 0x7E, 0x57 }, pceid[2] = { 0 }, fmspc[6] = { 0x00, 0x80, 0x6F, 0x05 };
	static const uint8_t cpusvn[16] = { 3, 3, 2, 2, 4, 1, 0, 5 }, pcesvn = 11, sgx_type = 0;
	_cleanup_buf_ struct buf tcb = BUF_INIT(2048), all = BUF_INIT(2048), seq = BUF_INIT(2048);

	for (uint8_t i = 0; i < 16; i++)
		der_pair(&tcb, 2, (uint8_t)(i + 1), 0x02, &cpusvn[i], 1);
	der_pair(&tcb, 2, 17, 0x02, &pcesvn, 1);
	der_pair(&tcb, 2, 18, 0x04, cpusvn, sizeof(cpusvn));
	der_pair(&all, 1, 0, 0x04, ppid, sizeof(ppid));
	der_pair(&all, 2, 0, 0x30, tcb.data, tcb.len);
	der_pair(&all, 3, 0, 0x04, pceid, sizeof(pceid));
	der_pair(&all, 4, 0, 0x04, fmspc, sizeof(fmspc));
	der_pair(&all, 5, 0, 0x0A, &sgx_type, 1);
	der_put(&seq, 0x30, all.data, all.len);
	return buf_ok(&tcb) && buf_ok(&all) && buf_ok(&seq) && pki_add_raw(x, SGX_EXTENSION, seq.data, seq.len);
}

int pki_intel_leaf(const struct testpki *pki, X509 **ret, struct err **err)
{
	const struct pki_cert c = {
		.subject = { .cn = "Intel SGX PCK Certificate", .intel = true },
		.key = pki->key[PKI_PCK],
		.issuer = pki->cert[PKI_PCK_CA],
		.issuer_key = pki->key[PKI_PCK_CA],
		.sig = SIG_ECDSA_SHA256,
		.pathlen = -1,
		.end_entity_constraints = true,
		.not_before = PKI_NOT_BEFORE,
		.not_after = PKI_NOT_AFTER,
		.extend = extend_pck,
	};

	return pki_issue(&c, ret, err);
}

/* --- quote --- */

static const uint8_t intel_vendor[16] = { 0x93, 0x9A, 0x72, 0x33, 0xF7, 0x9C, 0x4C, 0xA9,
					  0x94, 0x0A, 0x0D, 0xB3, 0x95, 0x7F, 0x06, 0x07 };
static const uint8_t intel_qe_signer[32] = { 0xDC, 0x9E, 0x2A, 0x7C, 0x6F, 0x94, 0x8F, 0x17, 0x47, 0x4E, 0x34,
					     0xA7, 0xFC, 0x43, 0xED, 0x03, 0x0F, 0x7C, 0x15, 0x63, 0xF1, 0xBA,
					     0xBD, 0xDF, 0x63, 0x40, 0xC8, 0x2E, 0x0E, 0x54, 0xA8, 0xC5 };

void testpki_tdx_template(const struct testpki *pki, struct testpki_tdx *ret)
{
	*ret = (struct testpki_tdx){
		.version = 4,
		.body = { .tee_tcb_svn = { 5, 1, 2 }, .td_attributes = TDX_ATTR_SEPT_VE_DISABLE, .xfam = 0x600E7 },
	};
	memset(ret->body.mrseam, 0x5E, sizeof(ret->body.mrseam));
	memset(ret->body.mrtd, 0x4D, sizeof(ret->body.mrtd));
	for (size_t i = 0; i < 4; i++)
		memset(ret->body.rtmr[i], (int)(0xA0 + i), sizeof(ret->body.rtmr[i]));
}

static void put_header(const struct testpki_tdx *t, struct buf *out)
{
	uint8_t vendor[16];

	memcpy(vendor, intel_vendor, sizeof(vendor));
	vendor[0] ^= t->foreign_vendor;
	buf_put_u16le(out, (uint16_t)t->version);
	buf_put_u16le(out, 2);
	buf_put_u32le(out, 0x81);
	buf_put_u32le(out, 0);
	buf_append(out, vendor, sizeof(vendor));
	buf_put_zero(out, 20);
	if (t->version == 5) {
		buf_put_u16le(out, t->body.has_15 ? 3 : 2);
		buf_put_u32le(out, t->body.has_15 ? 648 : 584);
	}
}

static void put_body(const struct tdx_body *b, struct buf *out)
{
	buf_append(out, b->tee_tcb_svn, sizeof(b->tee_tcb_svn));
	buf_append(out, b->mrseam, sizeof(b->mrseam));
	buf_append(out, b->mrsignerseam, sizeof(b->mrsignerseam));
	buf_put_u64le(out, b->seam_attributes);
	buf_put_u64le(out, b->td_attributes);
	buf_put_u64le(out, b->xfam);
	buf_append(out, b->mrtd, sizeof(b->mrtd));
	buf_append(out, b->mrconfigid, sizeof(b->mrconfigid));
	buf_append(out, b->mrowner, sizeof(b->mrowner));
	buf_append(out, b->mrownerconfig, sizeof(b->mrownerconfig));
	for (size_t i = 0; i < 4; i++)
		buf_append(out, b->rtmr[i], sizeof(b->rtmr[i]));
	buf_append(out, b->report_data, sizeof(b->report_data));
	if (b->has_15) {
		buf_append(out, b->tee_tcb_svn2, sizeof(b->tee_tcb_svn2));
		buf_append(out, b->mrservicetd, sizeof(b->mrservicetd));
	}
}

static int put_signature(EVP_PKEY *key, const void *data, size_t len, struct buf *out, struct err **err)
{
	uint8_t rs[64];

	if (pki_sign_rs(key, EVP_sha256(), data, len, rs, rs + 32, 32, err) < 0)
		return -1;
	buf_append(out, rs, sizeof(rs));
	return 0;
}

static int attestation_key(const struct testpki *pki, uint8_t out[static 64], struct err **err)
{
	uint8_t *point = NULL;
	size_t len = EVP_PKEY_get1_encoded_public_key(pki->key[PKI_ATT], &point);
	bool ok = len == 65;

	if (ok)
		memcpy(out, point + 1, 64);
	OPENSSL_free(point);
	return ok ? 0 : pki_fail(err, "attestation key");
}

static void put_qe_report(const struct testpki_tdx *t, const uint8_t att_key[static 64], const uint8_t auth[static AUTH_LEN],
			  struct buf *out)
{
	uint8_t signer[32], bound[64 + AUTH_LEN], data[64] = { 0 };

	memcpy(signer, intel_qe_signer, sizeof(signer));
	signer[31] ^= t->foreign_qe;
	memcpy(bound, att_key, 64);
	memcpy(bound + 64, auth, AUTH_LEN);
	bound[0] ^= t->unbound_key;
	SHA256(bound, sizeof(bound), data);
	data[63] = t->unbound_tail;
	buf_put_zero(out, 48); /* cpusvn, miscselect */
	buf_put_u8(out, t->debug_qe ? 0x17 : 0x15);
	buf_put_zero(out, 7);
	buf_put_u64le(out, 0xE7);
	buf_put_zero(out, 64); /* mrenclave, reserved */
	buf_append(out, signer, sizeof(signer));
	buf_put_zero(out, 96);
	buf_put_u16le(out, t->foreign_product ? 1 : 2);
	buf_put_u16le(out, t->old_qe ? 3 : 7);
	buf_put_zero(out, 60);
	buf_append(out, data, sizeof(data));
}

static int put_chain(const struct testpki *pki, bool no_root, struct buf *out, struct err **err)
{
	static const enum pki_item order[] = { PKI_PCK, PKI_PCK_CA, PKI_INTEL_ROOT };
	BIO *mem = BIO_new(BIO_s_mem());
	char *text;
	long len;
	bool ok = mem != NULL;

	for (size_t i = 0; ok && i < (no_root ? 2 : 3); i++)
		ok = PEM_write_bio_X509(mem, pki->cert[order[i]]) > 0;
	len = ok ? BIO_get_mem_data(mem, &text) : 0;
	if (ok)
		buf_append(out, text, (size_t)len);
	BIO_free(mem);
	return ok ? 0 : pki_fail(err, "PCK chain");
}

/* Type 6 around type 5; sizes are known only once the content is there. */
static int put_qe_certification(const struct testpki *pki, const struct testpki_tdx *t, const uint8_t att_key[static 64],
				struct buf *out, struct err **err)
{
	_cleanup_buf_ struct buf inner = BUF_INIT(TDX_QUOTE_MAX), chain = BUF_INIT(TDX_QUOTE_MAX);
	uint8_t auth[AUTH_LEN];

	for (size_t i = 0; i < AUTH_LEN; i++)
		auth[i] = (uint8_t)i;
	put_qe_report(t, att_key, auth, &inner);
	if (buf_check(&inner, err) < 0 || put_signature(pki->key[PKI_PCK], inner.data, 384, &inner, err) < 0 ||
	    put_chain(pki, t->no_root, &chain, err) < 0)
		return -1;
	buf_put_u16le(&inner, AUTH_LEN);
	buf_append(&inner, auth, AUTH_LEN);
	buf_put_u16le(&inner, 5);
	buf_put_u32le(&inner, (uint32_t)chain.len);
	buf_append(&inner, chain.data, chain.len);
	buf_put_u16le(out, 6);
	buf_put_u32le(out, (uint32_t)inner.len);
	buf_append(out, inner.data, inner.len);
	return buf_check(&inner, err);
}

int testpki_tdx_sign(const struct testpki *pki, const struct testpki_tdx *t, struct buf *out, struct err **err)
{
	_cleanup_buf_ struct buf sig = BUF_INIT(TDX_QUOTE_MAX);
	uint8_t att_key[64];

	buf_reset(out);
	put_header(t, out);
	put_body(&t->body, out);
	if (buf_check(out, err) < 0 || attestation_key(pki, att_key, err) < 0 ||
	    put_signature(pki->key[PKI_ATT], out->data, out->len, &sig, err) < 0)
		return -1;
	att_key[63] ^= t->bad_point;
	buf_append(&sig, att_key, sizeof(att_key));
	if (put_qe_certification(pki, t, att_key, &sig, err) < 0 || buf_check(&sig, err) < 0)
		return -1;
	buf_put_u32le(out, (uint32_t)sig.len);
	buf_append(out, sig.data, sig.len);
	return buf_check(out, err);
}
