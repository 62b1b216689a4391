/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Shared by testpki*.c alone. */
#ifndef CRYPTATTEST_TESTS_TESTPKI_INT_H
#define CRYPTATTEST_TESTS_TESTPKI_INT_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "tests/lib/testpki.h"

enum pki_item { PKI_ARK, PKI_ASK, PKI_ASVK, PKI_VCEK, PKI_VLEK, PKI_INTEL_ROOT, PKI_PCK_CA, PKI_PCK, PKI_ATT, PKI_ITEMS };

struct testpki {
	EVP_PKEY *key[PKI_ITEMS];
	X509 *cert[PKI_ITEMS]; /* none for PKI_ATT */
	char *roots;
};

extern const uint8_t testpki_chip_id[64];

/* 2020-01-01 and 2049-01-01. */
#define PKI_NOT_BEFORE INT64_C(1577836800)
#define PKI_NOT_AFTER INT64_C(2493072000)

/* Message with OpenSSL's reason; -1. */
int pki_fail(struct err **err, const char *what);

struct pki_name {
	const char *cn;
	bool intel; /* order and attributes of the vendor's names */
};
enum pki_sig { SIG_PSS, SIG_PSS_SALT_32, SIG_ECDSA_SHA256 };

struct pki_cert {
	struct pki_name subject;
	EVP_PKEY *key;
	X509 *issuer; /* NULL: self-signed */
	EVP_PKEY *issuer_key;
	enum pki_sig sig;
	int pathlen; /* -1: not a CA */
	bool end_entity_constraints; /* Intel's leaf says CA:FALSE; AMD's says nothing */
	int64_t not_before, not_after;
	int (*extend)(X509 *x, const void *arg); /* adds extensions; 1 = ok */
	const void *arg;
};
int pki_issue(const struct pki_cert *spec, X509 **ret, struct err **err);
/* Adds a non-critical extension with these value bytes; 1 = ok. */
int pki_add_raw(X509 *x, const char *oid, const void *value, size_t len);

int pki_key_rsa(int bits, EVP_PKEY **ret, struct err **err);
int pki_key_ec(const char *curve, EVP_PKEY **ret, struct err **err);
/* ECDSA over data; r and s big-endian, n bytes each. */
int pki_sign_rs(EVP_PKEY *key, const EVP_MD *md, const void *data, size_t len, uint8_t *r, uint8_t *s, int n,
		struct err **err);
int pki_amd_leaf(const struct testpki *pki, const struct testpki_vek *spec, X509 **ret, struct err **err);
int pki_intel_leaf(const struct testpki *pki, X509 **ret, struct err **err);

#endif
