/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A key of each kind that the agent has, made once for a test program; after <cmocka.h>. */
#ifndef CRYPTATTEST_TESTS_THREE_KEYS_H
#define CRYPTATTEST_TESTS_THREE_KEYS_H

#include "crypto/keypair.h"

static struct keypair *rsa, *p256, *p521;

static inline int keys_make(void **state)
{
	return keypair_generate(KEY_RSA_2048, &rsa, NULL) < 0 || keypair_generate(KEY_EC_P256, &p256, NULL) < 0 ?
		       -1 :
		       keypair_generate(KEY_EC_P521, &p521, NULL);
}

static inline int keys_free(void **state)
{
	keypair_free(rsa);
	keypair_free(p256);
	keypair_free(p521);
	return 0;
}

#endif
