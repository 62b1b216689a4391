/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "verify/chain.h"

#include <string.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "base/encode.h"
#include "base/text.h"
#include "crypto/ossl.h"

static int wrong_algorithm(const X509 *x, const char *what, struct err **err)
{
	char name[CERT_NAME_MAX];

	cert_subject(x, name);
	return err_set(err, ERR_REFUSED, "chain-algorithm", "certificate \"%s\": %s", name, what);
}

static bool is_alg(const X509_ALGOR *alg, int nid)
{
	const ASN1_OBJECT *obj;

	if (!alg)
		return false;
	X509_ALGOR_get0(&obj, NULL, NULL, alg);
	return OBJ_obj2nid(obj) == nid;
}

/* The hash of the mask generation function is an AlgorithmIdentifier inside its parameter. */
static bool is_mgf1_sha384(const X509_ALGOR *mgf)
{
	const void *param;
	X509_ALGOR *hash;
	int type;
	bool ok;

	if (!is_alg(mgf, NID_mgf1))
		return false;
	X509_ALGOR_get0(NULL, &type, &param, mgf);
	if (type != V_ASN1_SEQUENCE)
		return false;
	hash = ASN1_item_unpack(param, ASN1_ITEM_rptr(X509_ALGOR));
	ok = is_alg(hash, NID_sha384);
	X509_ALGOR_free(hash);
	return ok;
}

static bool pss_parameters_ok(const RSA_PSS_PARAMS *p)
{
	return is_alg(p->hashAlgorithm, NID_sha384) && is_mgf1_sha384(p->maskGenAlgorithm) && p->saltLength &&
	       ASN1_INTEGER_get(p->saltLength) == 48 && (!p->trailerField || ASN1_INTEGER_get(p->trailerField) == 1);
}

/* tee-evidence.md 4.1: every AMD certificate is signed with RSASSA-PSS, SHA-384 throughout, salt 48. */
static int check_pss(const X509 *x, struct err **err)
{
	const X509_ALGOR *alg;
	const ASN1_BIT_STRING *sig;
	const void *param;
	RSA_PSS_PARAMS *pss;
	int type;
	bool ok;

	X509_get0_signature(&sig, &alg, x);
	if (!is_alg(alg, NID_rsassaPss))
		return wrong_algorithm(x, "not signed with RSASSA-PSS", err);
	X509_ALGOR_get0(NULL, &type, &param, alg);
	pss = type == V_ASN1_SEQUENCE ? ASN1_item_unpack(param, ASN1_ITEM_rptr(RSA_PSS_PARAMS)) : NULL;
	ok = pss && pss_parameters_ok(pss);
	RSA_PSS_PARAMS_free(pss);
	ERR_clear_error();
	return ok ? 0 : wrong_algorithm(x, "RSASSA-PSS parameters are not SHA-384, MGF1 with SHA-384, salt 48", err);
}

static int check_rsa4096(const X509 *x, struct err **err)
{
	const EVP_PKEY *key = X509_get0_pubkey(x);

	if (!key || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA || EVP_PKEY_get_bits(key) != 4096)
		return wrong_algorithm(x, "its key is not RSA with 4096 bits", err);
	return 0;
}

static int check_p256(const X509 *x, struct err **err)
{
	const EVP_PKEY *key = X509_get0_pubkey(x);
	char group[32] = "";

	if (!key || EVP_PKEY_get_base_id(key) != EVP_PKEY_EC || !EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) ||
	    strcmp(group, SN_X9_62_prime256v1) != 0)
		return wrong_algorithm(x, "its key is not on P-256", err);
	if (X509_get_signature_nid(x) != NID_ecdsa_with_SHA256)
		return wrong_algorithm(x, "not signed with ECDSA and SHA-256", err);
	return 0;
}

static int check_algorithms(const struct chain_request *rq, X509 *intermediate, X509 *root, struct err **err)
{
	if (rq->tee == TEE_TDX)
		return check_p256(rq->leaf, err) < 0 || check_p256(intermediate, err) < 0 || check_p256(root, err) < 0 ? -1 : 0;
	if (check_pss(rq->leaf, err) < 0 || check_pss(intermediate, err) < 0 || check_pss(root, err) < 0 ||
	    check_rsa4096(intermediate, err) < 0 || check_rsa4096(root, err) < 0)
		return -1;
	return 0;
}

static void asn1_time_text(const ASN1_TIME *t, char out[static 21])
{
	struct tm tm;

	snprintf(out, 21, "%s", "an unreadable date");
	if (ASN1_TIME_to_tm(t, &tm))
		text_format_time((int64_t)timegm(&tm), out);
}

static int path_refused(X509_STORE_CTX *ctx, int64_t at, struct err **err)
{
	int e = X509_STORE_CTX_get_error(ctx);
	const X509 *x = X509_STORE_CTX_get_current_cert(ctx);
	char name[CERT_NAME_MAX] = "?", now[21], from[21] = "?", to[21] = "?";

	if (x) {
		cert_subject(x, name);
		asn1_time_text(X509_get0_notBefore(x), from);
		asn1_time_text(X509_get0_notAfter(x), to);
	}
	text_format_time(at, now);
	switch (e) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return err_set(err, ERR_REFUSED, "chain-expired", "certificate \"%s\" expired on %s, judged at %s", name, to, now);
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return err_set(err, ERR_REFUSED, "chain-not-yet-valid", "certificate \"%s\" is valid from %s, judged at %s", name,
			       from, now);
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		return err_set(err, ERR_REFUSED, "chain-signature", "certificate \"%s\": its issuer's signature is wrong", name);
	case X509_V_ERR_OUT_OF_MEM:
		return err_nomem(err);
	default:
		return err_set(err, ERR_REFUSED, "chain", "certificate \"%s\": %s", name, X509_verify_cert_error_string(e));
	}
}

static bool prepare(X509_STORE_CTX *ctx, X509_STORE *store, STACK_OF(X509) *untrusted, const struct chain_request *rq)
{
	X509_VERIFY_PARAM *param;

	if (!X509_STORE_CTX_init(ctx, store, rq->leaf, untrusted))
		return false;
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, (time_t)rq->at);
	X509_VERIFY_PARAM_set_depth(param, 1);
	X509_VERIFY_PARAM_set_auth_level(param, 2);
	return true;
}

static int try_path(const struct chain_request *rq, X509 *intermediate, X509 *root, struct err **err)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *untrusted = sk_X509_new_null();
	int r;

	if (!store || !ctx || !untrusted || !X509_STORE_add_cert(store, root) ||
	    !sk_X509_push(untrusted, intermediate) || !prepare(ctx, store, untrusted, rq))
		r = ossl_err(err, ERR_INTERNAL, "openssl", "certificate chain");
	else if (X509_verify_cert(ctx) != 1)
		r = path_refused(ctx, rq->at, err);
	else if (sk_X509_num(X509_STORE_CTX_get0_chain(ctx)) != 3)
		r = err_set(err, ERR_REFUSED, "chain", "the certificate chain has not three links");
	else
		r = check_algorithms(rq, intermediate, root, err);
	sk_X509_free(untrusted);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	ERR_clear_error();
	return r;
}

/* Several certificates of a name may lie in the pool (a test bundle beside a real one): one good path is enough, the first
 * fault is reported. */
static int try_root(const struct chain_request *rq, X509 *root, struct err **err)
{
	X509 *intermediate;
	size_t from = 0;

	while ((intermediate = cert_pool_next(rq->pool, rq->intermediate, &from))) {
		struct err *e = NULL;

		if (try_path(rq, intermediate, root, &e) == 0) {
			cert_cache_put(rq->anchors->cache, intermediate);
			cert_cache_put(rq->anchors->cache, root);
			cert_cache_put_leaf(rq->anchors->cache, rq->leaf);
			err_clear(err);
			return 0;
		}
		if (err && !*err)
			*err = e;
		else
			err_free(e);
	}
	return -1;
}

static int not_pinned(const X509 *root, struct err **err)
{
	char name[CERT_NAME_MAX], hex[65];
	uint8_t sha256[32];

	cert_subject(root, name);
	if (cert_sha256(root, sha256, err) < 0)
		return -1;
	hex_encode(sha256, sizeof(sha256), hex);
	return err_set(err, ERR_REFUSED, "chain-root", "root \"%s\" with SHA-256 %s is not a built-in root", name, hex);
}

int chain_verify(const struct chain_request *rq, bool *ret_test_root, struct err **err)
{
	const struct cert_pool *pools[] = { rq->pool, &rq->anchors->test };
	_cleanup_err_ struct err *first = NULL;
	const X509 *stranger = NULL;

	if (!cert_pool_has(rq->pool, rq->intermediate))
		return err_set(err, ERR_REFUSED, "chain-missing", "there is no certificate \"%s\"", rq->intermediate);
	for (size_t i = 0; i < 2; i++) {
		size_t from = 0;
		X509 *root;

		while ((root = cert_pool_next(pools[i], rq->root, &from))) {
			bool test = false;

			if (!anchors_trust(rq->anchors, rq->tee, root, &test)) {
				stranger = root;
			} else if (try_root(rq, root, &first) == 0) {
				*ret_test_root = test;
				return 0;
			}
		}
	}
	if (first) {
		err_propagate(err, first);
		first = NULL;
		return -1;
	}
	if (stranger)
		return not_pinned(stranger, err);
	return err_set(err, ERR_REFUSED, "chain-missing", "there is no certificate \"%s\"", rq->root);
}
