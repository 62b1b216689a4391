/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The listener of an operator push among neighbours who connect and show no key: the operator gets through, and they do not stay. */
#include "tests/lib/check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "push/door.h"
#include "push/push.h"
#include "push/tls.h"

#define CROWD 200

static struct lab {
	char pin[PUSH_PIN_TEXT];
	char *pins[2];
	struct secret *key;
	struct push_tls *tls; /* the operator's */
	struct push *machine;
	unsigned int port;
	int fd[CROWD];
	size_t n;
} lab;

static int setup(void **state)
{
	const struct push_listen l = { .host = "127.0.0.1", .pins = lab.pins };
	struct keypair *kp = NULL;
	uint8_t point[PUSH_POINT];
	struct public_key pub;

	memset(&lab, 0, sizeof(lab));
	assert_ok(keypair_generate(KEY_EC_P256, &kp, &_err));
	keypair_public(kp, &pub);
	assert_ok(push_point(&pub, point, &_err));
	assert_ok(push_pin(point, lab.pin, &_err));
	assert_ok(keypair_to_pem(kp, &lab.key, &_err));
	keypair_free(kp);
	lab.pins[0] = lab.pin;
	assert_ok(push_tls_client(lab.key, &lab.tls, &_err));
	assert_ok(push_start(&l, &lab.machine, &_err));
	assert_ok(push_listen(lab.machine, &lab.port, &_err));
	return 0;
}

static int teardown(void **state)
{
	for (size_t i = 0; i < lab.n; i++)
		close(lab.fd[i]);
	push_stop(lab.machine);
	push_tls_free(lab.tls);
	secret_free(lab.key);
	return 0;
}

static int connect_from(unsigned int last)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + last) };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)lab.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static int neighbour(unsigned int last)
{
	assert_true(lab.n < CROWD);
	lab.fd[lab.n] = connect_from(last);
	return lab.fd[lab.n++];
}

/* Has the machine hung up, within this time? */
static bool hung_up(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char c;

	return poll(&p, 1, ms) == 1 && recv(fd, &c, 1, MSG_DONTWAIT) <= 0;
}

static size_t still_there(void)
{
	size_t n = 0;

	for (size_t i = 0; i < lab.n; i++)
		n += !hung_up(lab.fd[i], 0);
	return n;
}

/* The next packet that is no word about a neighbour. */
static void next_packet(struct push_packet *p)
{
	do
		assert_ok(push_next(lab.machine, deadline_in_ms(2000), p, &_err));
	while (p->type == PACKET_ENDED);
}

/* Everything up to the machine's being asked for evidence, on a socket that is connected; in far less time than one neighbour may take. */
static struct push_conn *operator_on(int fd, uint16_t *ret_conn)
{
	struct push_conn *c = NULL;
	uint8_t nonce[PUSH_NONCE] = { 7 };
	_cleanup_buf_ struct buf hello = BUF_INIT(PUSH_HELLO);
	struct push_packet p;

	assert_ok(push_conn_open(lab.tls, fd, -1, deadline_in_ms(2000), &c, &_err));
	push_hello_put(nonce, &hello);
	assert_ok(push_conn_send(c, hello.data, hello.len, deadline_in_ms(2000), &_err));
	next_packet(&p);
	assert_int_equal(p.type, PACKET_HELLO);
	assert_memory_equal(p.nonce, nonce, sizeof(nonce));
	assert_string_equal(p.from, "127.0.0.1");
	*ret_conn = p.conn;
	push_packet_clear(&p);
	return c;
}

static void served(struct push_conn *c, uint16_t conn)
{
	_cleanup_buf_ struct buf got = BUF_INIT(100);

	assert_ok(push_answer(lab.machine, conn, true, "no", 2, &_err));
	assert_ok(push_conn_recv(c, &got, 100, deadline_in_ms(2000), &_err));
	assert_int_equal(got.len, 2);
	push_conn_close(c);
}

static void operator_gets_through(void)
{
	uint16_t conn;
	struct push_conn *c = operator_on(connect_from(1), &conn);

	served(c, conn);
}

static void test_silent_neighbours(void **state)
{
	for (unsigned int i = 0; i < PUSH_PENDING - 1; i++)
		neighbour(2 + i);
	operator_gets_through();
	assert_int_equal(still_there(), PUSH_PENDING - 1);
	operator_gets_through();
}

/* One address has room for a few, and what is too much is hung up on at once. */
static void test_one_address(void **state)
{
	for (unsigned int i = 0; i < PUSH_PENDING_EACH; i++)
		neighbour(2);
	operator_gets_through();
	assert_int_equal(still_there(), PUSH_PENDING_EACH);
	for (unsigned int i = 0; i < 50; i++)
		assert_true(hung_up(neighbour(2), 1000));
	assert_int_equal(still_there(), PUSH_PENDING_EACH);
	operator_gets_through();
}

/* At the limit everybody may go on; one more, and the oldest goes. */
static void test_full(void **state)
{
	int first = neighbour(2);

	for (unsigned int i = 1; i < PUSH_PENDING; i++)
		neighbour(2 + i);
	assert_false(hung_up(first, 300));
	assert_int_equal(still_there(), PUSH_PENDING);
	neighbour(2 + PUSH_PENDING);
	assert_true(hung_up(first, 1000));
	assert_int_equal(still_there(), PUSH_PENDING);
	operator_gets_through();
	/* And so on: whoever comes last has the most time. */
	for (unsigned int i = 0; i < 2 * PUSH_PENDING; i++)
		neighbour(100 + i);
	operator_gets_through();
}

/* Who has taken many places gives them up before who has one, however long that one stands there. */
static void test_greedy(void **state)
{
	int alone = neighbour(2), greedy = neighbour(3);

	for (unsigned int i = 1; i < PUSH_PENDING_EACH; i++)
		neighbour(3);
	for (unsigned int i = 0; lab.n < PUSH_PENDING; i++)
		neighbour(4 + i);
	assert_int_equal(still_there(), PUSH_PENDING);
	neighbour(200);
	assert_true(hung_up(greedy, 1000));
	assert_false(hung_up(alone, 300));
	assert_int_equal(still_there(), PUSH_PENDING);
}

/* Neighbours who crowd somebody out do not get his address barred: that was no failure of his. */
static void test_crowded_out(void **state)
{
	for (unsigned int round = 0; round < PUSH_FAILURES; round++) {
		int waiting = connect_from(1);

		for (unsigned int i = 0; i < PUSH_PENDING; i++)
			neighbour(2 + round * PUSH_PENDING + i);
		assert_true(hung_up(waiting, 1000));
		close(waiting);
	}
	operator_gets_through();
}

/* Addresses whose connections led to nothing lose their turn, whatever ended these. */
static void test_those_who_were_in_the_way(void **state)
{
	for (unsigned int round = 0; round < PUSH_FAILURES; round++)
		close(connect_from(2));
	/* Each end is on record before the next connection is looked at. */
	operator_gets_through();
	assert_true(hung_up(neighbour(2), 1000));
	assert_false(hung_up(neighbour(3), 300));
}

static void test_time(void **state)
{
	uint64_t begun = clock_ns(), took;
	int fd = neighbour(2);
	struct push_packet p;

	assert_ok(push_next(lab.machine, deadline_in_ms(3 * PUSH_HANDSHAKE_MS), &p, &_err));
	took = (clock_ns() - begun) / NSEC_PER_MSEC;
	assert_int_equal(p.type, PACKET_ENDED);
	assert_string_equal(p.id, "push-slow");
	assert_string_equal(p.from, "127.0.0.2");
	assert_true(took >= PUSH_HANDSHAKE_MS - 100 && took < 2 * PUSH_HANDSHAKE_MS);
	assert_true(hung_up(fd, 2000));
	push_packet_clear(&p);
}

/* The time in which another operator was served is nobody's fault. */
static void test_waiting_for_another(void **state)
{
	int second = connect_from(1);
	uint16_t conn;
	struct push_conn *c;

	poll(NULL, 0, 200); /* it is in the door */
	c = operator_on(connect_from(1), &conn);
	poll(NULL, 0, PUSH_HANDSHAKE_MS + 200);
	served(c, conn);
	c = operator_on(second, &conn);
	served(c, conn);
}

/* A certificate of the operator's key, of just so many bytes. */
static X509 *certificate_of(EVP_PKEY *key, int bytes)
{
	for (int filler = bytes - 300;; filler++) {
		X509 *x = X509_new();
		ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
		uint8_t *zeros = calloc(1, (size_t)filler);
		X509_EXTENSION *ext;
		int len;

		assert_true(x && value && zeros && ASN1_OCTET_STRING_set(value, zeros, filler));
		ext = X509_EXTENSION_create_by_NID(NULL, NID_netscape_comment, 0, value);
		assert_true(X509_set_version(x, X509_VERSION_3) && X509_set_pubkey(x, key) && X509_add_ext(x, ext, -1) &&
			    ASN1_TIME_set_string(X509_getm_notBefore(x), "20000101000000Z") &&
			    ASN1_TIME_set_string(X509_getm_notAfter(x), "20990101000000Z"));
		X509_EXTENSION_free(ext);
		ASN1_OCTET_STRING_free(value);
		free(zeros);
		/* A signature has up to two bytes less now and then. */
		for (int try = 0; try < 40; try++) {
			assert_true(X509_sign(x, key, EVP_sha256()) > 0);
			len = i2d_X509(x, NULL);
			if (len == bytes)
				return x;
		}
		X509_free(x);
		assert_true(filler < bytes);
	}
}

/* Who has the key, and a certificate message of so many bytes: is he let in? */
static bool let_in(int message)
{
	BIO *mem = BIO_new_mem_buf(secret_cdata(lab.key), (int)secret_len(lab.key));
	EVP_PKEY *key = PEM_read_bio_PrivateKey(mem, NULL, NULL, NULL);
	X509 *cert = certificate_of(key, message - 9); /* around it: a context, two lengths, no extensions */
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	_cleanup_buf_ struct buf hello = BUF_INIT(PUSH_HELLO), framed = BUF_INIT(PUSH_HELLO + 4);
	static const uint8_t nonce[PUSH_NONCE] = { 9 };
	struct push_packet p;
	int fd = connect_from(1);
	bool in;

	push_hello_put(nonce, &hello);
	buf_put_u32be(&framed, (uint32_t)hello.len);
	buf_append(&framed, hello.data, hello.len);
	assert_true(SSL_use_certificate(ssl, cert) == 1 && SSL_use_PrivateKey(ssl, key) == 1 && SSL_set_fd(ssl, fd) == 1);
	assert_int_equal(SSL_connect(ssl), 1); /* as far as the client knows */
	SSL_write(ssl, framed.data, (int)framed.len);
	assert_ok(push_next(lab.machine, deadline_in_ms(2000), &p, &_err));
	in = p.type == PACKET_HELLO;
	if (in)
		assert_ok(push_answer(lab.machine, p.conn, true, "no", 2, &_err));
	else
		assert_string_equal(p.id, "push-closed");
	push_packet_clear(&p);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	X509_free(cert);
	EVP_PKEY_free(key);
	BIO_free(mem);
	close(fd);
	return in;
}

static void test_certificate_size(void **state)
{
	signal(SIGPIPE, SIG_IGN);
	assert_true(let_in(4096));
	assert_false(let_in(4097));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_silent_neighbours), T(test_one_address), T(test_full), T(test_greedy), T(test_crowded_out), T(test_those_who_were_in_the_way), T(test_certificate_size), T(test_time), T(test_waiting_for_another),
	};

	return cmocka_run_group_tests_name("push_door", tests, NULL, NULL);
}
