/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/bench/kbsd_ops.h"

#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "kbsd/certs.h"

#define NEED(x)                                                            \
	do {                                                               \
		if (!(x)) {                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
			exit(1);                                           \
		}                                                          \
	} while (0)

static double cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* --- TLS: the server's half of a full TLS 1.3 handshake, over memory --- */

static SSL_CTX *server_context(const char *crt, const char *key)
{
	_cleanup_free_ char *cert_pem = NULL, *key_pem = NULL;
	_cleanup_secret_ struct secret *secret = NULL;
	SSL_CTX *ctx;
	size_t cert_len, key_len;
	int64_t not_after;

	NEED(file_read(AT_FDCWD, crt, 65536, ERR_CONFIG, &cert_pem, &cert_len, NULL) == 0);
	NEED(file_read(AT_FDCWD, key, 65536, ERR_CONFIG, &key_pem, &key_len, NULL) == 0);
	NEED(secret_from(key_pem, key_len, &secret, NULL) == 0);
	NEED(certs_tls_context(cert_pem, cert_len, secret, &ctx, &not_after, NULL) == 0);
	return ctx;
}

static double tls_handshakes(SSL_CTX *server, unsigned int rounds)
{
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());
	double sum = 0;

	NEED(client);
	for (unsigned int i = 0; i < rounds; i++) {
		BIO *a, *b;
		int done = 0;
		SSL *c = SSL_new(client);
		double t = cpu_us();
		SSL *s = SSL_new(server);

		sum += cpu_us() - t;
		NEED(c && s && BIO_new_bio_pair(&a, 65536, &b, 65536));
		SSL_set_bio(c, a, a);
		SSL_set_bio(s, b, b);
		SSL_set_connect_state(c);
		SSL_set_accept_state(s);
		for (int step = 0; step < 10 && !done; step++) {
			SSL_do_handshake(c);
			t = cpu_us();
			done = SSL_do_handshake(s) == 1;
			sum += cpu_us() - t;
		}
		NEED(done);
		t = cpu_us();
		SSL_free(s);
		sum += cpu_us() - t;
		SSL_free(c);
	}
	SSL_CTX_free(client);
	return sum / rounds;
}

/* --- the chain and the report --- */

struct chain {
	uint8_t der[3][4096];
	size_t len[3];
	uint8_t report[SNP_REPORT_SIZE];
	uint8_t sig[128]; /* the report's signature in DER */
	size_t sig_len;
};

static void load_chain(const struct testpki *pki, struct chain *c)
{
	static const char *const names[] = { "vcek", "ask", "ark" };
	struct snp_report r;
	uint8_t be[2][48];
	unsigned char *p = c->sig;

	for (size_t i = 0; i < 3; i++) {
		_cleanup_buf_ struct buf der = BUF_INIT(4096);

		NEED(testpki_der(pki, names[i], &der, NULL) == 0);
		memcpy(c->der[i], der.data, der.len);
		c->len[i] = der.len;
	}
	testpki_snp_template(pki, &r);
	NEED(testpki_snp_sign(pki, &r, c->report, NULL) == 0);
	for (size_t i = 0; i < 48; i++) {
		be[0][i] = r.sig_r[47 - i];
		be[1][i] = r.sig_s[47 - i];
	}
	ECDSA_SIG *sig = ECDSA_SIG_new();
	NEED(sig && ECDSA_SIG_set0(sig, BN_bin2bn(be[0], 48, NULL), BN_bin2bn(be[1], 48, NULL)));
	c->sig_len = (size_t)i2d_ECDSA_SIG(sig, &p);
	ECDSA_SIG_free(sig);
}

static void decode_chain(const struct chain *c, X509 *out[3])
{
	for (size_t i = 0; i < 3; i++) {
		const unsigned char *p = c->der[i];

		out[i] = d2i_X509(NULL, &p, (long)c->len[i]);
		NEED(out[i] && X509_get0_pubkey(out[i]));
	}
}

static double chain_operations(const struct chain *c, unsigned int rounds, bool verify)
{
	double t = cpu_us();

	for (unsigned int i = 0; i < rounds; i++) {
		X509 *x[3];

		decode_chain(c, x);
		if (verify)
			NEED(X509_verify(x[0], X509_get0_pubkey(x[1])) == 1 && X509_verify(x[1], X509_get0_pubkey(x[2])) == 1);
		for (size_t n = 0; n < 3; n++)
			X509_free(x[n]);
	}
	return (cpu_us() - t) / rounds;
}

static double report_signature(const struct chain *c, unsigned int rounds)
{
	X509 *x[3];
	double t;

	decode_chain(c, x);
	t = cpu_us();
	for (unsigned int i = 0; i < rounds; i++) {
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();

		NEED(EVP_DigestVerifyInit(ctx, NULL, EVP_sha384(), NULL, X509_get0_pubkey(x[0])) == 1 &&
		     EVP_DigestVerify(ctx, c->sig, c->sig_len, c->report, SNP_SIGNED_SIZE) == 1);
		EVP_MD_CTX_free(ctx);
	}
	t = (cpu_us() - t) / rounds;
	for (size_t n = 0; n < 3; n++)
		X509_free(x[n]);
	return t;
}

/* --- token and resource --- */

static double token_signature(unsigned int rounds)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	static uint8_t payload[6000];
	uint8_t sig[80];
	double t = cpu_us();

	for (unsigned int i = 0; i < rounds; i++) {
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();
		size_t len = sizeof(sig);

		NEED(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
		     EVP_DigestSign(ctx, sig, &len, payload, sizeof(payload)) == 1);
		EVP_MD_CTX_free(ctx);
	}
	t = (cpu_us() - t) / rounds;
	EVP_PKEY_free(key);
	return t;
}

static void ecdh_wrap(const char *curve, const uint8_t *point, size_t point_len)
{
	EVP_PKEY *peer = EVP_PKEY_new(), *own = EVP_EC_gen(curve);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM params[] = { OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)curve, 0),
				OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)point, point_len), OSSL_PARAM_END };
	uint8_t z[66];
	size_t len = sizeof(z);

	EVP_PKEY_free(peer);
	peer = NULL;
	NEED(own && EVP_PKEY_fromdata_init(ctx) == 1 && EVP_PKEY_fromdata(ctx, &peer, EVP_PKEY_PUBLIC_KEY, params) == 1);
	EVP_PKEY_CTX_free(ctx);
	ctx = EVP_PKEY_CTX_new(own, NULL);
	NEED(EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, peer) == 1 && EVP_PKEY_derive(ctx, z, &len) == 1);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(own);
	EVP_PKEY_free(peer);
}

static double ec_resource(const char *curve, unsigned int rounds)
{
	EVP_PKEY *client = EVP_EC_gen(curve);
	uint8_t point[200];
	size_t len;
	double t;

	NEED(EVP_PKEY_get_octet_string_param(client, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &len) == 1);
	t = cpu_us();
	for (unsigned int i = 0; i < rounds; i++)
		ecdh_wrap(curve, point, len);
	t = (cpu_us() - t) / rounds;
	EVP_PKEY_free(client);
	return t;
}

static double rsa_resource(unsigned int bits, unsigned int rounds)
{
	EVP_PKEY *key = EVP_RSA_gen(bits);
	uint8_t cek[32] = { 1 }, out[512];
	double t = cpu_us();

	for (unsigned int i = 0; i < rounds; i++) {
		EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
		size_t len = sizeof(out);

		NEED(EVP_PKEY_encrypt_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
		     EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) == 1 &&
		     EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1 &&
		     EVP_PKEY_encrypt(ctx, out, &len, cek, sizeof(cek)) == 1);
		EVP_PKEY_CTX_free(ctx);
	}
	t = (cpu_us() - t) / rounds;
	EVP_PKEY_free(key);
	return t;
}

static double resource(enum key_type client, unsigned int rounds)
{
	switch (client) {
	case KEY_RSA_2048:
		return rsa_resource(2048, rounds);
	case KEY_RSA_3072:
		return rsa_resource(3072, rounds);
	case KEY_RSA_4096:
		return rsa_resource(4096, rounds);
	case KEY_EC_P256:
		return ec_resource("P-256", rounds);
	case KEY_EC_P521:
		return ec_resource("P-521", rounds);
	}
	return 0;
}

size_t ops_measure(const struct testpki *pki, enum key_type client, const char *server_crt, const char *server_key,
		   unsigned int rounds, struct op_time out[static OPS_MAX])
{
	SSL_CTX *ctx = server_context(server_crt, server_key);
	static struct chain c;
	size_t n = 0;
	double decode;

	load_chain(pki, &c);
	out[n++] = (struct op_time){ "TLS 1.3 handshake, server side", tls_handshakes(ctx, rounds) };
	decode = chain_operations(&c, rounds, false);
	out[n++] = (struct op_time){ "certificates decoded (3)", decode };
	out[n++] = (struct op_time){ "chain signatures, RSA-4096 PSS (2)", chain_operations(&c, rounds, true) - decode };
	out[n++] = (struct op_time){ "report signature, P-384", report_signature(&c, rounds) };
	out[n++] = (struct op_time){ "token signature, ES256", token_signature(rounds) };
	out[n++] = (struct op_time){ "resource key wrapped", resource(client, rounds) };
	SSL_CTX_free(ctx);
	return n;
}
