/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "push/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "crypto/ossl.h"

#define SLICE_MS 1000	       /* see base/clock.c */
#define CERT_CHAIN_MAX 4096    /* of a peer; ours has 300 bytes */
#define PIECE (16 * 1024)
#define LINGER_MS 500

struct push_tls {
	SSL_CTX *ctx;
	char *const *pins;
	bool server;
};

struct push_conn {
	SSL *ssl;
	struct push_tls *tls;
	char refused[PUSH_PIN_TEXT]; /* the client's key, when it was not taken */
	int fd, wake_fd;
};

/* --- who we are --- */

static int make_key(EVP_PKEY **ret, struct err **err)
{
	*ret = EVP_EC_gen("P-256");
	return *ret ? 0 : ossl_err(err, ERR_INTERNAL, "push-key", "cannot make a key");
}

static int read_key(const struct secret *pem, EVP_PKEY **ret, struct err **err)
{
	_cleanup_ossl_(bio) BIO *bio = BIO_new_mem_buf(secret_cdata(pem), (int)secret_len(pem));

	*ret = bio ? PEM_read_bio_PrivateKey(bio, NULL, ossl_no_passphrase, NULL) : NULL;
	return *ret ? 0 : ossl_err(err, ERR_CONFIG, "push-key", "cannot read the operator's private key");
}

/* Nobody looks at anything in it but the key. */
static int self_sign(EVP_PKEY *key, X509 **ret, struct err **err)
{
	_cleanup_ossl_(x509) X509 *cert = X509_new();
	X509_NAME *name = cert ? X509_get_subject_name(cert) : NULL;

	if (!name || !X509_set_version(cert, X509_VERSION_3) || !ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) ||
	    !ASN1_TIME_set_string(X509_getm_notBefore(cert), "20000101000000Z") ||
	    !ASN1_TIME_set_string(X509_getm_notAfter(cert), "99991231235959Z") ||
	    !X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"cryptattest push", -1, -1, 0) ||
	    !X509_set_issuer_name(cert, name) || !X509_set_pubkey(cert, key) || !X509_sign(cert, key, EVP_sha256()))
		return ossl_err(err, ERR_CONFIG, "push-key", "cannot make a certificate of the key");
	*ret = TAKE_PTR(cert);
	return 0;
}

static bool point_of(const EVP_PKEY *key, uint8_t out[static PUSH_POINT])
{
	uint8_t octets[1 + PUSH_POINT];
	char group[32];
	size_t len = 0;

	if (!key || EVP_PKEY_get_base_id(key) != EVP_PKEY_EC || !EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) ||
	    !text_eq(group, "prime256v1"))
		return false;
	if (!EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, octets, sizeof(octets), &len) || len != sizeof(octets) ||
	    octets[0] != 4)
		return false;
	memcpy(out, octets + 1, PUSH_POINT);
	return true;
}

/* In place of libssl's own verification. */
static int judge_client(X509_STORE_CTX *store, void *arg)
{
	struct push_tls *t = arg;
	struct push_conn *c = SSL_get_app_data(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
	X509 *cert = X509_STORE_CTX_get0_cert(store);
	uint8_t point[PUSH_POINT];
	char pin[PUSH_PIN_TEXT];

	strcpy(c->refused, "none on the curve P-256");
	if (cert && point_of(X509_get0_pubkey(cert), point) && push_pin(point, pin, NULL) == 0) {
		strcpy(c->refused, pin);
		for (char *const *p = t->pins; *p; p++) {
			if (strcmp(*p, pin) == 0) {
				c->refused[0] = 0;
				X509_STORE_CTX_set_error(store, X509_V_OK);
				return 1;
			}
		}
	}
	X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_UNTRUSTED);
	return 0;
}

static int restrict_protocol(SSL_CTX *ctx, struct err **err)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_max_cert_list(ctx, CERT_CHAIN_MAX);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (!SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) || !SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) ||
	    !SSL_CTX_set1_groups_list(ctx, "X25519:P-256") || !SSL_CTX_set1_sigalgs_list(ctx, "ecdsa_secp256r1_sha256"))
		return ossl_err(err, ERR_INTERNAL, "push-tls", "cannot set up TLS 1.3");
	return 0;
}

static int tls_new(bool server, const struct secret *key_pem, struct push_tls **ret, struct err **err)
{
	struct push_tls *t = calloc(1, sizeof(*t));
	_cleanup_ossl_(pkey) EVP_PKEY *key = NULL;
	_cleanup_ossl_(x509) X509 *cert = NULL;
	uint8_t point[PUSH_POINT];

	if (!t)
		return err_nomem(err);
	OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	t->server = server;
	t->ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	if (!t->ctx)
		ossl_err(err, ERR_INTERNAL, "push-tls", "cannot set up TLS");
	else if (restrict_protocol(t->ctx, err) == 0 && (server ? make_key(&key, err) : read_key(key_pem, &key, err)) == 0) {
		if (!point_of(key, point))
			err_set(err, ERR_CONFIG, "push-key", "an operator's key is one on the curve P-256");
		else if (self_sign(key, &cert, err) == 0) {
			if (SSL_CTX_use_certificate(t->ctx, cert) && SSL_CTX_use_PrivateKey(t->ctx, key)) {
				*ret = t;
				return 0;
			}
			ossl_err(err, ERR_INTERNAL, "push-tls", "cannot use the key for TLS");
		}
	}
	push_tls_free(t);
	return -1;
}

int push_tls_server(char *const *pins, struct push_tls **ret, struct err **err)
{
	struct push_tls *t;

	if (tls_new(true, NULL, &t, err) < 0)
		return -1;
	t->pins = pins;
	SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(t->ctx, judge_client, t);
	*ret = t;
	return 0;
}

int push_tls_client(const struct secret *key_pem, struct push_tls **ret, struct err **err)
{
	struct push_tls *t;

	if (tls_new(false, key_pem, &t, err) < 0)
		return -1;
	SSL_CTX_set_verify(t->ctx, SSL_VERIFY_NONE, NULL);
	*ret = t;
	return 0;
}

void push_tls_free(struct push_tls *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}

/* --- one connection --- */

static int cancelled(struct err **err)
{
	return err_set(err, ERR_TIMEOUT, "cancelled", "cancelled");
}

/* Until the socket is ready for what TLS wants next. */
static int wait_for(const struct push_conn *c, short events, struct deadline d, struct err **err)
{
	struct pollfd p[2] = { { .fd = c->fd, .events = events }, { .fd = c->wake_fd, .events = POLLIN } };

	for (;;) {
		int left = deadline_poll_ms(d);
		int n = poll(p, 2, left < 0 || left > SLICE_MS ? SLICE_MS : left);

		if (n < 0 && errno != EINTR)
			return err_set_errno(err, ERR_INTERNAL, "push-tls", errno, "poll");
		if (n > 0 && p[1].revents)
			return cancelled(err);
		if (deadline_passed(d))
			return err_set(err, ERR_TIMEOUT, "push-slow", "the other side was too slow");
		if (n > 0 && p[0].revents)
			return 0;
	}
}

static int closed(struct push_conn *c, int reason, struct err **err)
{
	unsigned long e = ERR_peek_error();
	const char *text = e ? ERR_reason_error_string(e) : NULL;
	char why[160];

	if (c->refused[0]) {
		ERR_clear_error();
		return err_set(err, ERR_IDENTITY, "push-operator", "the client's key is %s, which [push] operator does not name",
			       c->refused);
	}
	/* An alert that the other side sent: it said no. */
	if (!c->tls->server && e && ERR_GET_LIB(e) == ERR_LIB_SSL && ERR_GET_REASON(e) > SSL_AD_REASON_OFFSET) {
		err_set(err, ERR_REFUSED, "push-operator", "the machine does not take this key (%s)", text ? text : "alert");
		ERR_clear_error();
		return -1;
	}
	snprintf(why, sizeof(why), "%s", text ? text : reason == SSL_ERROR_SYSCALL && errno ? strerror(errno) : "it ended");
	ERR_clear_error();
	return err_set(err, ERR_UNREACHABLE, "push-closed", "the other side closed the connection: %s", why);
}

/* After a call that returned rc <= 0: what to wait for, or why there is nothing. */
static int wanted(struct push_conn *c, int rc, short *ret_events, struct err **err)
{
	switch (SSL_get_error(c->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		*ret_events = POLLIN;
		return 0;
	case SSL_ERROR_WANT_WRITE:
		*ret_events = POLLOUT;
		return 0;
	default:
		return closed(c, SSL_get_error(c->ssl, rc), err);
	}
}

static int go_on(struct push_conn *c, int rc, struct deadline d, struct err **err)
{
	short events = 0;

	return wanted(c, rc, &events, err) < 0 ? -1 : wait_for(c, events, d, err);
}

int push_conn_step(struct push_conn *c, short *ret_events, struct err **err)
{
	int rc;

	ERR_clear_error();
	errno = 0;
	rc = c->tls->server ? SSL_accept(c->ssl) : SSL_connect(c->ssl);
	return rc == 1 ? 1 : wanted(c, rc, ret_events, err);
}

static int handshake(struct push_conn *c, struct deadline d, struct err **err)
{
	short events;
	int rc;

	while ((rc = push_conn_step(c, &events, err)) == 0)
		if (wait_for(c, events, d, err) < 0)
			return -1;
	return rc < 0 ? -1 : 0;
}

int push_conn_begin(struct push_tls *t, int fd, int wake_fd, struct push_conn **ret, struct err **err)
{
	struct push_conn *c = calloc(1, sizeof(*c));
	int flags = fcntl(fd, F_GETFL);

	if (!c) {
		close(fd);
		return err_nomem(err);
	}
	c->fd = fd;
	c->wake_fd = wake_fd;
	c->tls = t;
	c->ssl = SSL_new(t->ctx);
	if (!c->ssl || !SSL_set_app_data(c->ssl, c) || !SSL_set_fd(c->ssl, fd) || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
		push_conn_close(c);
		return ossl_err(err, ERR_INTERNAL, "push-tls", "cannot set up a connection");
	}
	*ret = c;
	return 0;
}

int push_conn_open(struct push_tls *t, int fd, int wake_fd, struct deadline d, struct push_conn **ret, struct err **err)
{
	struct push_conn *c;

	if (push_conn_begin(t, fd, wake_fd, &c, err) < 0)
		return -1;
	if (handshake(c, d, err) < 0) {
		push_conn_close(c);
		return -1;
	}
	*ret = c;
	return 0;
}

static int write_all(struct push_conn *c, const uint8_t *p, size_t len, struct deadline d, struct err **err)
{
	while (len) {
		size_t done = 0;
		int rc;

		ERR_clear_error();
		errno = 0;
		rc = SSL_write_ex(c->ssl, p, len < PIECE ? len : PIECE, &done);
		if (rc <= 0 && go_on(c, rc, d, err) < 0)
			return -1;
		p += done;
		len -= done;
	}
	return 0;
}

static int read_all(struct push_conn *c, uint8_t *p, size_t len, struct deadline d, struct err **err)
{
	while (len) {
		size_t done = 0;
		int rc;

		/* TLS may always have one more byte ready: the clock is looked at here as well. */
		if (deadline_passed(d))
			return err_set(err, ERR_TIMEOUT, "push-slow", "the other side was too slow");
		ERR_clear_error();
		errno = 0;
		rc = SSL_read_ex(c->ssl, p, len, &done);
		if (rc <= 0 && go_on(c, rc, d, err) < 0)
			return -1;
		p += done;
		len -= done;
	}
	return 0;
}

int push_conn_send(struct push_conn *c, const void *data, size_t len, struct deadline d, struct err **err)
{
	_cleanup_buf_ struct buf msg = BUF_INIT(4 + len);

	buf_put_u32be(&msg, (uint32_t)len);
	buf_append(&msg, data, len);
	if (buf_check(&msg, err) < 0)
		return -1;
	return write_all(c, msg.data, msg.len, d, err);
}

int push_conn_recv(struct push_conn *c, struct buf *buf, size_t max, struct deadline d, struct err **err)
{
	uint8_t head[4], piece[4096];
	struct rd r = RD_INIT(head, sizeof(head));
	size_t left;

	buf_reset(buf);
	if (read_all(c, head, sizeof(head), d, err) < 0)
		return -1;
	left = rd_u32be(&r);
	if (left > max)
		return err_set(err, ERR_INTEGRITY, "push-size", "a message of %zu bytes, at most %zu", left, max);
	/* Memory is taken for what has come, not for what was announced. */
	while (left) {
		size_t n = left < sizeof(piece) ? left : sizeof(piece);

		if (read_all(c, piece, n, d, err) < 0)
			return -1;
		buf_append(buf, piece, n);
		left -= n;
	}
	return buf_check(buf, err);
}

int push_conn_exporter(struct push_conn *c, uint8_t out[static PUSH_EXPORTER], struct err **err)
{
	if (SSL_export_keying_material(c->ssl, out, PUSH_EXPORTER, PUSH_EXPORTER_LABEL, strlen(PUSH_EXPORTER_LABEL), NULL, 0, 0) != 1)
		return ossl_err(err, ERR_INTERNAL, "push-tls", "cannot derive the exporter");
	return 0;
}

int push_conn_peer(struct push_conn *c, uint8_t out[static PUSH_POINT], struct err **err)
{
	X509 *cert = SSL_get0_peer_certificate(c->ssl);

	if (!cert || !point_of(X509_get0_pubkey(cert), out))
		return err_set(err, ERR_IDENTITY, "push-operator", "the client showed no key on the curve P-256");
	return 0;
}

int push_conn_fd(const struct push_conn *c)
{
	return c->fd;
}

/* Closing a socket that holds unread bytes resets the connection, and the alert or result on its way is lost: they are read first. */
static void linger(int fd)
{
	struct deadline d = deadline_in_ms(LINGER_MS);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t rest[4096];

	while (!deadline_passed(d)) {
		ssize_t n = poll(&p, 1, deadline_poll_ms(d)) == 1 ? read(fd, rest, sizeof(rest)) : -1;

		if (n <= 0)
			return;
	}
}

int push_conn_release(struct push_conn *c)
{
	const int fd = c->fd;

	if (c->ssl && SSL_is_init_finished(c->ssl))
		SSL_shutdown(c->ssl);
	if (c->tls->server)
		shutdown(fd, SHUT_WR);
	SSL_free(c->ssl);
	free(c);
	ERR_clear_error();
	return fd;
}

void push_conn_close(struct push_conn *c)
{
	bool server;
	int fd;

	if (!c)
		return;
	server = c->tls->server;
	fd = push_conn_release(c);
	if (server)
		linger(fd);
	close(fd);
}
