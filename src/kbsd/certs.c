/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Making keys and certificates; tls.c loads them. */
#include "kbsd/certs.h"

#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/keypair.h"
#include "crypto/ossl.h"

int certs_make_key(struct secret **ret_pem, struct err **err)
{
	struct keypair *kp = NULL;
	int r;

	if (keypair_generate(KEY_EC_P256, &kp, err) < 0)
		return -1;
	r = keypair_to_pem(kp, ret_pem, err);
	keypair_free(kp);
	return r;
}

int certs_pin(const struct secret *key_pem, char out[static CERT_PIN_TEXT], struct err **err)
{
	_cleanup_ossl_(pkey) EVP_PKEY *key = NULL;
	uint8_t digest[DIGEST_MAX], *der = NULL;
	int len, r;

	if (certs_read_key(key_pem, &key, err) < 0)
		return -1;
	len = i2d_PUBKEY(key, &der);
	if (len <= 0)
		return ossl_err(err, ERR_INTERNAL, "certificate", "cannot encode the public key");
	r = digest_bytes(DIGEST_SHA256, der, (size_t)len, digest, err);
	OPENSSL_free(der);
	if (r < 0)
		return -1;
	memcpy(out, "sha256//", 8);
	b64_encode(B64_STD, digest, 32, out + 8);
	return 0;
}

int cert_names_add_dns(struct cert_names *n, const char *name, struct err **err)
{
	size_t len = strlen(name);

	/* The list made of them below is comma-separated text for OpenSSL's parser. */
	if (!len || len >= sizeof(n->dns[0]) ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") != len)
		return err_set(err, ERR_CONFIG, "usage", "\"%s\" is not a host name", name);
	if (n->dns_n == CERT_NAMES_MAX)
		return err_set(err, ERR_CONFIG, "usage", "more than %d host names", CERT_NAMES_MAX);
	strcpy(n->dns[n->dns_n++], name);
	return 0;
}

int cert_names_add_ip(struct cert_names *n, const char *address, struct err **err)
{
	uint8_t bytes[16];

	if ((inet_pton(AF_INET, address, bytes) != 1 && inet_pton(AF_INET6, address, bytes) != 1) ||
	    strlen(address) >= sizeof(n->ip[0]))
		return err_set(err, ERR_CONFIG, "usage", "\"%s\" is not an IP address", address);
	if (n->ip_n == CERT_NAMES_MAX)
		return err_set(err, ERR_CONFIG, "usage", "more than %d addresses", CERT_NAMES_MAX);
	strcpy(n->ip[n->ip_n++], address);
	return 0;
}

static int add_extension(X509 *cert, int nid, const char *value, struct err **err)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	int ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (!ext)
		return ossl_err(err, ERR_CONFIG, "certificate", "certificate extension \"%s\"", value);
	ok = X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
	return ok ? 0 : ossl_err(err, ERR_INTERNAL, "certificate", "certificate extension");
}

static int add_extensions(X509 *cert, const struct cert_names *names, struct err **err)
{
	_cleanup_buf_ struct buf san = BUF_INIT(64 * 1024);

	for (size_t i = 0; i < names->dns_n; i++)
		buf_printf(&san, "%sDNS:%s", san.len ? "," : "", names->dns[i]);
	for (size_t i = 0; i < names->ip_n; i++)
		buf_printf(&san, "%sIP:%s", san.len ? "," : "", names->ip[i]);
	if (buf_check(&san, err) < 0)
		return -1;
	/* Not a CA, yet a client that pins it by file may use it as its own anchor. */
	if (add_extension(cert, NID_basic_constraints, "critical,CA:FALSE", err) < 0 ||
	    add_extension(cert, NID_key_usage, "critical,digitalSignature", err) < 0 ||
	    add_extension(cert, NID_ext_key_usage, "serverAuth", err) < 0 ||
	    add_extension(cert, NID_subject_key_identifier, "hash", err) < 0 ||
	    add_extension(cert, NID_subject_alt_name, buf_cstr(&san), err) < 0)
		return -1;
	return 0;
}

static int fill(X509 *cert, EVP_PKEY *key, const struct cert_names *names, unsigned int days, struct err **err)
{
	_cleanup_ossl_(bn) BIGNUM *serial = BN_new();
	X509_NAME *subject = X509_get_subject_name(cert);
	const char *cn = names->dns_n ? names->dns[0] : names->ip[0];
	char short_cn[65]; /* ub-common-name */

	snprintf(short_cn, sizeof(short_cn), "%.64s", cn);
	if (!serial || !BN_rand(serial, 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) ||
	    !BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert)) || !X509_set_version(cert, X509_VERSION_3) ||
	    !X509_gmtime_adj(X509_getm_notBefore(cert), -3600) ||
	    !X509_time_adj_ex(X509_getm_notAfter(cert), (int)days, 0, NULL) ||
	    !X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)short_cn, -1, -1, 0) ||
	    !X509_set_issuer_name(cert, subject) || !X509_set_pubkey(cert, key))
		return ossl_err(err, ERR_INTERNAL, "certificate", "cannot fill the certificate");
	if (add_extensions(cert, names, err) < 0)
		return -1;
	if (!X509_sign(cert, key, EVP_sha256()))
		return ossl_err(err, ERR_INTERNAL, "certificate", "cannot sign the certificate");
	return 0;
}

int certs_self_sign(const struct secret *key_pem, const struct cert_names *names, unsigned int days, char **ret_pem,
		    struct err **err)
{
	_cleanup_ossl_(pkey) EVP_PKEY *key = NULL;
	_cleanup_ossl_(x509) X509 *cert = X509_new();
	_cleanup_ossl_(bio) BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long len;

	if (!cert || !bio)
		return err_nomem(err);
	if (!names->dns_n && !names->ip_n)
		return err_set(err, ERR_CONFIG, "usage", "a certificate needs at least one --name or --ip");
	if (certs_read_key(key_pem, &key, err) < 0 || fill(cert, key, names, days, err) < 0)
		return -1;
	if (!PEM_write_bio_X509(bio, cert) || (len = BIO_get_mem_data(bio, &text)) <= 0)
		return ossl_err(err, ERR_INTERNAL, "certificate", "cannot write the certificate");
	*ret_pem = strndup(text, (size_t)len);
	return *ret_pem ? 0 : err_nomem(err);
}

static int take_name(const GENERAL_NAME *gn, struct cert_names *ret, struct err **err)
{
	char text[INET6_ADDRSTRLEN];
	char name[254];

	if (gn->type == GEN_DNS) {
		text_sanitise((const char *)ASN1_STRING_get0_data(gn->d.dNSName),
			      (size_t)ASN1_STRING_length(gn->d.dNSName), name, sizeof(name));
		return cert_names_add_dns(ret, name, err);
	}
	if (gn->type == GEN_IPADD) {
		int len = ASN1_STRING_length(gn->d.iPAddress);

		if ((len != 4 && len != 16) || !inet_ntop(len == 4 ? AF_INET : AF_INET6,
							  ASN1_STRING_get0_data(gn->d.iPAddress), text, sizeof(text)))
			return err_set(err, ERR_CONFIG, "certificate", "an address in the certificate has %d bytes", len);
		return cert_names_add_ip(ret, text, err);
	}
	return 0;
}

static void names_free(GENERAL_NAMES **p)
{
	GENERAL_NAMES_free(*p);
}

int certs_names(const char *cert_pem, size_t len, struct cert_names *ret, struct err **err)
{
	_cleanup_ossl_(bio) BIO *bio = BIO_new_mem_buf(cert_pem, (int)len);
	_cleanup_ossl_(x509) X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, ossl_no_passphrase, NULL) : NULL;
	_cleanup_(names_free) GENERAL_NAMES *list = NULL;
	struct cert_names names = { 0 };

	if (!cert)
		return ossl_err(err, ERR_CONFIG, "certificate", "cannot read the certificate");
	list = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; list && i < sk_GENERAL_NAME_num(list); i++)
		if (take_name(sk_GENERAL_NAME_value(list, i), &names, err) < 0)
			return -1;
	if (!names.dns_n && !names.ip_n)
		return err_set(err, ERR_CONFIG, "certificate", "the certificate names no host");
	*ret = names;
	return 0;
}
