/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * cryptattest-testpki: makes a test PKI directory and signs reports and quotes with it, for shell tests and guests.
 *
 *   cryptattest-testpki init DIR
 *   cryptattest-testpki snp DIR --out FILE [--certs FILE] [--format raw|trustee] [--report-data HEX] [--set FIELD=VALUE]...
 *   cryptattest-testpki tdx DIR --out FILE [--format raw|trustee] [--report-data HEX] [--set FIELD=VALUE]...
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/fileio.h"
#include "base/text.h"
#include "evidence/trustee_json.h"
#include "tests/lib/testpki.h"
#include "tests/lib/testpki_fields.h"

struct request {
	const char *out, *certs, *report_data;
	bool trustee;
	char *sets[64];
	size_t sets_n;
};

static int parse(int argc, char **argv, struct request *rq, struct err **err)
{
	static const struct option options[] = {
		{ "out", 1, NULL, 'o' },    { "certs", 1, NULL, 'c' }, { "report-data", 1, NULL, 'r' },
		{ "format", 1, NULL, 'f' }, { "set", 1, NULL, 's' },   { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'o') {
			rq->out = optarg;
		} else if (c == 'c') {
			rq->certs = optarg;
		} else if (c == 'r') {
			rq->report_data = optarg;
		} else if (c == 'f' && (text_eq(optarg, "raw") || text_eq(optarg, "trustee"))) {
			rq->trustee = text_eq(optarg, "trustee");
		} else if (c == 's' && rq->sets_n < ARRAY_SIZE(rq->sets)) {
			rq->sets[rq->sets_n++] = optarg;
		} else {
			return err_set(err, ERR_CONFIG, "usage", "bad option");
		}
	}
	return rq->out ? 0 : err_set(err, ERR_CONFIG, "usage", "--out FILE is needed");
}

/* As many bytes as there are digits; the rest stays zero. */
static int report_data(const struct request *rq, uint8_t out[static TEE_REPORT_DATA], struct err **err)
{
	size_t digits = rq->report_data ? strlen(rq->report_data) : 0;

	if (digits > 2 * TEE_REPORT_DATA)
		return err_set(err, ERR_CONFIG, "usage", "--report-data: at most 64 bytes");
	return hex_decode(rq->report_data ? rq->report_data : "", digits, out, digits / 2, err);
}

static int write_evidence(const struct request *rq, const struct evidence *ev, struct err **err)
{
	_cleanup_free_ char *json = NULL;

	if (!rq->trustee)
		return file_write_atomic(AT_FDCWD, rq->out, ev->report, ev->report_len, 0644, err);
	if (evidence_to_trustee_json(ev, &json, err) < 0)
		return -1;
	return file_write_atomic(AT_FDCWD, rq->out, json, strlen(json), 0644, err);
}

static int do_snp(const struct testpki *pki, const struct request *rq, struct err **err)
{
	_cleanup_buf_ struct buf certs = BUF_INIT(CERT_TABLE_MAX);
	uint8_t raw[SNP_REPORT_SIZE];
	struct snp_report r;
	struct evidence ev;

	testpki_snp_template(pki, &r);
	if (report_data(rq, r.report_data, err) < 0)
		return -1;
	for (size_t i = 0; i < rq->sets_n; i++)
		if (testpki_snp_set(&r, rq->sets[i], err) < 0)
			return -1;
	if (testpki_snp_sign(pki, &r, raw, err) < 0 || testpki_snp_certs(pki, snp_signing_key(&r) == 1, &certs, err) < 0)
		return -1;
	if (rq->certs && file_write_atomic(AT_FDCWD, rq->certs, certs.data, certs.len, 0644, err) < 0)
		return -1;
	ev = (struct evidence){ .tee = TEE_SNP, .report = raw, .report_len = sizeof(raw), .aux = certs.data, .aux_len = certs.len };
	return write_evidence(rq, &ev, err);
}

static int do_tdx(const struct testpki *pki, const struct request *rq, struct err **err)
{
	_cleanup_buf_ struct buf quote = BUF_INIT(TDX_QUOTE_MAX);
	struct testpki_tdx t;
	struct evidence ev;

	testpki_tdx_template(pki, &t);
	if (report_data(rq, t.body.report_data, err) < 0)
		return -1;
	for (size_t i = 0; i < rq->sets_n; i++)
		if (testpki_tdx_set(&t, rq->sets[i], err) < 0)
			return -1;
	if (testpki_tdx_sign(pki, &t, &quote, err) < 0)
		return -1;
	ev = (struct evidence){ .tee = TEE_TDX, .report = quote.data, .report_len = quote.len };
	return write_evidence(rq, &ev, err);
}

static int run(int argc, char **argv, struct err **err)
{
	_cleanup_testpki_ struct testpki *pki = NULL;
	struct request rq = { 0 };
	const char *verb = argc > 2 ? argv[1] : "";

	if (!text_eq(verb, "init") && !text_eq(verb, "snp") && !text_eq(verb, "tdx"))
		return err_set(err, ERR_CONFIG, "usage", "cryptattest-testpki init|snp|tdx DIR [options]");
	if (testpki_open(argv[2], &pki, err) < 0)
		return -1;
	if (text_eq(verb, "init"))
		return 0;
	if (parse(argc - 2, argv + 2, &rq, err) < 0)
		return -1;
	return text_eq(verb, "snp") ? do_snp(pki, &rq, err) : do_tdx(pki, &rq, err);
}

int main(int argc, char **argv)
{
	_cleanup_err_ struct err *err = NULL;

	if (run(argc, argv, &err) == 0)
		return 0;
	fprintf(stderr, "cryptattest-testpki: %s\n", err_message(err));
	return err_class(err) == ERR_CONFIG ? 2 : 1;
}
