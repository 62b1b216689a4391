/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Whom an operator and a waiting machine must not fall for. Each prints what happened, one line.
 *
 *   pushpeer relay KEY PORT FILE   a man in the middle with TLS of its own on both sides, who even has the operator's key for TLS; keeps the
 *                                  machine's answer in FILE
 *   pushpeer replay KEY FILE       a machine that answers with what FILE holds
 *   pushpeer forge KEY PORT DOC    a client with the operator's key for TLS, whose document is signed by another
 *   pushpeer slow PORT             a client that sends a byte a second
 *   pushpeer drip KEY PORT         one that does so with the document
 *   pushpeer big KEY PORT          one that sends more than a document may have
 *
 * Listeners print "port N" first and serve one connection.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "push/tls.h"

#define MS 30000
#define LOST "lost: "

static void die(const char *what, const struct err *e)
{
	printf("%s%s\n", what, e ? err_message(e) : "");
	fflush(stdout);
	_exit(1);
}

static struct secret *read_key(const char *path)
{
	struct secret *s = NULL;
	struct err *e = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || secret_read_fd(fd, 65536, &s, &e) < 0)
		die(LOST "key: ", e);
	close(fd);
	return s;
}

static int connect_to(const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die(LOST "connect", NULL);
	return fd;
}

static int accept_one(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), c;

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0 || getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		die(LOST "listen", NULL);
	printf("port %u\n", ntohs(a.sin_port));
	fflush(stdout);
	c = accept(fd, NULL, NULL);
	close(fd);
	return c;
}

static struct push_conn *open_client(const char *key, const char *port)
{
	struct secret *pem = read_key(key);
	struct push_tls *tls = NULL;
	struct push_conn *c = NULL;
	struct err *e = NULL;

	if (push_tls_client(pem, &tls, &e) < 0 || push_conn_open(tls, connect_to(port), -1, deadline_in_ms(MS), &c, &e) < 0)
		die(LOST "client: ", e);
	return c;
}

/* Takes the client that has this key. */
static struct push_conn *open_server(const char *key)
{
	static char pin[PUSH_PIN_TEXT];
	static char *pins[2] = { pin };
	struct secret *pem = read_key(key);
	struct keypair *kp = NULL;
	struct push_tls *tls = NULL;
	struct push_conn *c = NULL;
	uint8_t point[PUSH_POINT];
	struct public_key pub;
	struct err *e = NULL;

	if (keypair_from_pem((const char *)secret_cdata(pem), secret_len(pem), &kp, &e) < 0)
		die(LOST "key: ", e);
	keypair_public(kp, &pub);
	if (push_point(&pub, point, &e) < 0 || push_pin(point, pin, &e) < 0 || push_tls_server(pins, &tls, &e) < 0 ||
	    push_conn_open(tls, accept_one(), -1, deadline_in_ms(MS), &c, &e) < 0)
		die(LOST "server: ", e);
	return c;
}

static void receive(struct push_conn *c, struct buf *msg, const char *what)
{
	struct err *e = NULL;

	if (push_conn_recv(c, msg, PUSH_ANSWER_MAX, deadline_in_ms(MS), &e) < 0)
		die(what, e);
}

static void deliver(struct push_conn *c, const void *data, size_t len, const char *what)
{
	struct err *e = NULL;

	if (push_conn_send(c, data, len, deadline_in_ms(MS), &e) < 0)
		die(what, e);
}

static int relay(const char *key, const char *port, const char *file)
{
	struct buf msg = BUF_INIT(PUSH_ANSWER_MAX);
	struct push_conn *operator = open_server(key), *machine = open_client(key, port);

	receive(operator, &msg, LOST "hello: ");
	deliver(machine, msg.data, msg.len, LOST "hello: ");
	receive(machine, &msg, LOST "evidence: ");
	if (file_write_volatile(AT_FDCWD, file, msg.data, msg.len, 0600, NULL) < 0)
		die(LOST "file", NULL);
	deliver(operator, msg.data, msg.len, LOST "evidence: ");
	receive(operator, &msg, "no document: ");
	printf("a document of %zu bytes\n", msg.len);
	return 0;
}

static int replay(const char *key, const char *file)
{
	struct buf msg = BUF_INIT(PUSH_ANSWER_MAX);
	struct push_conn *operator = open_server(key);
	char *text;
	size_t len;

	if (file_read(AT_FDCWD, file, PUSH_ANSWER_MAX, ERR_CONFIG, &text, &len, NULL) < 0)
		die(LOST "file", NULL);
	receive(operator, &msg, LOST "hello: ");
	deliver(operator, text, len, LOST "evidence: ");
	receive(operator, &msg, "no document: ");
	printf("a document of %zu bytes\n", msg.len);
	return 0;
}

/* As an operator, up to the evidence. */
static struct push_conn *until_evidence(const char *key, const char *port, struct push_answer *ret)
{
	struct push_conn *c = open_client(key, port);
	static const uint8_t nonce[PUSH_NONCE] = { 1, 2, 3 };
	struct buf msg = BUF_INIT(PUSH_ANSWER_MAX);
	struct err *e = NULL;

	push_hello_put(nonce, &msg);
	deliver(c, msg.data, msg.len, LOST "hello: ");
	receive(c, &msg, LOST "evidence: ");
	if (push_answer_parse((const char *)msg.data, msg.len, ret, &e) < 0)
		die(LOST "evidence: ", e);
	return c;
}

static int forge(const char *key, const char *port, const char *doc)
{
	struct push_answer a, result;
	struct push_conn *c = until_evidence(key, port, &a);
	struct push_binding b = { .nonce = { 1, 2, 3 } };
	struct buf msg = BUF_INIT(PUSH_ANSWER_MAX);
	struct keypair *other = NULL;
	uint8_t report_data[PUSH_REPORT_DATA];
	struct err *e = NULL;

	if (a.is_result || push_conn_exporter(c, b.exporter, &e) < 0)
		die(LOST "no evidence", e);
	memcpy(b.machine, a.machine, sizeof(b.machine));
	if (push_report_data(&b, &a.instance, report_data, &e) < 0 || keypair_generate(KEY_EC_P256, &other, &e) < 0 ||
	    push_secret_make(other, a.machine, report_data, read_key(doc), &msg, &e) < 0)
		die(LOST "document: ", e);
	deliver(c, msg.data, msg.len, LOST "document: ");
	receive(c, &msg, LOST "result: ");
	if (push_answer_parse((const char *)msg.data, msg.len, &result, &e) < 0)
		die(LOST "result: ", e);
	printf("%s %s\n", result.ok ? "opened" : "refused", result.id);
	return 0;
}

/* Milliseconds until the other side has had enough, if it has within MS. */
static void drip(int fd, uint8_t record_type, uint64_t since)
{
	const uint8_t head[] = { record_type, 3, record_type == 22 ? 1 : 3, 2, 0 }; /* of a record of 512 bytes */
	size_t sent = 0;
	struct timeval second = { .tv_sec = 1 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	while (clock_ns() - since < MS * NSEC_PER_MSEC) {
		uint8_t byte;
		ssize_t n;

		if (send(fd, sent < sizeof(head) ? &head[sent] : &record_type, 1, MSG_NOSIGNAL) != 1)
			goto cut;
		sent++;
		n = recv(fd, &byte, 1, 0); /* and so waits a second */
		if (n == 0 || (n < 0 && errno != EAGAIN))
			goto cut;
	}
	printf("not cut\n");
	return;
cut:
	printf("cut after %llu ms\n", (unsigned long long)((clock_ns() - since) / NSEC_PER_MSEC));
}

static int big(const char *key, const char *port)
{
	struct push_answer a;
	struct push_conn *c = until_evidence(key, port, &a);
	struct buf msg = BUF_INIT(PUSH_ANSWER_MAX);
	struct err *e = NULL;

	/* Within one message of the right form, so that the length is all that is wrong. */
	deliver(c, (uint8_t[200 * 1024]){ 0 }, 200 * 1024, "cut: ");
	if (push_conn_recv(c, &msg, PUSH_ANSWER_MAX, deadline_in_ms(MS), &e) < 0)
		die("cut: ", e);
	printf("%.*s\n", (int)msg.len, (char *)msg.data);
	return 0;
}

static int run(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	struct push_answer a;

	if (strcmp(mode, "relay") == 0 && argc == 5)
		return relay(argv[2], argv[3], argv[4]);
	if (strcmp(mode, "replay") == 0 && argc == 4)
		return replay(argv[2], argv[3]);
	if (strcmp(mode, "forge") == 0 && argc == 5)
		return forge(argv[2], argv[3], argv[4]);
	if (strcmp(mode, "big") == 0 && argc == 4)
		return big(argv[2], argv[3]);
	if (strcmp(mode, "slow") == 0 && argc == 3)
		drip(connect_to(argv[2]), 22, clock_ns());
	else if (strcmp(mode, "drip") == 0 && argc == 4)
		drip(push_conn_fd(until_evidence(argv[2], argv[3], &a)), 23, clock_ns());
	else
		return 2;
	return 0;
}

int main(int argc, char **argv)
{
	int code;

	setvbuf(stdout, NULL, _IOLBF, 0);
	code = run(argc, argv);
	fflush(stdout);
	_exit(code); /* nothing is freed: leak checkers look at the programs that this one talks to */
}
