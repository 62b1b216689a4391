/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "http/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/encode.h"
#include "base/text.h"

static void free_x509(X509 **x)
{
	X509_free(*x);
}

static void free_bio(BIO **b)
{
	BIO_free(*b);
}

static void free_names(GENERAL_NAMES **n)
{
	GENERAL_NAMES_free(*n);
}

static void free_der(unsigned char **p)
{
	OPENSSL_free(*p);
}

static void set_what(struct tls_peer *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void set_what(struct tls_peer *p, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_sanitise(text, strlen(text), p->what, sizeof(p->what));
}

static void format_asn1_time(const ASN1_TIME *t, char out[static 21])
{
	struct tm tm;

	if (t && ASN1_TIME_to_tm(t, &tm) == 1)
		text_format_time((int64_t)timegm(&tm), out);
	else
		strcpy(out, "?");
}

static void note_validity(X509 *cert, char *out, size_t cap)
{
	char from[21], to[21];

	format_asn1_time(X509_get0_notBefore(cert), from);
	format_asn1_time(X509_get0_notAfter(cert), to);
	snprintf(out, cap, "%s..%s", from, to);
}

/* "sha256//" and the base64 of SHA-256 over the SubjectPublicKeyInfo. */
static bool note_pin(X509 *cert, char *out, size_t cap)
{
	__attribute__((cleanup(free_der))) unsigned char *der = NULL;
	unsigned char digest[32];
	char text[45];
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);

	if (len <= 0 || EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha256(), NULL) != 1)
		return false;
	b64_encode(B64_STD, digest, sizeof(digest), text);
	snprintf(out, cap, "sha256//%s", text);
	return true;
}

static bool pin_accepted(const struct tls_rules *r, const char *pin)
{
	for (const char *const *p = r->pins; *p; p++) {
		if (strcmp(*p, pin) == 0)
			return true;
	}
	return false;
}

static bool name_matches(X509 *cert, const char *name)
{
	int ip = X509_check_ip_asc(cert, name, 0);

	if (ip != -2) /* -2: not an address */
		return ip == 1;
	/* Subject alternative names only; a wildcard stands for a whole label. */
	return X509_check_host(cert, name, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
			       NULL) == 1;
}

static bool name_accepted(const struct tls_rules *r, X509 *cert)
{
	if (!r->names || !r->names[0])
		return name_matches(cert, r->host);
	for (const char *const *n = r->names; *n; n++) {
		if (name_matches(cert, *n))
			return true;
	}
	return false;
}

/* The DNS names that the certificate does carry, for the message. */
static void list_names(X509 *cert, char *out, size_t cap)
{
	__attribute__((cleanup(free_names))) GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	size_t len = 0;

	out[0] = 0;
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && len + 2 < cap; i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);

		if (n->type != GEN_DNS)
			continue;
		len += (size_t)snprintf(out + len, cap - len, "%s%.*s", len ? ", " : "",
					ASN1_STRING_length(n->d.dNSName),
					(const char *)ASN1_STRING_get0_data(n->d.dNSName));
	}
	if (out[0] == 0)
		snprintf(out, cap, "no DNS name");
}

static void explain_chain(X509_STORE_CTX *ctx, int64_t now, struct tls_peer *peer)
{
	int code = X509_STORE_CTX_get_error(ctx);
	X509 *cert = X509_STORE_CTX_get_current_cert(ctx);
	char validity[64] = "?", at[21];

	if (code != X509_V_ERR_CERT_HAS_EXPIRED && code != X509_V_ERR_CERT_NOT_YET_VALID) {
		set_what(peer, "certificate refused: %s", X509_verify_cert_error_string(code));
		return;
	}
	if (cert)
		note_validity(cert, validity, sizeof(validity));
	text_format_time(now, at);
	set_what(peer, "certificate dates (clock?): valid %s, it is %s here", validity, at);
}

static bool chain_accepted(X509_STORE_CTX *ctx, struct tls_check *c)
{
	int64_t now = (int64_t)time(NULL);

	if (now < c->rules.time_floor)
		now = c->rules.time_floor;
	X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), (time_t)now);
	if (X509_verify_cert(ctx) == 1)
		return true;
	explain_chain(ctx, now, &c->peer);
	return false;
}

/* Called by libssl in place of its own verification. */
static int verify_peer(X509_STORE_CTX *ctx, void *arg)
{
	struct tls_check *c = arg;
	X509 *cert = X509_STORE_CTX_get0_cert(ctx);
	int code = X509_V_ERR_APPLICATION_VERIFICATION;
	char names[128];

	memset(&c->peer, 0, sizeof(c->peer));
	c->peer.refused = true;
	if (!cert || !note_pin(cert, c->peer.pin, sizeof(c->peer.pin))) {
		set_what(&c->peer, "the server shows no usable certificate");
		goto refuse;
	}
	note_validity(cert, c->peer.validity, sizeof(c->peer.validity));
	if (!c->rules.pins && !c->rules.ca) {
		set_what(&c->peer, "neither a pin nor a CA is configured");
		goto refuse;
	}
	if (c->rules.pins && !pin_accepted(&c->rules, c->peer.pin)) {
		set_what(&c->peer, "the server's key is %s, which is not a configured pin", c->peer.pin);
		goto refuse;
	}
	if (c->rules.ca && !chain_accepted(ctx, c)) {
		code = X509_STORE_CTX_get_error(ctx);
		goto refuse;
	}
	if (c->rules.ca && !name_accepted(&c->rules, cert)) {
		code = X509_V_ERR_HOSTNAME_MISMATCH;
		list_names(cert, names, sizeof(names));
		set_what(&c->peer, "the certificate is for %s, not for %s", names,
			 c->rules.names ? c->rules.names[0] : c->rules.host);
		goto refuse;
	}
	c->peer.refused = false;
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
refuse:
	X509_STORE_CTX_set_error(ctx, code);
	return 0;
}

void tls_install(void *ssl_ctx, struct tls_check *check)
{
	SSL_CTX_set_cert_verify_callback(ssl_ctx, verify_peer, check);
}

/* A block that claims to be encrypted would make OpenSSL ask on the console, which belongs to the host. */
static int no_passphrase(char *buf, int size, int rwflag, void *ctx)
{
	return -1;
}

int tls_ca_check(const char *pem, struct err **err)
{
	__attribute__((cleanup(free_bio))) BIO *bio = BIO_new_mem_buf(pem, -1);
	unsigned int n = 0;

	if (!bio)
		return err_nomem(err);
	for (;;) {
		__attribute__((cleanup(free_x509))) X509 *cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
		unsigned long e = ERR_peek_last_error();

		if (cert) {
			n++;
			continue;
		}
		ERR_clear_error();
		if (n && ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE)
			return 0;
		if (n)
			return err_set(err, ERR_CONFIG, "kbs-ca", "certificate %u of the CA bundle does not parse", n + 1);
		return err_set(err, ERR_CONFIG, "kbs-ca", "the CA bundle holds no certificate");
	}
}

void tls_init(void)
{
	OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
}
