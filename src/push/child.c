/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "push/child.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "http/chan.h"
#include "http/child.h"
#include "http/confine.h"
#include "push/door.h"
#include "push/tls.h"

#define BACKLOG 128

struct listener {
	const struct push_listen *conf;
	struct push_tls *tls;
	struct door door;
	int fd;
	uint16_t conn; /* the one that is served */
};

static const struct deadline forever = { .at_ns = UINT64_MAX };

static void send_packet(const struct push_packet *p)
{
	_cleanup_buf_ struct buf msg = BUF_INIT(PUSH_PACKET_MAX);

	push_packet_put(p, &msg);
	if (!buf_ok(&msg))
		_exit(CHILD_NOMEM);
	if (chan_send(CONFINE_FD, &msg, forever) != CHAN_OK)
		_exit(CHILD_DONE);
}

static void receive_packet(struct push_packet *ret, struct deadline d)
{
	_cleanup_buf_ struct buf msg = BUF_INIT(PUSH_PACKET_MAX);

	switch (chan_recv(CONFINE_FD, &msg, -1, d)) {
	case CHAN_OK:
		break;
	case CHAN_TIMEOUT:
		*ret = (struct push_packet){ 0 };
		return;
	default:
		_exit(CHILD_DONE);
	}
	if (push_packet_get(msg.data, msg.len, false, ret, NULL) < 0)
		_exit(CHILD_ORDER);
}

_Noreturn static void fail(const char *what, const char *why)
{
	struct push_packet p = { .type = PACKET_FAILED };

	snprintf(p.text, sizeof(p.text), "%s: %s", what, why);
	send_packet(&p);
	_exit(CHILD_DONE);
}

/* --- the listening socket --- */

static socklen_t address_of(const struct push_listen *l, int family, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *four = (struct sockaddr_in *)ret;

	memset(ret, 0, sizeof(*ret));
	if (family == AF_INET6 && (!l->host || inet_pton(AF_INET6, l->host, &six->sin6_addr) == 1)) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons((uint16_t)l->port);
		return sizeof(*six);
	}
	if (family == AF_INET && (!l->host || inet_pton(AF_INET, l->host, &four->sin_addr) == 1)) {
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)l->port);
		return sizeof(*four);
	}
	return 0;
}

/* -1: not on this machine, errno says why. Without an address, one socket for both families. */
static int try_bind(const struct push_listen *l, int family)
{
	struct sockaddr_storage a;
	socklen_t len = address_of(l, family, &a);
	const int on = 1, off = 0;
	int fd, saved;

	if (!len) {
		errno = EADDRNOTAVAIL;
		return -1;
	}
	fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	/* FREEBIND: the address may come later than we do. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    (family != AF_INET6 || l->host || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == 0) &&
	    setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) == 0 && bind(fd, (struct sockaddr *)&a, len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage a = { 0 };
	socklen_t len = sizeof(a);

	if (getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		return 0;
	return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port : ((struct sockaddr_in *)&a)->sin_port);
}

static void start_listening(struct listener *l)
{
	struct push_packet p = { .type = PACKET_LISTENING };
	struct err *e = NULL;
	char what[100];

	if (push_tls_server(l->conf->pins, &l->tls, &e) < 0)
		fail("TLS", err_message(e));
	l->fd = try_bind(l->conf, AF_INET6);
	if (l->fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
		l->fd = try_bind(l->conf, AF_INET);
	if (l->fd < 0) {
		snprintf(what, sizeof(what), "cannot listen on %s port %u", l->conf->host ? l->conf->host : "any address,", l->conf->port);
		fail(what, strerror(errno));
	}
	p.port = port_of(l->fd);
	send_packet(&p);
}

/* --- one connection --- */

/* What the parent has to say to this connection; false: nothing in time. */
static bool await_answer(const struct listener *l, struct push_packet *ret)
{
	struct deadline d = deadline_in_ms(PUSH_WORK_MS);

	for (;;) {
		receive_packet(ret, d);
		if (ret->type == PACKET_ANSWER && ret->conn == l->conn)
			return true;
		if (!ret->type)
			return false;
		push_packet_clear(ret); /* to one that has ended */
	}
}

/* Sends what the parent answers. 1: the connection goes on, 0: that was the last. */
static int answer(struct listener *l, struct push_conn *c, struct err **err)
{
	struct push_packet p;
	int rc;

	if (!await_answer(l, &p))
		return err_set(err, ERR_TIMEOUT, "push-work", "no answer from the agent in time");
	rc = push_conn_send(c, p.data.data, p.data.len, deadline_in_ms(PUSH_SEND_MS), err);
	if (rc == 0)
		rc = p.last ? 0 : 1;
	push_packet_clear(&p);
	return rc;
}

static int hello(struct listener *l, const struct door_client *who, struct err **err)
{
	struct push_conn *c = who->conn;
	struct push_packet p = { .type = PACKET_HELLO, .conn = l->conn };
	_cleanup_buf_ struct buf msg = BUF_INIT(PUSH_HELLO);

	if (push_conn_recv(c, &msg, PUSH_HELLO, who->deadline, err) < 0 || push_hello_get(msg.data, msg.len, p.nonce, err) < 0 ||
	    push_conn_exporter(c, p.exporter, err) < 0 || push_conn_peer(c, p.operator, err) < 0)
		return -1;
	snprintf(p.from, sizeof(p.from), "%s", who->from);
	send_packet(&p);
	return 0;
}

static int secret(struct listener *l, struct push_conn *c, struct err **err)
{
	struct push_packet p = { .type = PACKET_SECRET, .conn = l->conn, .data = BUF_INIT(PUSH_SECRET_MAX) };
	int rc = push_conn_recv(c, &p.data, PUSH_SECRET_MAX, deadline_in_ms(PUSH_SECRET_MS), err);

	if (rc == 0)
		send_packet(&p);
	push_packet_clear(&p);
	return rc;
}

/* Not negative: whoever it was has the key and was answered. */
static int converse(struct listener *l, const struct door_client *who, struct err **err)
{
	struct push_conn *c = who->conn;
	int rc;

	l->conn = who->number;
	rc = hello(l, who, err);
	if (rc == 0)
		rc = answer(l, c, err);
	if (rc == 1) {
		rc = secret(l, c, err);
		if (rc == 0)
			rc = answer(l, c, err);
	}
	push_conn_close(c);
	return rc;
}

static void ended(void *ctx, uint16_t number, const char *from, const char *id, const char *why)
{
	struct push_packet p = { .type = PACKET_ENDED, .conn = number };

	snprintf(p.id, sizeof(p.id), "%s", id);
	snprintf(p.from, sizeof(p.from), "%s", from);
	snprintf(p.text, sizeof(p.text), "%s", why);
	send_packet(&p);
}

static void serve(struct listener *l, const struct door_client *c)
{
	_cleanup_err_ struct err *e = NULL;

	if (converse(l, c, &e) >= 0)
		return;
	door_failed(&l->door, c);
	ended(NULL, c->number, c->from, err_id(e), err_message(e));
}

_Noreturn void push_child_main(int fd, pid_t parent, const struct push_listen *conf)
{
	struct listener l = { .conf = conf, .fd = -1 };
	struct push_packet order;

	if (!confine(fd, parent))
		_exit(CHILD_CONFINE);
	prctl(PR_SET_NAME, "cryptattest-psh", 0, 0, 0);
	receive_packet(&order, forever);
	if (order.type != PACKET_LISTEN)
		_exit(CHILD_ORDER);
	start_listening(&l);
	l.door = (struct door){ .tls = l.tls, .listen_fd = l.fd, .wake_fd = CONFINE_FD, .ended = ended };
	for (;;) {
		struct door_client who;

		if (door_wait(&l.door, &who)) {
			serve(&l, &who);
			continue;
		}
		receive_packet(&order, forever); /* ends with the parent; else an answer that came too late */
		push_packet_clear(&order);
	}
}
