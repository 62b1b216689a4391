/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "evidence/tdx_quote.h"

#include "base/buf.h"

#define QUOTE_MIN 1020
#define HEADER_SIZE 48
#define BODY_10_SIZE 584
#define BODY_15_SIZE 648
#define QE_REPORT_SIZE 384
#define CERT_TYPE_PCK_CHAIN 5
#define CERT_TYPE_QE_REPORT 6

static int read_header(struct rd *r, struct tdx_quote *q, struct err **err)
{
	q->version = rd_u16le(r);
	q->att_key_type = rd_u16le(r);
	q->tee_type = rd_u32le(r);
	rd_skip(r, 4);
	rd_copy(r, q->qe_vendor_id, sizeof(q->qe_vendor_id));
	rd_copy(r, q->user_data, sizeof(q->user_data));
	if (q->version != 4 && q->version != 5)
		return err_set(err, ERR_INTEGRITY, "tdx-version", "TD quote: version %u, known are 4 and 5", q->version);
	if (q->tee_type != 0x81)
		return err_set(err, ERR_INTEGRITY, "tdx-structure", "TD quote: TEE type 0x%x, not 0x81 (TDX)", q->tee_type);
	if (q->att_key_type != 2)
		return err_set(err, ERR_INTEGRITY, "tdx-structure",
			       "TD quote: attestation key type %u, not 2 (ECDSA P-256)", q->att_key_type);
	return 0;
}

/* v5 says what follows the header; in v4 it is always the body of TDX 1.0. */
static int read_body_type(struct rd *r, struct tdx_quote *q, struct err **err)
{
	uint32_t size, want;

	q->body_type = 2;
	if (q->version == 5) {
		q->body_type = rd_u16le(r);
		size = rd_u32le(r);
		if (q->body_type != 2 && q->body_type != 3)
			return err_set(err, ERR_INTEGRITY, "tdx-structure",
				       "TD quote: body type %u, known are 2 (TDX 1.0) and 3 (TDX 1.5)", q->body_type);
		want = q->body_type == 3 ? BODY_15_SIZE : BODY_10_SIZE;
		if (size != want)
			return err_set(err, ERR_INTEGRITY, "tdx-structure", "TD quote: body of %u bytes, type %u has %u", size,
				       q->body_type, want);
	}
	q->body.has_15 = q->body_type == 3;
	return 0;
}

static void read_body(struct rd *r, struct tdx_body *b)
{
	rd_copy(r, b->tee_tcb_svn, sizeof(b->tee_tcb_svn));
	rd_copy(r, b->mrseam, sizeof(b->mrseam));
	rd_copy(r, b->mrsignerseam, sizeof(b->mrsignerseam));
	b->seam_attributes = rd_u64le(r);
	b->td_attributes = rd_u64le(r);
	b->xfam = rd_u64le(r);
	rd_copy(r, b->mrtd, sizeof(b->mrtd));
	rd_copy(r, b->mrconfigid, sizeof(b->mrconfigid));
	rd_copy(r, b->mrowner, sizeof(b->mrowner));
	rd_copy(r, b->mrownerconfig, sizeof(b->mrownerconfig));
	for (size_t i = 0; i < 4; i++)
		rd_copy(r, b->rtmr[i], sizeof(b->rtmr[i]));
	rd_copy(r, b->report_data, sizeof(b->report_data));
	if (b->has_15) {
		rd_copy(r, b->tee_tcb_svn2, sizeof(b->tee_tcb_svn2));
		rd_copy(r, b->mrservicetd, sizeof(b->mrservicetd));
	}
}

static void read_qe_report(const uint8_t *raw, struct qe_report *qe)
{
	struct rd r = RD_INIT(raw, QE_REPORT_SIZE);

	rd_copy(&r, qe->cpusvn, sizeof(qe->cpusvn));
	qe->miscselect = rd_u32le(&r);
	rd_seek(&r, 48);
	rd_copy(&r, qe->attributes, sizeof(qe->attributes));
	rd_copy(&r, qe->mrenclave, sizeof(qe->mrenclave));
	rd_seek(&r, 128);
	rd_copy(&r, qe->mrsigner, sizeof(qe->mrsigner));
	rd_seek(&r, 256);
	qe->isvprodid = rd_u16le(&r);
	qe->isvsvn = rd_u16le(&r);
	rd_seek(&r, 320);
	rd_copy(&r, qe->report_data, sizeof(qe->report_data));
}

static int cut_short(size_t at, struct err **err)
{
	return err_set(err, ERR_INTEGRITY, "tdx-truncated", "TD quote: ends inside a field at byte %zu", at);
}

/* A nested {type, size, data} that must fill what its parent left: nothing may hide between. */
static int read_nested(struct rd *r, uint16_t want_type, const char *what, struct err **err)
{
	uint16_t type = rd_u16le(r);
	uint32_t size = rd_u32le(r);

	if (r->bad)
		return cut_short(r->off, err);
	if (type != want_type)
		return err_set(err, ERR_INTEGRITY, "tdx-structure", "TD quote: %s has type %u, not %u", what, type, want_type);
	if (size != rd_left(r))
		return err_set(err, ERR_INTEGRITY, "tdx-structure", "TD quote: %s says %u bytes, %zu are there", what, size,
			       rd_left(r));
	return 0;
}

static int read_signature_data(const uint8_t *data, size_t len, struct tdx_quote *q, struct err **err)
{
	struct rd r = RD_INIT(data, len);

	rd_copy(&r, q->signature, sizeof(q->signature));
	rd_copy(&r, q->att_key, sizeof(q->att_key));
	if (read_nested(&r, CERT_TYPE_QE_REPORT, "QE certification data", err) < 0)
		return -1;
	q->qe_report_raw = rd_ref(&r, QE_REPORT_SIZE);
	rd_copy(&r, q->qe_signature, sizeof(q->qe_signature));
	q->qe_auth_len = rd_u16le(&r);
	q->qe_auth = rd_ref(&r, q->qe_auth_len);
	if (r.bad)
		return cut_short((size_t)(data - q->signed_bytes) + r.off, err);
	if (read_nested(&r, CERT_TYPE_PCK_CHAIN, "PCK certificate chain", err) < 0)
		return -1;
	q->pck_pem_len = rd_left(&r);
	q->pck_pem = (const char *)rd_ref(&r, q->pck_pem_len);
	while (q->pck_pem_len && q->pck_pem[q->pck_pem_len - 1] == 0)
		q->pck_pem_len--;
	read_qe_report(q->qe_report_raw, &q->qe);
	return 0;
}

int tdx_quote_decode(const uint8_t *raw, size_t len, struct tdx_quote *ret, struct err **err)
{
	struct tdx_quote q = { 0 };
	struct rd r = RD_INIT(raw, len);
	uint32_t sig_len;
	const uint8_t *sig;

	if (len < HEADER_SIZE)
		return err_set(err, ERR_INTEGRITY, "tdx-truncated", "TD quote: %zu bytes, at least %d", len, QUOTE_MIN);
	if (len > TDX_QUOTE_MAX)
		return err_set(err, ERR_INTEGRITY, "tdx-structure", "TD quote: %zu bytes, at most %d", len, TDX_QUOTE_MAX);
	if (read_header(&r, &q, err) < 0)
		return -1;
	if (len < QUOTE_MIN)
		return err_set(err, ERR_INTEGRITY, "tdx-truncated", "TD quote: %zu bytes, at least %d", len, QUOTE_MIN);
	if (read_body_type(&r, &q, err) < 0)
		return -1;
	read_body(&r, &q.body);
	q.signed_bytes = raw;
	q.signed_len = r.off;
	sig_len = rd_u32le(&r);
	sig = rd_ref(&r, sig_len);
	if (!sig)
		return err_set(err, ERR_INTEGRITY, "tdx-truncated",
			       "TD quote: signature data of %u bytes, %zu bytes are left", sig_len,
			       len - q.signed_len - 4);
	q.total_len = r.off;
	if (read_signature_data(sig, sig_len, &q, err) < 0)
		return -1;
	*ret = q;
	return 0;
}
