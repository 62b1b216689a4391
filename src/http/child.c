/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "http/child.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "http/chan.h"
#include "http/conf.h"
#include "http/confine.h"
#include "http/http.h"
#include "http/reply.h"

#define MSEC_PER_SEC 1000

struct child {
	int fd;
	transport_reducer reducer;
	struct conf_store store;
	struct http *http;
	char why_not[200]; /* http is NULL: the reason */
	char cookie[HTTP_COOKIE_MAX + 1];
	uint32_t cookie_url; /* a session id belongs to the server that gave it */
};

static const struct deadline forever = { .at_ns = UINT64_MAX };

static void on_config(struct child *c, const struct frame *f)
{
	_cleanup_err_ struct err *e = NULL;

	http_free(c->http);
	c->http = NULL;
	conf_store_clear(&c->store);
	c->cookie[0] = 0;
	if (conf_decode(f, &c->store, &e) < 0)
		_exit(CHILD_NOMEM);
	if (http_new(&c->store.conf, &c->http, &e) < 0)
		snprintf(c->why_not, sizeof(c->why_not), "%.190s", err_message(e));
}

/* URL without a trailing slash, then the path as it stands. */
static char *full_url(const struct child *c, uint32_t index, const char *path)
{
	const char *url = c->store.urls[index];
	size_t n = strlen(url);

	while (n && url[n - 1] == '/')
		n--;
	return text_printf("%.*s%s", (int)n, url, path);
}

static void send_frame(const struct child *c, const struct buf *msg)
{
	if (!buf_ok(msg))
		_exit(CHILD_NOMEM);
	if (chan_send(c->fd, msg, forever) != CHAN_OK)
		_exit(CHILD_DONE);
}

static void send_reply(const struct child *c, const struct transport_reply *r, uint16_t seq)
{
	_cleanup_buf_ struct buf msg = BUF_INIT(FRAME_MAX);

	if (r->peer_pin[0]) {
		reply_encode_peer(r, seq, &msg);
		send_frame(c, &msg);
		buf_reset(&msg);
	}
	reply_encode(r, seq, &msg);
	send_frame(c, &msg);
}

static void reduce(const struct child *c, const struct http_request *req, const char *path, const struct http_response *resp,
		   struct transport_reply *ret)
{
	memcpy(ret->peer_pin, resp->peer_pin, sizeof(ret->peer_pin));
	memcpy(ret->peer_validity, resp->peer_validity, sizeof(ret->peer_validity));
	if (resp->fail != TFAIL_NONE) {
		reply_set_fail(ret, resp->fail, resp->what);
		ret->bytes_sent = resp->bytes_sent;
		return;
	}
	ret->kind = TREPLY_ERROR;
	ret->status = resp->status;
	c->reducer(req->method, path, resp->status, (const char *)resp->body.data, resp->body.len, ret);
	ret->retry_after_ms = (uint64_t)resp->retry_after_s * MSEC_PER_SEC;
}

static void perform(struct child *c, uint32_t index, const char *path, struct http_request *req, struct transport_reply *ret)
{
	struct http_response resp;

	if (c->cookie_url == index)
		req->cookie = c->cookie;
	http_perform(c->http, req, &resp);
	if (resp.fail == TFAIL_NONE && resp.cookie[0]) {
		memcpy(c->cookie, resp.cookie, sizeof(c->cookie));
		c->cookie_url = index;
	}
	reduce(c, req, path, &resp, ret);
	http_response_clear(&resp);
}

static void on_request(struct child *c, const struct frame *f)
{
	bool failed = false;
	_cleanup_free_ char *method = frame_dup(f, TAG_METHOD, &failed);
	_cleanup_free_ char *path = frame_dup(f, TAG_PATH, &failed);
	_cleanup_free_ char *body = frame_dup(f, TAG_BODY, &failed);
	_cleanup_free_ char *url = NULL;
	_cleanup_(transport_reply_clear) struct transport_reply reply = { 0 };
	uint32_t index = frame_u32(f, TAG_URL_INDEX);
	struct http_request req = { .ms = frame_u32(f, TAG_MILLISECONDS), .wake_fd = c->fd };

	if (failed)
		_exit(CHILD_NOMEM);
	if (index >= strv_len(c->store.urls) || path[0] != '/' || strcmp(method, body ? "POST" : "GET") != 0)
		_exit(CHILD_ORDER);
	if (frame_u32(f, TAG_NEW_SESSION))
		c->cookie[0] = 0;
	url = full_url(c, index, path);
	if (!url)
		_exit(CHILD_NOMEM);
	req.url = url;
	req.method = method;
	req.body = body;
	if (c->http)
		perform(c, index, path, &req, &reply);
	else
		reply_set_fail(&reply, TFAIL_PROTOCOL, c->why_not);
	send_reply(c, &reply, f->seq);
}

void child_main(int fd, pid_t parent, transport_reducer reducer)
{
	struct child c = { .fd = CONFINE_FD, .reducer = reducer };
	struct buf msg = BUF_INIT(FRAME_MAX);
	struct frame f;

	if (!confine(fd, parent))
		_exit(CHILD_CONFINE);
	while (chan_recv(c.fd, &msg, -1, forever) == CHAN_OK) {
		if (frame_decode(msg.data, msg.len, false, &f, NULL) < 0)
			_exit(CHILD_ORDER);
		if (f.type == FRAME_CONFIG)
			on_config(&c, &f);
		else if (f.type == FRAME_REQUEST)
			on_request(&c, &f);
		/* CANCEL: the request that it was meant for is over, woken by this very frame or just before it. */
	}
	_exit(CHILD_DONE);
}
