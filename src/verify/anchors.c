/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "verify/certs.h"

/* SHA-256 of the vendors' root certificates in DER (tee-evidence.md 4.1 and 4.2). */
static const struct {
	enum tee_kind tee;
	uint8_t sha256[32];
} pins[] = {
	{ TEE_SNP, /* ARK-Milan */
	  { 0x69, 0xD0, 0x63, 0xB4, 0x53, 0x44, 0xD2, 0x6A, 0x2E, 0x94, 0xE1, 0xF4, 0x21, 0x0D, 0xE4, 0x9E,
	    0xF5, 0x55, 0x30, 0x82, 0x87, 0xD4, 0xC1, 0x74, 0x44, 0x5C, 0x95, 0x63, 0x9A, 0x54, 0x0B, 0xCD } },
	{ TEE_SNP, /* ARK-Genoa */
	  { 0x4C, 0x65, 0x98, 0xD1, 0x9C, 0x18, 0x71, 0x9C, 0x5D, 0xFD, 0x4A, 0x7D, 0x33, 0x5F, 0x67, 0x4E,
	    0x5B, 0xFE, 0x1D, 0x8F, 0x80, 0x0C, 0xEA, 0x2C, 0xF2, 0x70, 0xC1, 0x0D, 0x10, 0x3D, 0xB2, 0xF1 } },
	{ TEE_SNP, /* ARK-Turin */
	  { 0x1F, 0x08, 0x41, 0x61, 0xA4, 0x4B, 0xB6, 0xD9, 0x37, 0x78, 0xA9, 0x04, 0x87, 0x7D, 0x48, 0x19,
	    0xCA, 0xFA, 0x5D, 0x05, 0xEF, 0x41, 0x93, 0xB2, 0xDE, 0xD9, 0xDD, 0x9C, 0x73, 0xDD, 0x3F, 0x6A } },
	{ TEE_TDX, /* Intel SGX Root CA */
	  { 0x44, 0xA0, 0x19, 0x6B, 0x2B, 0x99, 0xF8, 0x89, 0xB8, 0xE1, 0x49, 0xE9, 0x5B, 0x80, 0x7A, 0x35,
	    0x0E, 0x74, 0x24, 0x96, 0x43, 0x99, 0xE8, 0x85, 0xA7, 0xCB, 0xB8, 0xCC, 0xFA, 0xB6, 0x74, 0xD3 } },
};

int trust_anchors_new(struct trust_anchors **ret, struct err **err)
{
	struct trust_anchors *ta = calloc(1, sizeof(*ta));

	if (ta)
		ta->cache = calloc(1, sizeof(*ta->cache));
	if (!ta || !ta->cache) {
		free(ta);
		return err_nomem(err);
	}
	*ret = ta;
	return 0;
}

void trust_anchors_free(struct trust_anchors *ta)
{
	if (!ta)
		return;
	cert_pool_free(&ta->test);
	cert_cache_clear(ta->cache);
	free(ta->cache);
	free(ta);
}

bool trust_anchors_have_test(const struct trust_anchors *ta)
{
	return ta->test.n > 0;
}

/* A certificate that does not sign itself cannot end a chain: naming one as root is a mistake worth hearing of. */
static int check_self_signed(X509 *x, struct err **err)
{
	char name[CERT_NAME_MAX];

	cert_subject(x, name);
	if (X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)) != 0 ||
	    X509_verify(x, X509_get0_pubkey(x)) != 1)
		return err_set(err, ERR_CONFIG, "test-root", "certificate \"%s\" is not self-signed: no root", name);
	if (!name[0])
		return err_set(err, ERR_CONFIG, "test-root", "test root without a common name");
	return 0;
}

int trust_anchors_add_test_root(struct trust_anchors *ta, const void *data, size_t len, struct err **err)
{
	_cleanup_pool_ struct cert_pool more = { 0 };

	if (cert_pool_add(&more, data, len, "test root", ERR_CONFIG, err) < 0)
		return -1;
	for (size_t i = 0; i < more.n; i++)
		if (check_self_signed(more.cert[i], err) < 0)
			return -1;
	if (more.n > CERT_POOL_MAX - ta->test.n)
		return err_set(err, ERR_CONFIG, "test-root", "more than %d test roots", CERT_POOL_MAX);
	for (size_t i = 0; i < more.n; i++)
		ta->test.cert[ta->test.n++] = more.cert[i];
	more.n = 0;
	return 0;
}

/* Built-in first: a genuine root named as test root stays genuine. */
bool anchors_trust(const struct trust_anchors *ta, enum tee_kind tee, const X509 *x, bool *ret_test)
{
	uint8_t sha256[32];

	if (cert_sha256(x, sha256, NULL) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(pins); i++) {
		if (pins[i].tee == tee && memcmp(pins[i].sha256, sha256, sizeof(sha256)) == 0) {
			*ret_test = false;
			return true;
		}
	}
	for (size_t i = 0; i < ta->test.n; i++) {
		uint8_t test[32];

		if (cert_sha256(ta->test.cert[i], test, NULL) == 0 && memcmp(test, sha256, sizeof(sha256)) == 0) {
			*ret_test = true;
			return true;
		}
	}
	return false;
}
