/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "evidence/trustee_json.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "evidence/cert_table.h"
#include "evidence/event_log.h"
#include "evidence/snp_report.h"
#include "evidence/tdx_quote.h"
#include "evidence/trustee_snp.h"
#include "wire/json.h"

/* A quote and a full event log in base64 fit; so does a report with 16 KiB of certificates as numbers. */
#define EVIDENCE_JSON_MAX (2 * 1024 * 1024)
#define LOG_END 8

static void evidence_clearp(struct evidence *ev)
{
	evidence_clear(ev);
}

#define _cleanup_evidence_ _cleanup_(evidence_clearp)

/* --- writing --- */

static int write_snp(const struct evidence *ev, struct buf *out, struct err **err)
{
	struct snp_report r;

	if (snp_report_decode(ev->report, ev->report_len, &r, err) < 0)
		return -1;
	buf_puts(out, "{\"attestation_report\":");
	if (trustee_snp_write(ev->report, out, err) < 0)
		return -1;
	buf_puts(out, ",\"cert_chain\":");
	if (trustee_certs_write(ev->aux, ev->aux_len, out, err) < 0)
		return -1;
	buf_putc(out, '}');
	return buf_check(out, err);
}

static int put_b64(struct buf *out, const void *data, size_t len, struct err **err)
{
	_cleanup_free_ char *text = b64_encode_dup(B64_STD, data, len);

	if (!text)
		return err_nomem(err);
	buf_printf(out, "\"%s\"", text);
	return 0;
}

/* Length of the log if it explains the quote's registers, else 0. */
static size_t log_that_replays(const struct evidence *ev, const struct tdx_quote *q)
{
	uint8_t rtmr[4][48];
	size_t used;

	if (!ev->aux || event_log_length(ev->aux, ev->aux_len, &used, NULL) < 0 ||
	    event_log_replay(ev->aux, used, rtmr, NULL) < 0)
		return 0;
	return memcmp(rtmr, q->body.rtmr, sizeof(rtmr)) == 0 ? used : 0;
}

/* A verifier refuses a log that does not replay, but takes a quote without one. Eight FF bytes end the log, as in the
 * Rust attester's form. */
static int write_log(const struct evidence *ev, const struct tdx_quote *q, struct buf *out, struct err **err)
{
	size_t used = log_that_replays(ev, q);
	_cleanup_free_ uint8_t *log = NULL;

	if (!used) {
		buf_puts(out, "null");
		return 0;
	}
	log = malloc(used + LOG_END);
	if (!log)
		return err_nomem(err);
	memcpy(log, ev->aux, used);
	memset(log + used, 0xFF, LOG_END);
	return put_b64(out, log, used + LOG_END, err);
}

static int write_tdx(const struct evidence *ev, struct buf *out, struct err **err)
{
	struct tdx_quote q;

	if (tdx_quote_decode(ev->report, ev->report_len, &q, err) < 0)
		return -1;
	buf_puts(out, "{\"cc_eventlog\":");
	if (write_log(ev, &q, out, err) < 0)
		return -1;
	buf_puts(out, ",\"quote\":");
	if (put_b64(out, ev->report, ev->report_len, err) < 0)
		return -1;
	buf_putc(out, '}');
	return buf_check(out, err);
}

int evidence_to_trustee_json(const struct evidence *ev, char **ret, struct err **err)
{
	_cleanup_buf_ struct buf out = BUF_INIT(EVIDENCE_JSON_MAX);
	char *text;
	int r;

	if (ev->tee == TEE_NONE)
		return err_set(err, ERR_INTEGRITY, "evidence-format", "evidence: neither SNP nor TDX");
	r = ev->tee == TEE_SNP ? write_snp(ev, &out, err) : write_tdx(ev, &out, err);
	if (r < 0)
		return -1;
	text = buf_take_str(&out);
	if (!text)
		return err_nomem(err);
	*ret = text;
	return 0;
}

/* --- reading --- */

static int snp_from_object(const json_t *report, const json_t *chain, struct evidence *ret, struct err **err)
{
	_cleanup_evidence_ struct evidence ev = { .tee = TEE_SNP, .report_len = SNP_REPORT_SIZE };

	ev.report = malloc(SNP_REPORT_SIZE);
	if (!ev.report)
		return err_nomem(err);
	if (trustee_snp_read(report, ev.report, err) < 0 || trustee_certs_read(chain, &ev.aux, &ev.aux_len, err) < 0)
		return -1;
	*ret = ev;
	ev = (struct evidence){ 0 };
	return 0;
}

static int get_b64(const json_t *obj, const char *key, size_t max, uint8_t **ret, size_t *ret_len, struct err **err)
{
	const json_t *v = json_object_get(obj, key);

	if (!json_is_string(v))
		return err_set(err, ERR_INTEGRITY, "tdx-json", "TDX evidence: member %s is %s", key, v ? "not a string" : "missing");
	if (json_string_length(v) / 4 * 3 > max + 3)
		return err_set(err, ERR_INTEGRITY, "tdx-json", "TDX evidence: member %s is over %zu bytes", key, max);
	if (b64_decode_dup(B64_STD, json_string_value(v), json_string_length(v), ret, ret_len, err) < 0)
		return err_wrap(err, "TDX evidence: member %s", key);
	return 0;
}

static int tdx_from_object(const json_t *obj, struct evidence *ret, struct err **err)
{
	const json_t *log = json_object_get(obj, "cc_eventlog");
	_cleanup_evidence_ struct evidence ev = { .tee = TEE_TDX };
	size_t used;

	if (get_b64(obj, "quote", TDX_QUOTE_MAX, &ev.report, &ev.report_len, err) < 0)
		return -1;
	if (log && !json_is_null(log)) {
		if (get_b64(obj, "cc_eventlog", EVENT_LOG_MAX, &ev.aux, &ev.aux_len, err) < 0 ||
		    event_log_length(ev.aux, ev.aux_len, &used, err) < 0)
			return -1;
		ev.aux_len = used;
	}
	*ret = ev;
	ev = (struct evidence){ 0 };
	return 0;
}

int evidence_from_trustee_json(enum tee_kind tee, const char *text, size_t len, struct evidence *ret, struct err **err)
{
	_cleanup_json_ json_t *obj = NULL;

	if (json_parse_bytes(text, len, EVIDENCE_JSON_MAX, &obj, err) < 0)
		return -1;
	return evidence_from_trustee_object(tee, obj, ret, err);
}

int evidence_from_trustee_object(enum tee_kind tee, const json_t *obj, struct evidence *ret, struct err **err)
{
	switch (tee) {
	case TEE_SNP:
		return snp_from_object(json_object_get(obj, "attestation_report"), json_object_get(obj, "cert_chain"), ret, err);
	case TEE_TDX:
		return tdx_from_object(obj, ret, err);
	case TEE_NONE:
		break;
	}
	return err_set(err, ERR_INTEGRITY, "evidence-format", "evidence: neither SNP nor TDX");
}

/* --- any file --- */

static int load_json(const char *text, size_t len, struct evidence *ret, struct err **err)
{
	_cleanup_json_ json_t *obj = NULL;
	const json_t *report;

	if (json_parse_bytes(text, len, EVIDENCE_JSON_MAX, &obj, err) < 0)
		return -1;
	report = json_object_get(obj, "attestation_report");
	if (report)
		return snp_from_object(report, json_object_get(obj, "cert_chain"), ret, err);
	if (json_object_get(obj, "quote"))
		return tdx_from_object(obj, ret, err);
	/* The report object alone, as other tools print it. */
	if (json_object_get(obj, "measurement") && json_object_get(obj, "signature"))
		return snp_from_object(obj, NULL, ret, err);
	return err_set(err, ERR_INTEGRITY, "evidence-format",
		       "evidence: JSON without attestation_report (SNP) or quote (TDX)%s",
		       json_object_get(obj, "hcl_report") ? "; evidence of an Azure vTPM is not supported" : "");
}

static int load_raw(enum tee_kind tee, const uint8_t *data, size_t len, struct evidence *ret, struct err **err)
{
	uint8_t *copy = malloc(len ? len : 1);

	if (!copy)
		return err_nomem(err);
	memcpy(copy, data, len);
	*ret = (struct evidence){ .tee = tee, .report = copy, .report_len = len };
	return 0;
}

static bool is_json(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!memchr(" \t\r\n", data[i], 4))
			return data[i] == '{';
	return false;
}

/* A quote is longer than a report whatever its certificates, so the length tells the two apart. An SGX quote is loaded
 * as a quote, for the verdict to say what is wrong with it. */
int evidence_load(const uint8_t *data, size_t len, struct evidence *ret, struct err **err)
{
	struct rd r = RD_INIT(data, len);
	uint16_t version;

	if (is_json(data, len))
		return load_json((const char *)data, len, ret, err);
	if (len == SNP_REPORT_SIZE)
		return load_raw(TEE_SNP, data, len, ret, err);
	version = rd_u16le(&r);
	if (len > SNP_REPORT_SIZE && len <= TDX_QUOTE_MAX && version >= 3 && version <= 5)
		return load_raw(TEE_TDX, data, len, ret, err);
	return err_set(err, ERR_INTEGRITY, "evidence-format",
		       "evidence: %zu bytes that are no SNP report (%d bytes), TD quote or JSON object", len, SNP_REPORT_SIZE);
}
