/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Connections below evhttp (architecture.md C18). evhttp's own timeout starts again with every byte, so each connection
 * gets a timer that nothing extends; when it fires the socket is shut down and evhttp finds it closed. One address may hold
 * only so many connections; when all are in use the listeners pause, and the kernel's queue holds newcomers until a timer
 * or a client makes room. A body may have 2 MiB and stays in memory until it is complete, so the bytes of unanswered requests
 * are counted: an address may hold an eighth of what is still free, which leaves something for the next address however many
 * there are. A connection ends when evhttp frees its SSL object, which is where ours is freed too.
 */
#ifndef CRYPTATTEST_KBSD_CONN_H
#define CRYPTATTEST_KBSD_CONN_H

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <openssl/ssl.h>
#include <stdint.h>

#include "kbsd/peers.h"

struct conn_limits {
	unsigned int connections, per_peer;
	uint64_t lifetime_ms;
};

#define LISTENERS_MAX 16

struct conns {
	struct event_base *base;
	struct peers *peers;
	struct conn_limits limits;
	SSL_CTX *const *tls; /* the current one at the time of each accept */
	struct evconnlistener *listener[LISTENERS_MAX];
	size_t listeners;
	unsigned int open;
	uint64_t accepted; /* since the start */
	bool paused;
	size_t held; /* bytes of requests that are not answered yet */
};

struct conn {
	struct conns *all;
	struct bufferevent *bev;
	struct event *timer;
	struct peer *peer; /* NULL until admitted */
	size_t held;
	char address[PEER_TEXT];
};

/* For evhttp_set_bevcb(); arg: struct conns. */
struct bufferevent *conns_new_bufferevent(struct event_base *base, void *arg);
/* No more newcomers, for good. */
void conns_close(struct conns *all);
/* NULL: not a connection of ours, or not to be served. */
struct conn *conn_of_request(struct evhttp_request *req);
/* The bytes that made up its request are about to go. */
void conn_answered(struct conn *c);

#endif
