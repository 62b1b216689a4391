/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* TDX: tee-evidence.md 4.2 steps 1 to 6, architecture.md C3. Intel's TCB collateral is not evaluated here. */
#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/encode.h"
#include "crypto/digest.h"
#include "crypto/ossl.h"
#include "evidence/event_log.h"
#include "verify/appraise.h"
#include "verify/chain.h"

#define SGX_ATTR_DEBUG 0x02
#define PCK_CN "Intel SGX PCK Certificate"
#define ROOT_CN "Intel SGX Root CA"

/* Intel's, not a policy matter: without them any SGX host can certify an enclave of its own that signs any MRTD. */
static const uint8_t qe_vendor[16] = { 0x93, 0x9A, 0x72, 0x33, 0xF7, 0x9C, 0x4C, 0xA9,
				       0x94, 0x0A, 0x0D, 0xB3, 0x95, 0x7F, 0x06, 0x07 };
static const uint8_t qe_signer[32] = { 0xDC, 0x9E, 0x2A, 0x7C, 0x6F, 0x94, 0x8F, 0x17, 0x47, 0x4E, 0x34,
				       0xA7, 0xFC, 0x43, 0xED, 0x03, 0x0F, 0x7C, 0x15, 0x63, 0xF1, 0xBA,
				       0xBD, 0xDF, 0x63, 0x40, 0xC8, 0x2E, 0x0E, 0x54, 0xA8, 0xC5 };
#define QE_PRODUCT 2
#define QE_SVN_MIN 4 /* the oldest of which Intel's identity of the TD quoting enclave says "up to date" */

struct tdx {
	const struct verify_input *in;
	struct verdict *v;
	struct tdx_quote *q; /* v->tdx */
	struct cert_pool pool;
};

static void tdx_clear(struct tdx *t)
{
	cert_pool_free(&t->pool);
}

static int differ(const char *id, const char *what, const void *got, const void *want, size_t n, struct err **err)
{
	char got_hex[97], want_hex[97];

	hex_encode(got, n, got_hex);
	hex_encode(want, n, want_hex);
	return err_set(err, ERR_REFUSED, id, "%s is %s, not %s", what, got_hex, want_hex);
}

/* The module that measures and isolates the TD must be Intel's own, in production form. */
static int check_module(const struct tdx_quote *q, struct err **err)
{
	static const uint8_t zero[48];

	if (memcmp(q->qe_vendor_id, qe_vendor, sizeof(qe_vendor)) != 0)
		return differ("tdx-vendor", "quoting enclave vendor", q->qe_vendor_id, qe_vendor, sizeof(qe_vendor), err);
	if (memcmp(q->body.mrsignerseam, zero, sizeof(zero)) != 0)
		return differ("tdx-module", "signer of the TDX module", q->body.mrsignerseam, zero, sizeof(zero), err);
	if (q->body.seam_attributes)
		return err_set(err, ERR_REFUSED, "tdx-module", "TDX module attributes are 0x%llx, not 0",
			       (unsigned long long)q->body.seam_attributes);
	if ((q->body.xfam & 3) != 3)
		return err_set(err, ERR_REFUSED, "tdx-xfam", "XFAM is 0x%llx: bits 0 and 1 are always set on real hardware",
			       (unsigned long long)q->body.xfam);
	if (q->body.xfam & ~TDX_XFAM_KNOWN)
		return err_set(err, ERR_REFUSED, "tdx-xfam", "XFAM is 0x%llx: bits 0x%llx are not known",
			       (unsigned long long)q->body.xfam, (unsigned long long)(q->body.xfam & ~TDX_XFAM_KNOWN));
	/* What an unknown attribute takes from the TD's protection nobody can say; the known ones are for the policy. */
	if (q->body.td_attributes & ~TDX_ATTR_KNOWN)
		return err_set(err, ERR_REFUSED, "tdx-attributes", "TD attributes are 0x%llx: bits 0x%llx are not known",
			       (unsigned long long)q->body.td_attributes,
			       (unsigned long long)(q->body.td_attributes & ~TDX_ATTR_KNOWN));
	return 0;
}

static int take_certificates(struct tdx *t, struct err **err)
{
	const struct verify_input *in = t->in;

	if (cert_pool_add(&t->pool, t->q->pck_pem, t->q->pck_pem_len, "PCK chain of the quote", ERR_REFUSED, err) < 0)
		return -1;
	if (in->ca && cert_pool_add_own(&t->pool, in->ca, in->ca_len, in->ca_file, in->anchors->cache, err) < 0)
		return -1;
	return 0;
}

static int need_root(const struct tdx *t, const char *intermediate, struct err **err)
{
	if (!cert_pool_has(&t->pool, intermediate))
		verdict_missing(t->v, "intermediate certificate %s", intermediate);
	if (!cert_pool_has(&t->pool, ROOT_CN) && !cert_pool_has(&t->in->anchors->test, ROOT_CN))
		verdict_missing(t->v, "root certificate " ROOT_CN);
	if (!t->v->missing_n)
		return 0;
	return err_set(err, ERR_REFUSED, "chain-missing", "the certificate chain of the quote is not complete: %s",
		       t->v->missing[0]);
}

/* The root that the quote brings counts only as far as it is the pinned one. */
static int check_chain(struct tdx *t, X509 **ret_leaf, struct err **err)
{
	char subject[CERT_NAME_MAX], issuer[CERT_NAME_MAX];
	X509 *leaf = t->pool.cert[0];
	const struct chain_request rq = {
		.tee = TEE_TDX,
		.leaf = leaf,
		.intermediate = issuer,
		.root = ROOT_CN,
		.pool = &t->pool,
		.anchors = t->in->anchors,
		.at = t->in->at,
	};
	bool test;

	cert_subject(leaf, subject);
	cert_issuer(leaf, issuer);
	if (strcmp(subject, PCK_CN) != 0)
		return err_set(err, ERR_REFUSED, "pck-name", "the quote's first certificate is \"%s\", not \"" PCK_CN "\"", subject);
	if (strcmp(issuer, "Intel SGX PCK Platform CA") != 0 && strcmp(issuer, "Intel SGX PCK Processor CA") != 0)
		return err_set(err, ERR_REFUSED, "pck-name", "issuer of the PCK certificate is \"%s\", not Intel's platform or processor CA",
			       issuer);
	if (need_root(t, issuer, err) < 0 || chain_verify(&rq, &test, err) < 0)
		return -1;
	verdict_root(t->v, ROOT_CN, test);
	t->v->signer = SIGNER_PCK;
	*ret_leaf = leaf;
	return 0;
}

static int check_qe_identity(const struct tdx_quote *q, struct err **err)
{
	if (memcmp(q->qe.mrsigner, qe_signer, sizeof(qe_signer)) != 0)
		return differ("tdx-qe-identity", "signer of the quoting enclave", q->qe.mrsigner, qe_signer, sizeof(qe_signer), err);
	if (q->qe.isvprodid != QE_PRODUCT)
		return err_set(err, ERR_REFUSED, "tdx-qe-identity", "product id of the quoting enclave is %u, not %u (TD quoting enclave)",
			       q->qe.isvprodid, QE_PRODUCT);
	if (q->qe.isvsvn < QE_SVN_MIN)
		return err_set(err, ERR_REFUSED, "tdx-qe-identity", "the quoting enclave has security version %u, at least %u is wanted",
			       q->qe.isvsvn, QE_SVN_MIN);
	if (q->qe.attributes[0] & SGX_ATTR_DEBUG)
		return err_set(err, ERR_REFUSED, "tdx-qe-debug", "the quoting enclave runs in debug mode: its key is readable");
	return 0;
}

static int check_binding(const struct tdx_quote *q, struct err **err)
{
	const struct digest_piece pieces[] = { { q->att_key, sizeof(q->att_key) }, { q->qe_auth, q->qe_auth_len } };
	uint8_t want[DIGEST_MAX] = { 0 };

	if (digest_pieces(DIGEST_SHA256, pieces, 2, want, err) < 0)
		return -1;
	memset(want + 32, 0, 32);
	if (memcmp(q->qe.report_data, want, 64) == 0)
		return 0;
	return differ("tdx-qe-binding", "quoting enclave's report data", q->qe.report_data, want, 32, err);
}

/* An uncompressed point; OpenSSL refuses one that is not on the curve. */
static int attestation_key(const struct tdx_quote *q, EVP_PKEY **ret, struct err **err)
{
	uint8_t point[65] = { 4 };
	char group[] = SN_X9_62_prime256v1;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;
	bool init;

	memcpy(point + 1, q->att_key, sizeof(q->att_key));
	init = ctx && EVP_PKEY_fromdata_init(ctx) > 0;
	if (init && EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) <= 0)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	if (!init)
		return ossl_err(err, ERR_INTERNAL, "openssl", "attestation key");
	ERR_clear_error();
	if (!key)
		return err_set(err, ERR_REFUSED, "tdx-att-key", "attestation key of the quote is no point on P-256");
	*ret = key;
	return 0;
}

static int check_quote_signature(const struct tdx_quote *q, struct err **err)
{
	EVP_PKEY *key = NULL;
	int r;

	if (attestation_key(q, &key, err) < 0)
		return -1;
	r = ecdsa_check(key, EVP_sha256(), q->signed_bytes, q->signed_len, q->signature, q->signature + 32, 32, "tdx-signature",
			"signature of the quote is not by its attestation key", err);
	EVP_PKEY_free(key);
	return r;
}

/* A log that tells another story than the registers is no ornament: somebody changed it. */
static int check_event_log(const struct tdx *t, struct err **err)
{
	const struct evidence *ev = t->in->evidence;
	uint8_t rtmr[4][48];

	if (!ev->aux)
		return 0;
	if (event_log_replay(ev->aux, ev->aux_len, rtmr, err) < 0)
		return -1;
	for (size_t i = 0; i < 4; i++)
		if (memcmp(rtmr[i], t->q->body.rtmr[i], 48) != 0)
			return err_set(err, ERR_REFUSED, "tdx-event-log", "the event log does not replay to RTMR%zu of the quote", i);
	return 0;
}

int appraise_tdx(const struct verify_input *in, struct verdict *v, struct err **err)
{
	__attribute__((cleanup(tdx_clear))) struct tdx t = { .in = in, .v = v, .q = &v->tdx,
		.pool = { .cache = in->anchors->cache } };
	const struct tdx_quote *q = t.q;
	X509 *leaf = NULL;

	if (tdx_quote_decode(in->evidence->report, in->evidence->report_len, &v->tdx, err) < 0)
		return -1;
	snprintf(v->tcb, sizeof(v->tcb), "unverified");
	if (check_module(q, err) < 0 || take_certificates(&t, err) < 0 || check_chain(&t, &leaf, err) < 0)
		return -1;
	if (ecdsa_check(X509_get0_pubkey(leaf), EVP_sha256(), q->qe_report_raw, 384, q->qe_signature, q->qe_signature + 32, 32,
			"tdx-qe-signature", "signature of the quoting enclave's report is not by the PCK", err) < 0)
		return -1;
	if (check_qe_identity(q, err) < 0 || check_binding(q, err) < 0 || check_quote_signature(q, err) < 0 ||
	    check_event_log(&t, err) < 0)
		return -1;
	verdict_missing(v, "TCB status: no collateral of Intel was evaluated");
	verdict_missing(v, "revocation of the PCK certificate: no collateral of Intel was evaluated");
	return 0;
}
