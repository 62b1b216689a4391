/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/bench/kbsd_ops.h"

#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/params.h>
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

#define NEED(x)                                                                 \
	do {                                                                    \
		if (!(x)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
			exit(1);                                                \
		}                                                               \
	} while (0)

enum { OP_TLS, OP_CHAIN = 2, OP_REPORT, OP_TOKEN, OP_RESOURCE };

const char *const ops_names[OPS_N] = {
	"TLS 1.3 handshake, server side", "VCEK decoded (once per processor, not in the sum)", "chain signatures, RSA-4096 PSS (2)",
	"report signature, P-384",	  "token signature, ES256",	 "resource key wrapped",
};

struct ops_keys {
	SSL_CTX *server, *client;
	uint8_t vcek[4096];
	size_t vcek_len;
	X509 *cert[3]; /* vcek, ask, ark: the last two are decoded once by a server that has seen them before */
	uint8_t report[SNP_REPORT_SIZE], sig[128];
	size_t sig_len;
	EVP_PKEY *token, *resource;
	const char *curve; /* NULL: RSA */
	uint8_t point[200];
	size_t point_len;
};

static double cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* --- the operations --- */

/* The server's half of a full handshake, over memory. */
static double op_tls(const struct ops_keys *k)
{
	SSL *c = SSL_new(k->client);
	double t = cpu_us(), sum;
	SSL *s = SSL_new(k->server);
	BIO *a, *b;
	int done = 0;

	sum = cpu_us() - t;
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
	return sum;
}

static double op_decode(const struct ops_keys *k)
{
	const unsigned char *p = k->vcek;
	double t = cpu_us();
	X509 *x = d2i_X509(NULL, &p, (long)k->vcek_len);

	NEED(x && X509_get0_pubkey(x));
	X509_free(x);
	return cpu_us() - t;
}

static double op_chain(const struct ops_keys *k)
{
	double t = cpu_us();

	NEED(X509_verify(k->cert[0], X509_get0_pubkey(k->cert[1])) == 1 &&
	     X509_verify(k->cert[1], X509_get0_pubkey(k->cert[2])) == 1);
	return cpu_us() - t;
}

static double op_report(const struct ops_keys *k)
{
	double t = cpu_us();
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	NEED(EVP_DigestVerifyInit(ctx, NULL, EVP_sha384(), NULL, X509_get0_pubkey(k->cert[0])) == 1 &&
	     EVP_DigestVerify(ctx, k->sig, k->sig_len, k->report, SNP_SIGNED_SIZE) == 1);
	EVP_MD_CTX_free(ctx);
	return cpu_us() - t;
}

static double op_token(const struct ops_keys *k)
{
	static const uint8_t payload[6000];
	uint8_t sig[80];
	size_t len = sizeof(sig);
	double t = cpu_us();
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	NEED(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, k->token) == 1 &&
	     EVP_DigestSign(ctx, sig, &len, payload, sizeof(payload)) == 1);
	EVP_MD_CTX_free(ctx);
	return cpu_us() - t;
}

/* The client's point becomes a key, an ephemeral key is made, and the two agree. */
static double op_ecdh(const struct ops_keys *k)
{
	OSSL_PARAM params[] = { OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)k->curve, 0),
				OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)k->point, k->point_len), OSSL_PARAM_END };
	double t = cpu_us();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *peer = NULL, *own = EVP_EC_gen(k->curve);
	uint8_t z[66];
	size_t len = sizeof(z);

	NEED(own && EVP_PKEY_fromdata_init(ctx) == 1 && EVP_PKEY_fromdata(ctx, &peer, EVP_PKEY_PUBLIC_KEY, params) == 1);
	EVP_PKEY_CTX_free(ctx);
	ctx = EVP_PKEY_CTX_new(own, NULL);
	NEED(EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, peer) == 1 && EVP_PKEY_derive(ctx, z, &len) == 1);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(own);
	EVP_PKEY_free(peer);
	return cpu_us() - t;
}

static double op_rsa(const struct ops_keys *k)
{
	uint8_t cek[32] = { 1 }, out[512];
	size_t len = sizeof(out);
	double t = cpu_us();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->resource, NULL);

	NEED(EVP_PKEY_encrypt_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
	     EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1 &&
	     EVP_PKEY_encrypt(ctx, out, &len, cek, sizeof(cek)) == 1);
	EVP_PKEY_CTX_free(ctx);
	return cpu_us() - t;
}

void ops_round(struct ops *o)
{
	const struct ops_keys *k = o->keys;

	o->us[OP_TLS] += op_tls(k);
	o->us[OP_DECODE] += op_decode(k);
	o->us[OP_CHAIN] += op_chain(k);
	o->us[OP_REPORT] += op_report(k);
	o->us[OP_TOKEN] += op_token(k);
	o->us[OP_RESOURCE] += k->curve ? op_ecdh(k) : op_rsa(k);
	o->rounds++;
}

/* --- what they need --- */

static void load_server(struct ops_keys *k, const char *crt, const char *key)
{
	_cleanup_free_ char *cert_pem = NULL, *key_pem = NULL;
	_cleanup_secret_ struct secret *secret = NULL;
	size_t cert_len, key_len;
	int64_t not_after;

	NEED(file_read(AT_FDCWD, crt, 65536, ERR_CONFIG, &cert_pem, &cert_len, NULL) == 0);
	NEED(file_read(AT_FDCWD, key, 65536, ERR_CONFIG, &key_pem, &key_len, NULL) == 0);
	NEED(secret_from(key_pem, key_len, &secret, NULL) == 0);
	NEED(certs_tls_context(cert_pem, cert_len, secret, &k->server, &not_after, NULL) == 0);
	NEED((k->client = SSL_CTX_new(TLS_client_method())));
}

static void load_chain(struct ops_keys *k, const struct testpki *pki)
{
	static const char *const names[] = { "vcek", "ask", "ark" };
	struct snp_report r;
	uint8_t be[2][48];
	unsigned char *out = k->sig;

	for (size_t i = 0; i < 3; i++) {
		_cleanup_buf_ struct buf der = BUF_INIT(sizeof(k->vcek));
		const unsigned char *p;

		NEED(testpki_der(pki, names[i], &der, NULL) == 0);
		p = der.data;
		NEED((k->cert[i] = d2i_X509(NULL, &p, (long)der.len)));
		if (i == 0) {
			memcpy(k->vcek, der.data, der.len);
			k->vcek_len = der.len;
		}
	}
	testpki_snp_template(pki, &r);
	NEED(testpki_snp_sign(pki, &r, k->report, NULL) == 0);
	for (size_t i = 0; i < 48; i++) {
		be[0][i] = r.sig_r[47 - i];
		be[1][i] = r.sig_s[47 - i];
	}
	ECDSA_SIG *sig = ECDSA_SIG_new();
	NEED(sig && ECDSA_SIG_set0(sig, BN_bin2bn(be[0], 48, NULL), BN_bin2bn(be[1], 48, NULL)));
	k->sig_len = (size_t)i2d_ECDSA_SIG(sig, &out);
	ECDSA_SIG_free(sig);
}

static void load_client(struct ops_keys *k, enum key_type client)
{
	static const char *const curves[] = { [KEY_EC_P256] = "P-256", [KEY_EC_P521] = "P-521" };
	static const unsigned int bits[] = { [KEY_RSA_2048] = 2048, [KEY_RSA_3072] = 3072, [KEY_RSA_4096] = 4096 };

	if (client < KEY_EC_P256) {
		NEED((k->resource = EVP_RSA_gen(bits[client])));
		return;
	}
	k->curve = curves[client];
	NEED((k->resource = EVP_EC_gen(k->curve)));
	NEED(EVP_PKEY_get_octet_string_param(k->resource, OSSL_PKEY_PARAM_PUB_KEY, k->point, sizeof(k->point), &k->point_len));
}

void ops_open(struct ops *o, const struct testpki *pki, enum key_type client, const char *server_crt, const char *server_key)
{
	*o = (struct ops){ .keys = calloc(1, sizeof(*o->keys)) };
	NEED(o->keys);
	load_server(o->keys, server_crt, server_key);
	load_chain(o->keys, pki);
	load_client(o->keys, client);
	NEED((o->keys->token = EVP_EC_gen("P-256")));
}

void ops_close(struct ops *o)
{
	struct ops_keys *k = o->keys;

	SSL_CTX_free(k->server);
	SSL_CTX_free(k->client);
	for (size_t i = 0; i < 3; i++)
		X509_free(k->cert[i]);
	EVP_PKEY_free(k->token);
	EVP_PKEY_free(k->resource);
	free(k);
	o->keys = NULL;
}
