/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "kbsd/push_client.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "push/tls.h"

#define CONNECT_MS 5000
#define AGAIN_MS 2000
#define RESULT_MS 150000 /* keyslot and trial mapping on the other side */

static int resolve(const char *address, struct addrinfo **ret, struct err **err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV };
	const char *colon = strrchr(address, ':');
	_cleanup_free_ char *host = colon ? strndup(address, (size_t)(colon - address)) : NULL;
	size_t len = host ? strlen(host) : 0;
	int rc;

	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		memmove(host, host + 1, len - 2);
		host[len - 2] = 0;
	}
	if (!host || !*host || !colon[1])
		return err_set(err, ERR_CONFIG, "usage", "\"%s\": HOST:PORT is wanted", address);
	rc = getaddrinfo(host, colon + 1, &hints, ret);
	if (rc == 0)
		return 0;
	return err_set(err, rc == EAI_SERVICE ? ERR_CONFIG : ERR_UNREACHABLE, "push-address", "%s: %s", address, gai_strerror(rc));
}

static int finish_connect(int fd, struct deadline d)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int error = 0, n;
	socklen_t len = sizeof(error);

	do
		n = poll(&p, 1, deadline_poll_ms(d));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return ETIMEDOUT;
	return n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? errno : error;
}

static int connect_one(const struct addrinfo *a, int *ret)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error;

	if (fd < 0)
		return errno;
	error = connect(fd, a->ai_addr, a->ai_addrlen) == 0 ? 0 : errno;
	if (error == EINPROGRESS)
		error = finish_connect(fd, deadline_in_ms(CONNECT_MS));
	if (error)
		close(fd);
	else
		*ret = fd;
	return error;
}

static int connect_once(const struct push_client *c, int *ret, struct err **err)
{
	struct addrinfo *list;
	int error = ENOENT;

	if (resolve(c->address, &list, err) < 0)
		return -1;
	for (const struct addrinfo *a = list; a && error; a = a->ai_next)
		error = connect_one(a, ret);
	freeaddrinfo(list);
	if (!error)
		return 0;
	err_set_errno(err, ERR_UNREACHABLE, "push-connect", error, "%s", c->address);
	if (c->wait_ms)
		return -1;
	return err_hint(err, "the machine listens only while a volume waits: --wait 10m tries until then");
}

static int open_once(const struct push_client *c, struct push_tls *tls, struct push_conn **ret, struct err **err)
{
	int fd = -1;

	if (connect_once(c, &fd, err) < 0)
		return -1;
	return push_conn_open(tls, fd, -1, deadline_in_ms(c->timeout_ms), ret, err);
}

static void say_waiting(const struct push_client *c)
{
	static const struct {
		uint64_t ms;
		const char *name;
	} units[] = { { 3600000, "h" }, { 60000, "m" }, { 1000, "s" }, { 1, "ms" } };
	size_t i = 0;

	while (c->wait_ms % units[i].ms)
		i++;
	log_info("waiting up to %llu%s for %s", (unsigned long long)(c->wait_ms / units[i].ms), units[i].name, c->address);
}

/* What forwards ports for the machine may take a connection and drop it while nobody listens there: that is no answer either. */
static int open_wait(const struct push_client *c, struct push_tls *tls, struct push_conn **ret, struct err **err)
{
	struct deadline d = deadline_in_ms(c->wait_ms ? c->wait_ms : 1);

	for (bool said = !c->wait_ms;; said = true) {
		_cleanup_err_ struct err *e = NULL;

		if (open_once(c, tls, ret, &e) == 0)
			return 0;
		if (err_class(e) != ERR_UNREACHABLE && err_class(e) != ERR_TIMEOUT)
			return err_propagate(err, TAKE_PTR(e));
		if (!said)
			say_waiting(c);
		if (!clock_sleep_ms(AGAIN_MS, d))
			return err_propagate(err, TAKE_PTR(e));
	}
}

static int receive(struct push_conn *conn, uint64_t ms, struct push_answer *ret, struct err **err)
{
	_cleanup_buf_ struct buf msg = BUF_INIT(PUSH_ANSWER_MAX);

	if (push_conn_recv(conn, &msg, PUSH_ANSWER_MAX, deadline_in_ms(ms), err) < 0)
		return -1;
	return push_answer_parse((const char *)msg.data, msg.len, ret, err);
}

/* In TLS 1.3 a server says no to a client's key only after the client is done with its handshake. */
static int first_answer(const struct push_client *c, struct push_conn *conn, const struct push_binding *b, struct push_answer *ret,
			struct err **err)
{
	_cleanup_buf_ struct buf hello = BUF_INIT(PUSH_HELLO);
	char pin[PUSH_PIN_TEXT];

	push_hello_put(b->nonce, &hello);
	if (push_conn_send(conn, hello.data, hello.len, deadline_in_ms(c->timeout_ms), err) == 0 &&
	    receive(conn, c->timeout_ms, ret, err) == 0)
		return 0;
	if (err_class(*err) == ERR_REFUSED && push_pin(b->operator, pin, NULL) == 0)
		err_hint(err, "the machine's [push] section must say operator = %s", pin);
	return -1;
}

static int send_document(const struct push_client *c, struct push_conn *conn, const struct keypair *key, const struct push_binding *b,
			 const uint8_t report_data[static PUSH_REPORT_DATA], struct err **err)
{
	_cleanup_buf_ struct buf msg = BUF_INIT(PUSH_SECRET_MAX);

	if (push_secret_make(key, b->machine, report_data, c->text, &msg, err) < 0)
		return -1;
	return push_conn_send(conn, msg.data, msg.len, deadline_in_ms(c->timeout_ms), err);
}

static int hear_result(struct push_conn *conn, struct err **err)
{
	__attribute__((cleanup(push_answer_clear))) struct push_answer a = { 0 };

	if (receive(conn, RESULT_MS, &a, err) < 0)
		return err_wrap(err, "the document was sent, but not whether it was of use");
	if (!a.is_result)
		return err_set(err, ERR_INTEGRITY, "push-answer", "the machine answers a document with something else than a result");
	if (a.ok)
		return 0;
	return err_set(err, ERR_INTEGRITY, *a.id ? a.id : "push-result", "the machine has the document, but: %s", a.message);
}

static int converse(const struct push_client *c, struct push_conn *conn, const struct keypair *key, struct buf *note, struct err **err)
{
	__attribute__((cleanup(push_answer_clear))) struct push_answer evidence = { 0 };
	uint8_t report_data[PUSH_REPORT_DATA];
	struct push_binding b = { 0 };
	struct public_key pub;

	keypair_public(key, &pub);
	if (push_point(&pub, b.operator, err) < 0 || random_bytes(b.nonce, sizeof(b.nonce), err) < 0 ||
	    push_conn_exporter(conn, b.exporter, err) < 0)
		return -1;
	if (first_answer(c, conn, &b, &evidence, err) < 0 || push_judge(&c->judge, &evidence, &b, report_data, note, err) < 0 ||
	    send_document(c, conn, key, &b, report_data, err) < 0)
		return -1;
	return hear_result(conn, err);
}

int push_client_run(const struct push_client *c, struct buf *note, struct err **err)
{
	struct push_tls *tls = NULL;
	struct push_conn *conn = NULL;
	struct keypair *key = NULL;
	int rc;

	rc = keypair_from_pem((const char *)secret_cdata(c->key), secret_len(c->key), &key, err);
	if (rc == 0)
		rc = push_tls_client(c->key, &tls, err);
	if (rc == 0)
		rc = open_wait(c, tls, &conn, err);
	if (rc == 0)
		rc = converse(c, conn, key, note, err);
	push_conn_close(conn);
	push_tls_free(tls);
	keypair_free(key);
	return rc;
}
