/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "kbsd/server.h"

#include <event2/buffer.h>
#include <event2/keyvalq_struct.h>
#include <inttypes.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "kbsd/audit_log.h"
#include "kbsd/handshake.h"
#include "kbsd/listen.h"
#include "kbsd/notify.h"

#define PREFIX "/kbs/v0/"
#define EXPIRE_SECONDS 10

struct server {
	struct event_base *base;
	struct evhttp *http;
	struct peers *peers;
	struct sessions *sessions;
	struct conns conns;
	struct handshake handshake;
	struct assets *assets;
	struct event *on_hup, *on_usr1, *on_term, *on_int, *on_expire;
	uint64_t requests;
};

static struct moment moment_now(void)
{
	return (struct moment){ .mono_ns = clock_ns(), .wall = (int64_t)time(NULL) };
}

/* --- requests ------------------------------------------------------------------------------------------------------ */

/* evhttp takes the first Content-Length and stays silent about a second one, and about one beside a chunked body. */
static bool framing_is_plain(struct evkeyvalq *headers)
{
	unsigned int lengths = 0, encodings = 0;
	const struct evkeyval *h;

	TAILQ_FOREACH(h, headers, next) {
		lengths += strcasecmp(h->key, "Content-Length") == 0;
		encodings += strcasecmp(h->key, "Transfer-Encoding") == 0;
		if (strcasecmp(h->key, "Transfer-Encoding") == 0 && strcasecmp(h->value, "chunked") != 0)
			return false;
	}
	return lengths + encodings <= 1;
}

static struct evbuffer *output_of(struct evhttp_request *req)
{
	struct evhttp_connection *evcon = evhttp_request_get_connection(req);
	struct bufferevent *bev = evcon ? evhttp_connection_get_bufferevent(evcon) : NULL;

	return bev ? bufferevent_get_output(bev) : NULL;
}

static void send_reply(struct evhttp_request *req, const struct reply *r)
{
	struct evkeyvalq *out = evhttp_request_get_output_headers(req);
	struct evbuffer *body = evbuffer_new(), *out_buffer = output_of(req);

	if (body && r->body) {
		evhttp_add_header(out, "Content-Type", "application/json");
		evbuffer_add(body, r->body, strlen(r->body));
	}
	if (*r->cookie)
		evhttp_add_header(out, "Set-Cookie", r->cookie);
	evhttp_add_header(out, "Cache-Control", "no-store");
	evhttp_send_reply(req, body ? (int)r->status : 500, NULL, body);
	if (body)
		evbuffer_free(body);
	/* Head and body as one piece: one TLS record, one system call, one packet instead of two. */
	if (out_buffer)
		evbuffer_pullup(out_buffer, -1);
}

static void send_empty(struct evhttp_request *req, unsigned int status, bool close)
{
	const struct reply r = { .status = status };

	if (close)
		evhttp_add_header(evhttp_request_get_output_headers(req), "Connection", "close");
	send_reply(req, &r);
}

static void plugin_not_found(struct reply *r, const char *path)
{
	char name[65], detail[128];
	size_t len = strcspn(path, "/?");

	text_sanitise(path, len, name, sizeof(name));
	snprintf(detail, sizeof(detail), "Plugin %s not found", name);
	reply_error(r, 404, "PluginNotFound", detail);
}

/* path: below /kbs/v0/. */
static void dispatch(struct server *s, struct evhttp_request *req, const struct caller *c, const char *path,
		     struct reply *r)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(req);
	size_t len = evbuffer_get_length(in);
	const char *body = len ? (const char *)evbuffer_pullup(in, -1) : "";
	bool get = evhttp_request_get_command(req) == EVHTTP_REQ_GET;

	if (!body)
		r->status = 500;
	else if (!get && strcmp(path, "auth") == 0)
		handshake_auth(&s->handshake, c, body, len, r);
	else if (!get && strcmp(path, "attest") == 0)
		handshake_attest(&s->handshake, c, body, len, r);
	else if (get && text_starts(path, "resource/"))
		handshake_resource(&s->handshake, c, path + strlen("resource/"), r);
	else if (!get)
		reply_error(r, 401, "AdminAuthAccess", "Administration is by command line only");
	else
		plugin_not_found(r, path);
}

static void on_request(struct evhttp_request *req, void *arg)
{
	struct server *s = arg;
	struct conn *conn = conn_of_request(req);
	struct evkeyvalq *headers = evhttp_request_get_input_headers(req);
	const char *uri = evhttp_request_get_uri(req);
	struct reply r = { 0 };

	s->requests++;
	if (!conn || !framing_is_plain(headers)) {
		if (conn)
			audit_refused(&(struct audit_who){ .address = conn->address }, "request", "framing",
				      "ambiguous body length");
		send_empty(req, 400, true);
		return;
	}
	conn_answered(conn); /* below, without going back to the event loop */
	if (strcmp(uri, "/healthz") == 0 && evhttp_request_get_command(req) == EVHTTP_REQ_GET) {
		send_empty(req, 200, false);
		return;
	}
	if (!text_starts(uri, PREFIX)) {
		send_empty(req, 404, false);
		return;
	}
	const struct caller c = {
		.address = conn->address,
		.peer = conn->peer,
		.cookie = evhttp_find_header(headers, "Cookie"),
		.authorization = evhttp_find_header(headers, "Authorization"),
		.now = moment_now(),
	};
	dispatch(s, req, &c, uri + strlen(PREFIX), &r);
	/* What a refused signature left in OpenSSL's queue would look like an error of the next connection served. */
	ERR_clear_error();
	send_reply(req, &r);
	reply_clear(&r);
}

/* --- life ---------------------------------------------------------------------------------------------------------- */

static void on_hup(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	unsigned int bad;

	(void)fd, (void)what;
	log_info("reload: SIGHUP");
	bad = assets_reload(s->assets);
	if (bad)
		log_warning("reload: done, %u parts were bad and stay as they were", bad);
	else
		log_info("reload: done");
}

static void tell_served(const struct server *s)
{
	log_info("served: %" PRIu64 " requests, %" PRIu64 " connections", s->requests, s->conns.accepted);
}

static void on_usr1(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	tell_served(arg);
}

/* A moment for replies that are on their way, then the end. */
static void on_term(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	const struct timeval grace = { .tv_usec = 200000 };

	(void)fd, (void)what;
	log_info("ending");
	tell_served(s);
	conns_close(&s->conns);
	event_base_loopexit(s->base, &grace);
}

static void on_expire(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	(void)fd, (void)what;
	sessions_expire(s->sessions, moment_now());
}

static void on_accept_error(struct evconnlistener *l, void *arg)
{
	(void)l, (void)arg;
	log_error("cannot accept a connection: %s", evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
}

static int add_listener(struct server *s, int fd, struct err **err)
{
	char name[LISTEN_TEXT];
	struct evconnlistener *l = evconnlistener_new(s->base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
						      0, fd);

	if (!l) {
		close(fd);
		return err_set(err, ERR_INTERNAL, "listen", "cannot listen");
	}
	if (!evhttp_bind_listener(s->http, l)) {
		evconnlistener_free(l);
		return err_nomem(err);
	}
	evconnlistener_set_error_cb(l, on_accept_error);
	s->conns.listener[s->conns.listeners++] = l;
	listen_name(fd, name);
	log_info("listening on %s", name);
	return 0;
}

static void set_up_http(struct server *s, const struct server_params *p)
{
	const struct timeval idle = { .tv_sec = (time_t)(p->idle_ms / 1000),
				      .tv_usec = (suseconds_t)(p->idle_ms % 1000 * 1000) };

	evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_DELETE);
	evhttp_set_max_headers_size(s->http, SERVER_HEADERS_MAX);
	evhttp_set_max_body_size(s->http, SERVER_BODY_MAX);
	evhttp_set_timeout_tv(s->http, &idle);
	evhttp_set_bevcb(s->http, conns_new_bufferevent, &s->conns);
	evhttp_set_gencb(s->http, on_request, s);
}

static int add_events(struct server *s, struct err **err)
{
	const struct timeval every = { .tv_sec = EXPIRE_SECONDS };

	s->on_hup = evsignal_new(s->base, SIGHUP, on_hup, s);
	s->on_usr1 = evsignal_new(s->base, SIGUSR1, on_usr1, s);
	s->on_term = evsignal_new(s->base, SIGTERM, on_term, s);
	s->on_int = evsignal_new(s->base, SIGINT, on_term, s);
	s->on_expire = event_new(s->base, -1, EV_PERSIST, on_expire, s);
	if (!s->on_hup || !s->on_usr1 || !s->on_term || !s->on_int || !s->on_expire || event_add(s->on_hup, NULL) < 0 ||
	    event_add(s->on_usr1, NULL) < 0 || event_add(s->on_term, NULL) < 0 || event_add(s->on_int, NULL) < 0 || event_add(s->on_expire, &every) < 0)
		return err_nomem(err);
	return 0;
}

/* The change list of epoll halves the system calls: evhttp switches reading off and on again around each request. It asks
 * that no descriptor is in the set twice, and none is. */
static struct event_base *new_base(void)
{
	struct event_config *conf = event_config_new();
	struct event_base *base = NULL;

	if (conf && event_config_set_flag(conf, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST) == 0)
		base = event_base_new_with_config(conf);
	if (conf)
		event_config_free(conf);
	return base;
}

int server_new(const struct server_params *p, struct server **ret, struct err **err)
{
	struct server *s = calloc(1, sizeof(*s));

	if (!s)
		return err_nomem(err);
	s->assets = p->assets;
	s->base = new_base();
	s->http = s->base ? evhttp_new(s->base) : NULL;
	if (!s->http) {
		err_nomem(err);
		goto fail;
	}
	if (peers_new(&s->peers, err) < 0 || sessions_new(s->peers, &p->sessions, &s->sessions, err) < 0 ||
	    add_events(s, err) < 0)
		goto fail;
	s->conns = (struct conns){ .base = s->base, .peers = s->peers, .limits = p->connections, .tls = &p->assets->tls };
	s->handshake = (struct handshake){ .sessions = s->sessions, .assets = p->assets };
	memcpy(s->handshake.protocol, p->protocol, sizeof(p->protocol));
	set_up_http(s, p);
	for (size_t i = 0; i < p->fds_n; i++)
		if (add_listener(s, p->fds[i], err) < 0)
			goto fail;
	*ret = s;
	return 0;
fail:
	server_free(s);
	return -1;
}

int server_run(struct server *s, struct err **err)
{
	notify_ready();
	if (event_base_dispatch(s->base) < 0)
		return err_set(err, ERR_INTERNAL, "event", "the event loop failed");
	notify_stopping();
	return 0;
}

static void free_event(struct event *e)
{
	if (e)
		event_free(e);
}

void server_free(struct server *s)
{
	if (!s)
		return;
	conns_close(&s->conns);
	if (s->http)
		evhttp_free(s->http); /* ends the connections; our part of each goes with the base at the latest */
	sessions_free(s->sessions);
	free_event(s->on_hup);
	free_event(s->on_usr1);
	free_event(s->on_term);
	free_event(s->on_int);
	free_event(s->on_expire);
	if (s->base)
		event_base_free(s->base);
	peers_free(s->peers);
	free(s);
}
