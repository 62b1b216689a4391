/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "crypto/ossl.h"
#include "kbsd/certs.h"

int certs_read_key(const struct secret *pem, EVP_PKEY **ret, struct err **err)
{
	_cleanup_ossl_(bio) BIO *bio = BIO_new_mem_buf(secret_cdata(pem), (int)secret_len(pem));
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, ossl_no_passphrase, NULL) : NULL;

	if (!key)
		return ossl_err(err, ERR_CONFIG, "certificate", "cannot read the private key");
	*ret = key;
	return 0;
}

static void ctx_free(SSL_CTX **p)
{
	SSL_CTX_free(*p);
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in,
		       unsigned int inlen, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";

	(void)ssl, (void)arg;
	/* A client that offers only other protocols is served as if it had offered none, as HTTP/1.1 servers do. */
	if (SSL_select_next_proto((unsigned char **)out, outlen, ours, sizeof(ours) - 1, in, inlen) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	return SSL_TLSEXT_ERR_OK;
}

static int restrict_protocol(SSL_CTX *ctx, struct err **err)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
	if (!SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) ||
	    !SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") ||
	    !SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384:P-521"))
		return ossl_err(err, ERR_INTERNAL, "certificate", "cannot set up TLS");
	return 0;
}

static int use_chain(SSL_CTX *ctx, const char *pem, size_t len, int64_t *ret_not_after, struct err **err)
{
	_cleanup_ossl_(bio) BIO *bio = BIO_new_mem_buf(pem, (int)len);
	_cleanup_ossl_(x509) X509 *leaf = bio ? PEM_read_bio_X509(bio, NULL, ossl_no_passphrase, NULL) : NULL;
	X509 *more;
	struct tm tm;

	if (!leaf || !SSL_CTX_use_certificate(ctx, leaf))
		return ossl_err(err, ERR_CONFIG, "certificate", "cannot read the certificate");
	while ((more = PEM_read_bio_X509(bio, NULL, ossl_no_passphrase, NULL))) {
		if (!SSL_CTX_add0_chain_cert(ctx, more)) {
			X509_free(more);
			return ossl_err(err, ERR_CONFIG, "certificate", "cannot use the certificate chain");
		}
	}
	/* The end of the file is no error; anything else that is not a certificate is. */
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return ossl_err(err, ERR_CONFIG, "certificate", "cannot read the certificate chain");
	ERR_clear_error();
	if (!ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &tm))
		return ossl_err(err, ERR_CONFIG, "certificate", "cannot read the certificate's dates");
	*ret_not_after = (int64_t)timegm(&tm);
	return 0;
}

int certs_tls_context(const char *cert_pem, size_t cert_len, const struct secret *key_pem, SSL_CTX **ret,
		      int64_t *ret_not_after, struct err **err)
{
	_cleanup_(ctx_free) SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	_cleanup_ossl_(pkey) EVP_PKEY *key = NULL;

	if (!ctx)
		return ossl_err(err, ERR_INTERNAL, "certificate", "cannot set up TLS");
	if (restrict_protocol(ctx, err) < 0 || use_chain(ctx, cert_pem, cert_len, ret_not_after, err) < 0 ||
	    certs_read_key(key_pem, &key, err) < 0)
		return -1;
	if (!SSL_CTX_use_PrivateKey(ctx, key) || !SSL_CTX_check_private_key(ctx))
		return ossl_err(err, ERR_CONFIG, "certificate", "the private key does not belong to the certificate");
	*ret = TAKE_PTR(ctx);
	return 0;
}

int certs_check_bundle(const char *data, size_t len, struct err **err)
{
	_cleanup_ossl_(bio) BIO *bio = BIO_new_mem_buf(data, (int)len);
	unsigned int n = 0;
	X509 *cert;

	if (!bio)
		return err_nomem(err);
	while ((cert = PEM_read_bio_X509(bio, NULL, ossl_no_passphrase, NULL))) {
		X509_free(cert);
		n++;
	}
	if (n && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) {
		ERR_clear_error();
		return 0;
	}
	if (!n) {
		const unsigned char *p = (const unsigned char *)data;

		cert = d2i_X509(NULL, &p, (long)len);
		X509_free(cert);
		if (cert && p == (const unsigned char *)data + len) {
			ERR_clear_error();
			return 0;
		}
	}
	return ossl_err(err, ERR_CONFIG, "certificate", "not a file of certificates");
}
