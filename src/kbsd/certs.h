/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The listener's certificate: made by `init`, loaded by `serve`. Clients trust the key by its SPKI pin, so a self-signed
 * certificate is as good as any; `init` gives out two pins, of the key in use and of the next one, so that a change of key
 * needs no change of the clients' images.
 */
#ifndef CRYPTATTEST_KBSD_CERTS_H
#define CRYPTATTEST_KBSD_CERTS_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"

#define CERT_NAMES_MAX 32
#define CERT_PIN_TEXT 64 /* "sha256//" + 44 characters */

struct cert_names {
	char dns[CERT_NAMES_MAX][254], ip[CERT_NAMES_MAX][46];
	size_t dns_n, ip_n;
};

/* ERR_CONFIG: not a host name, not an address, too many. */
int cert_names_add_dns(struct cert_names *n, const char *name, struct err **err);
int cert_names_add_ip(struct cert_names *n, const char *address, struct err **err);

/* A new P-256 key as PEM. */
int certs_make_key(struct secret **ret_pem, struct err **err);
/* From PEM without a passphrase. ERR_CONFIG. */
int certs_read_key(const struct secret *pem, EVP_PKEY **ret, struct err **err);
/* "sha256//BASE64" of the key's SubjectPublicKeyInfo. ERR_CONFIG. */
int certs_pin(const struct secret *key_pem, char out[static CERT_PIN_TEXT], struct err **err);
/* Self-signed, for these names, valid from an hour ago for days. ERR_CONFIG without a name. Caller frees the PEM. */
int certs_self_sign(const struct secret *key_pem, const struct cert_names *names, unsigned int days, char **ret_pem,
		    struct err **err);
/* The names of a certificate, to sign the next one for the same. ERR_CONFIG. */
int certs_names(const char *cert_pem, size_t len, struct cert_names *ret, struct err **err);
/* TLS 1.2 and 1.3, forward secrecy and AEAD only, no tickets, no renegotiation. ERR_CONFIG: unreadable, key and
 * certificate do not belong together. *ret_not_after: seconds since 1970. */
int certs_tls_context(const char *cert_pem, size_t cert_len, const struct secret *key_pem, SSL_CTX **ret,
		      int64_t *ret_not_after, struct err **err);
/* Is it what --ca takes: certificates only, at least one, PEM or one DER? ERR_CONFIG. */
int certs_check_bundle(const char *data, size_t len, struct err **err);

#endif
