/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Between OpenSSL and the rest: its error queue becomes a struct err, its objects are freed at scope exit. For the files
 * that include <openssl/...> only (crypto/, verify/, the server's key files); foreign types stay inside their module.
 */
#ifndef CRYPTATTEST_CRYPTO_OSSL_H
#define CRYPTATTEST_CRYPTO_OSSL_H

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#include "base/cleanup.h"
#include "base/err.h"

/* "text: reason" with the reason of the newest queued error, then empties the queue. An allocation failure becomes
 * ERR_NOMEM whatever class was asked for. Returns -1. */
int ossl_err(struct err **err, enum err_class cls, const char *id, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* For every PEM_read_*: a block that claims to be encrypted would make OpenSSL ask for a passphrase at the terminal. */
int ossl_no_passphrase(char *buf, int size, int rwflag, void *ctx);
/* Empties the queue where a failure is an answer, not an error. */
void ossl_forget(void);

#define OSSL_CLEANUP(type, name, free_fn)               \
	static inline void ossl_##name##_freep(type **p) \
	{                                               \
		free_fn(*p);                            \
		*p = NULL;                              \
	}
OSSL_CLEANUP(BIO, bio, BIO_free_all)
OSSL_CLEANUP(BIGNUM, bn, BN_clear_free)
OSSL_CLEANUP(ECDSA_SIG, ecdsa_sig, ECDSA_SIG_free)
OSSL_CLEANUP(EVP_CIPHER_CTX, cipher_ctx, EVP_CIPHER_CTX_free)
OSSL_CLEANUP(EVP_MD_CTX, md_ctx, EVP_MD_CTX_free)
OSSL_CLEANUP(EVP_PKEY, pkey, EVP_PKEY_free)
OSSL_CLEANUP(EVP_PKEY_CTX, pkey_ctx, EVP_PKEY_CTX_free)
OSSL_CLEANUP(OSSL_PARAM, param, OSSL_PARAM_free)
OSSL_CLEANUP(OSSL_PARAM_BLD, param_bld, OSSL_PARAM_BLD_free)
OSSL_CLEANUP(X509, x509, X509_free)
OSSL_CLEANUP(X509_STORE, x509_store, X509_STORE_free)
OSSL_CLEANUP(X509_STORE_CTX, x509_store_ctx, X509_STORE_CTX_free)
#undef OSSL_CLEANUP

/* _cleanup_ossl_(pkey) EVP_PKEY *key = NULL; */
#define _cleanup_ossl_(name) __attribute__((cleanup(ossl_##name##_freep)))

#endif
