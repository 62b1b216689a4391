/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "kbsd/conn.h"

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"
#include "kbsd/audit_log.h"

/* For all unanswered requests together: room for several of the largest, and for an ordinary one of every connection. */
#define HELD_MIN ((size_t)64 * 1024 * 1024)
#define HELD_OF_EACH ((size_t)128 * 1024)

void conns_close(struct conns *all)
{
	for (size_t i = 0; i < all->listeners; i++)
		evconnlistener_disable(all->listener[i]);
	all->listeners = 0; /* nothing enables them again, or touches them when evhttp has freed them */
}

static void set_paused(struct conns *all, bool paused)
{
	if (all->paused == paused)
		return;
	all->paused = paused;
	for (size_t i = 0; i < all->listeners; i++) {
		if (paused)
			evconnlistener_disable(all->listener[i]);
		else
			evconnlistener_enable(all->listener[i]);
	}
	if (paused)
		log_warning("%u connections are open: newcomers wait", all->open);
}

void conn_answered(struct conn *c)
{
	c->all->held -= c->held;
	if (c->peer)
		c->peer->held -= c->held;
	c->held = 0;
}

static void conn_free(struct conn *c)
{
	struct conns *all = c->all;

	conn_answered(c);
	if (c->peer) {
		if (--c->peer->connections < all->limits.per_peer)
			c->peer->told = false;
		peers_put(all->peers, c->peer);
	}
	if (c->timer)
		event_free(c->timer);
	free(c);
	all->open--;
	set_paused(all, false);
}

/* OpenSSL calls this for every SSL object that is freed. */
static void on_ssl_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
	(void)parent, (void)ad, (void)idx, (void)argl, (void)argp;
	if (ptr)
		conn_free(ptr);
}

static int conn_index(void)
{
	static int idx = -1;

	if (idx < 0)
		idx = SSL_get_ex_new_index(0, NULL, NULL, NULL, on_ssl_free);
	return idx;
}

/* evhttp's error path frees what is closed; freeing it under evhttp's feet would not do. */
static void close_socket(struct conn *c)
{
	evutil_socket_t fd = c->bev ? bufferevent_getfd(c->bev) : -1;

	if (fd >= 0)
		shutdown(fd, SHUT_RDWR);
}

static bool admit(struct conn *c)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct sockaddr *sa = (struct sockaddr *)&ss;

	int yes = 1;

	if (!c->bev || getpeername(bufferevent_getfd(c->bev), sa, &len) < 0)
		return false; /* gone already */
	/* A reply is two TLS records; Nagle would hold the second back until the first is acknowledged. */
	setsockopt(bufferevent_getfd(c->bev), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	c->peer = peers_get(c->all->peers, sa);
	if (!c->peer)
		return false;
	peer_text(sa, c->address);
	c->peer->held += c->held;
	c->peer->connections++;
	if (c->peer->connections <= c->all->limits.per_peer)
		return true;
	if (!c->peer->told)
		audit_refused(&(struct audit_who){ .address = c->address }, "connect", "connections",
			      "more than %u of one address", c->all->limits.per_peer);
	c->peer->told = true;
	return false;
}

/* An eighth of what is free: alone an address gets a ninth of all, n of them get 1/(8+n) each. */
static bool holds_too_much(const struct conn *c)
{
	const struct conns *all = c->all;
	size_t total = HELD_OF_EACH * all->limits.connections, held = c->peer ? c->peer->held : c->held;

	if (total < HELD_MIN)
		total = HELD_MIN;
	return all->held >= total || held > (total - all->held) / 8;
}

static void on_input(struct evbuffer *in, const struct evbuffer_cb_info *info, void *arg)
{
	struct conn *c = arg;

	(void)in;
	if (!info->n_added)
		return;
	c->held += info->n_added;
	c->all->held += info->n_added;
	if (c->peer)
		c->peer->held += info->n_added;
	if (!holds_too_much(c))
		return;
	if (c->peer && !c->peer->told) {
		audit_refused(&(struct audit_who){ .address = c->address }, "request", "memory",
			      "%zu bytes of unanswered requests of one address, %zu in all", c->peer->held, c->all->held);
		c->peer->told = true;
	}
	close_socket(c);
}

/* First call: right after accept, when the socket is known. Second call: time is up. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	const struct timeval life = { .tv_sec = (time_t)(c->all->limits.lifetime_ms / 1000),
				      .tv_usec = (suseconds_t)(c->all->limits.lifetime_ms % 1000 * 1000) };

	(void)fd, (void)what;
	if (c->peer || !admit(c) || event_add(c->timer, &life) < 0)
		close_socket(c);
}

/* The first visit of the timer is due at once. */
static struct conn *conn_new(struct conns *all, SSL *ssl)
{
	const struct timeval now = { 0 };
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->all = all;
	c->timer = evtimer_new(all->base, on_timer, c);
	if (!c->timer || event_add(c->timer, &now) < 0 || !SSL_set_ex_data(ssl, conn_index(), c)) {
		if (c->timer)
			event_free(c->timer);
		free(c);
		return NULL;
	}
	all->accepted++;
	if (++all->open >= all->limits.connections)
		set_paused(all, true);
	return c;
}

/* When this returns NULL evhttp falls back to plain TCP: conn_of_request() refuses what comes that way. */
struct bufferevent *conns_new_bufferevent(struct event_base *base, void *arg)
{
	struct conns *all = arg;
	SSL *ssl = conn_index() < 0 ? NULL : SSL_new(*all->tls);
	struct conn *c = ssl ? conn_new(all, ssl) : NULL;

	if (!c) {
		SSL_free(ssl);
		return NULL;
	}
	/* On failure libevent may or may not have freed the object: hold a reference over the call. */
	SSL_up_ref(ssl);
	c->bev = bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	struct bufferevent *bev = c->bev;
	SSL_free(ssl); /* without bev this may free c */
	if (!bev)
		return NULL;
	bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	if (!evbuffer_add_cb(bufferevent_get_input(bev), on_input, c)) {
		bufferevent_free(bev); /* and c with it */
		return NULL;
	}
	return bev;
}

struct conn *conn_of_request(struct evhttp_request *req)
{
	struct evhttp_connection *evcon = evhttp_request_get_connection(req);
	struct bufferevent *bev = evcon ? evhttp_connection_get_bufferevent(evcon) : NULL;
	SSL *ssl = bev ? bufferevent_openssl_get_ssl(bev) : NULL;
	struct conn *c = ssl ? SSL_get_ex_data(ssl, conn_index()) : NULL;

	return c && c->peer ? c : NULL;
}
