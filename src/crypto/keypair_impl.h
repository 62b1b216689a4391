/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What the files of crypto/ share about keys; nobody else includes this but their test. */
#ifndef CRYPTATTEST_CRYPTO_KEYPAIR_IMPL_H
#define CRYPTATTEST_CRYPTO_KEYPAIR_IMPL_H

#include "crypto/keypair.h"
#include "crypto/ossl.h"

struct keypair {
	EVP_PKEY *pkey;
	struct public_key pub;
};

/* Builds OpenSSL's object from a received public key. ERR_INTEGRITY (id "public-key") when it is not a usable key: RSA
 * outside 2048..4096 bits, even or tiny numbers, a point that is not on the curve. */
int public_key_to_pkey(const struct public_key *pk, EVP_PKEY **ret, struct err **err);

/* The numbers of a key that OpenSSL parsed. ERR_CONFIG (id "key-type"): neither RSA of 2048..4096 bits nor EC on P-256 or
 * P-521. */
int pkey_read_public(const EVP_PKEY *pkey, struct public_key *ret, struct err **err);

#endif
