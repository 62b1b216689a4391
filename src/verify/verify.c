/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "verify/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/err.h>

#include "base/encode.h"
#include "crypto/ossl.h"
#include "verify/appraise.h"

void verdict_missing(struct verdict *v, const char *fmt, ...)
{
	va_list ap;

	if (v->missing_n == sizeof(v->missing) / sizeof(v->missing[0]))
		return;
	va_start(ap, fmt);
	vsnprintf(v->missing[v->missing_n++], sizeof(v->missing[0]), fmt, ap);
	va_end(ap);
}

void verdict_root(struct verdict *v, const char *cn, bool test)
{
	v->test_root = test;
	snprintf(v->root, sizeof(v->root), "%s%.58s", test ? "test:" : "", cn);
}

static bool put_number(const uint8_t *p, int n, BIGNUM **ret)
{
	*ret = BN_bin2bn(p, n, NULL);
	return *ret != NULL;
}

static int signature_der(const uint8_t *r, const uint8_t *s, int n, uint8_t **ret)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *rr = NULL, *ss = NULL;
	int len = -1;

	if (sig && put_number(r, n, &rr) && put_number(s, n, &ss) && ECDSA_SIG_set0(sig, rr, ss)) {
		rr = ss = NULL;
		len = i2d_ECDSA_SIG(sig, ret);
	}
	BN_free(rr);
	BN_free(ss);
	ECDSA_SIG_free(sig);
	return len;
}

int ecdsa_check(EVP_PKEY *key, const EVP_MD *md, const void *data, size_t len, const uint8_t *r, const uint8_t *s, int n,
		const char *id, const char *what, struct err **err)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t *der = NULL;
	int der_len = signature_der(r, s, n, &der), ok = -1;

	if (!ctx || der_len < 0 || EVP_DigestVerifyInit(ctx, NULL, md, NULL, key) <= 0) {
		OPENSSL_free(der);
		EVP_MD_CTX_free(ctx);
		return ossl_err(err, ERR_INTERNAL, "openssl", "%s", what);
	}
	ok = EVP_DigestVerify(ctx, der, (size_t)der_len, data, len);
	OPENSSL_free(der);
	EVP_MD_CTX_free(ctx);
	/* Zero and negative are both "no": numbers out of range are reported as an error by the library. */
	ERR_clear_error();
	return ok == 1 ? 0 : err_set(err, ERR_REFUSED, id, "%s", what);
}

static int check_report_data(const struct verify_input *in, struct err **err)
{
	char got_hex[2 * TEE_REPORT_DATA + 1], want_hex[2 * TEE_REPORT_DATA + 1];
	uint8_t got[TEE_REPORT_DATA];

	if (!in->report_data)
		return 0;
	if (evidence_report_data(in->evidence, got, err) < 0)
		return -1;
	if (memcmp(got, in->report_data, sizeof(got)) == 0)
		return 0;
	hex_encode(got, sizeof(got), got_hex);
	hex_encode(in->report_data, sizeof(got), want_hex);
	return err_set(err, ERR_REFUSED, "report-data", "report data is %s, expected was %s", got_hex, want_hex);
}

static int appraise(const struct verify_input *in, struct verdict *v, struct err **err)
{
	int r = in->evidence->tee == TEE_SNP ? appraise_snp(in, v, err) : appraise_tdx(in, v, err);

	return r < 0 ? r : check_report_data(in, err);
}

int verify_evidence(const struct verify_input *in, struct verdict *ret, struct err **err)
{
	_cleanup_err_ struct err *e = NULL;
	struct verdict v = { .tee = in->evidence->tee };

	if (v.tee != TEE_SNP && v.tee != TEE_TDX)
		return err_set(err, ERR_CONFIG, "evidence-format", "evidence: neither SNP nor TDX");
	if (appraise(in, &v, &e) == 0) {
		v.verified = true;
	} else if (err_class(e) == ERR_REFUSED || err_class(e) == ERR_INTEGRITY) {
		snprintf(v.reason_id, sizeof(v.reason_id), "%s", err_id(e));
		snprintf(v.reason, sizeof(v.reason), "%s", err_message(e));
	} else {
		err_propagate(err, e);
		e = NULL;
		return -1;
	}
	*ret = v;
	return 0;
}
