/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "http/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "http/http_impl.h"

#define RETRY_AFTER_MAX 60
#define POLL_MS 1000

static int load_curl(struct err **err)
{
	static bool loaded;
	CURLcode rc;

	if (loaded)
		return 0;
	tls_init();
	rc = curl_global_init(CURL_GLOBAL_DEFAULT);
	if (rc != CURLE_OK)
		return err_set(err, ERR_INTERNAL, "libcurl", "libcurl does not start: %s", curl_easy_strerror(rc));
	loaded = true;
	return 0;
}

static char *join_pins(const char *const *pins)
{
	struct buf b = BUF_INIT(64 * 64);

	for (; *pins; pins++)
		buf_printf(&b, "%s%s", b.len ? ";" : "", *pins);
	return buf_take_str(&b);
}

static void http_freep(struct http **h)
{
	http_free(*h);
}

int http_new(const struct transport_config *conf, struct http **ret, struct err **err)
{
	_cleanup_(http_freep) struct http *h = NULL;

	if (load_curl(err) < 0)
		return -1;
	h = calloc(1, sizeof(*h));
	if (!h)
		return err_nomem(err);
	h->conf = conf;
	h->check.rules = (struct tls_rules){
		.pins = conf->pins,
		.names = conf->server_names,
		.ca = conf->ca_pem != NULL,
		.time_floor = conf->verify_time_floor,
	};
	h->easy = curl_easy_init();
	h->multi = curl_multi_init();
	if (!h->easy || !h->multi)
		return err_nomem(err);
	if (conf->pins) {
		h->pins = join_pins(conf->pins);
		if (!h->pins)
			return err_nomem(err);
	}
	http_set_options(h);
	if (h->rc != CURLE_OK)
		return err_set(err, ERR_INTERNAL, "libcurl", "libcurl lacks something we need: %s",
			       curl_easy_strerror(h->rc));
	*ret = TAKE_PTR(h);
	return 0;
}

static bool set_host(struct http *h, const char *url)
{
	CURLU *u = curl_url();
	char *host = NULL;
	size_t n;

	if (!u || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
		curl_url_cleanup(u);
		return false;
	}
	curl_url_cleanup(u);
	curl_free(h->host);
	h->host = host;
	n = strlen(host);
	if (host[0] == '[' && host[n - 1] == ']') {
		memmove(host, host + 1, n - 2);
		host[n - 2] = 0;
	}
	h->check.rules.host = host;
	return true;
}

/* False: out of memory; *list stays valid. */
static bool add_header(struct curl_slist **list, const char *line)
{
	struct curl_slist *more = curl_slist_append(*list, line);

	if (more)
		*list = more;
	return more != NULL;
}

static struct curl_slist *request_headers(const struct http_request *req, bool *failed)
{
	char cookie[sizeof("Cookie: " COOKIE_NAME) + HTTP_COOKIE_MAX];
	struct curl_slist *list = NULL;

	*failed = !add_header(&list, "Accept: application/json");
	if (req->cookie && req->cookie[0]) {
		snprintf(cookie, sizeof(cookie), "Cookie: " COOKIE_NAME "%s", req->cookie);
		*failed |= !add_header(&list, cookie);
	}
	if (req->body) {
		*failed |= !add_header(&list, "Content-Type: application/json");
		/* No waiting for "100 Continue" before a large body. */
		*failed |= !add_header(&list, "Expect:");
	}
	return list;
}

static struct curl_slist *set_request(struct http *h, const struct http_request *req)
{
	bool failed;
	struct curl_slist *list = request_headers(req, &failed);

	h->rc = !failed && set_host(h, req->url) ? CURLE_OK : CURLE_OUT_OF_MEMORY;
	SET(h, CURLOPT_URL, req->url);
	SET(h, CURLOPT_TIMEOUT_MS, (long)req->ms);
	if (req->body) {
		SET(h, CURLOPT_POST, 1L);
		SET(h, CURLOPT_POSTFIELDS, req->body);
		SET(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(req->body));
	} else {
		SET(h, CURLOPT_HTTPGET, 1L);
	}
	SET(h, CURLOPT_HTTPHEADER, list);
	return list;
}

/* Drives the transfer to its end or until the parent speaks. */
static CURLcode run(struct http *h, int wake_fd, bool *ret_woken)
{
	struct curl_waitfd wake = { .fd = wake_fd, .events = CURL_WAIT_POLLIN };
	CURLcode result = CURLE_OUT_OF_MEMORY;
	int running = 1, left;
	CURLMsg *m;

	if (curl_multi_add_handle(h->multi, h->easy) != CURLM_OK)
		return result;
	while (curl_multi_perform(h->multi, &running) == CURLM_OK && running) {
		if (curl_multi_poll(h->multi, &wake, 1, POLL_MS, NULL) != CURLM_OK)
			break;
		if (wake.revents) {
			*ret_woken = true;
			break;
		}
	}
	while ((m = curl_multi_info_read(h->multi, &left)) != NULL) {
		if (m->msg == CURLMSG_DONE)
			result = m->data.result;
	}
	curl_multi_remove_handle(h->multi, h->easy);
	return result;
}

static enum transport_fail map_failure(CURLcode c, bool answered)
{
	switch (c) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return TFAIL_DNS;
	case CURLE_COULDNT_CONNECT:
	case CURLE_PROXY:
		return TFAIL_CONNECT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ENGINE_INITFAILED:
		return TFAIL_TLS;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
	case CURLE_SSL_ISSUER_ERROR:
		return TFAIL_IDENTITY;
	case CURLE_OPERATION_TIMEDOUT:
		return answered ? TFAIL_PROTOCOL : TFAIL_TIMEOUT;
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR: /* also a proxy that refuses to CONNECT */
		return answered ? TFAIL_PROTOCOL : TFAIL_CONNECT;
	case CURLE_WRITE_ERROR: /* our own callbacks said so */
	case CURLE_FILESIZE_EXCEEDED:
		return TFAIL_OVERSIZE;
	default:
		return TFAIL_PROTOCOL;
	}
}

/* A time limit that passed before there was an address to go to. */
static bool still_resolving(struct http *h, CURLcode c)
{
	curl_off_t resolved_us = 0;

	return c == CURLE_OPERATION_TIMEDOUT && curl_easy_getinfo(h->easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved_us) == CURLE_OK &&
	       resolved_us == 0;
}

static void set_failure(struct http *h, CURLcode c, struct http_response *r)
{
	const char *text = h->errbuf[0] ? h->errbuf : curl_easy_strerror(c);
	char more[300];
	long why = 0;

	r->fail = still_resolving(h, c) ? TFAIL_DNS : map_failure(c, h->header_bytes > 0);
	if (r->fail == TFAIL_DNS) {
		snprintf(more, sizeof(more), "DNS: %.200s%s", text, c == CURLE_OPERATION_TIMEDOUT ? ", no name server answers" : "");
		text = more;
	} else if (c == CURLE_COULDNT_CONNECT && curl_easy_getinfo(h->easy, CURLINFO_OS_ERRNO, &why) == CURLE_OK &&
		   (why == ENETUNREACH || why == EHOSTUNREACH)) {
		snprintf(more, sizeof(more), "no route: %.200s", text);
		text = more;
	}
	if (h->check.peer.refused) {
		r->fail = TFAIL_IDENTITY;
		text = h->check.peer.what;
	} else if (r->woken) {
		r->fail = TFAIL_TIMEOUT;
		text = "cancelled";
	}
	text_sanitise(text, strlen(text), r->what, sizeof(r->what));
}

static void collect_facts(struct http *h, const struct tls_peer *kept, struct http_response *r)
{
	long status = 0, sent = 0, connects = 0;
	curl_off_t after = 0;

	curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(h->easy, CURLINFO_REQUEST_SIZE, &sent);
	curl_easy_getinfo(h->easy, CURLINFO_NUM_CONNECTS, &connects);
	curl_easy_getinfo(h->easy, CURLINFO_RETRY_AFTER, &after);
	if (connects == 0 && !h->check.peer.pin[0])
		h->check.peer = *kept; /* the connection of an earlier request */
	r->bytes_sent = sent > 0;
	r->status = (unsigned int)status;
	r->retry_after_s = after < 0 ? 0 : after > RETRY_AFTER_MAX ? RETRY_AFTER_MAX : (unsigned int)after;
	memcpy(r->peer_pin, h->check.peer.pin, sizeof(r->peer_pin));
	memcpy(r->peer_validity, h->check.peer.validity, sizeof(r->peer_validity));
}

void http_perform(struct http *h, const struct http_request *req, struct http_response *ret)
{
	struct tls_peer kept = h->check.peer;
	struct curl_slist *list;
	CURLcode c;

	memset(ret, 0, sizeof(*ret));
	buf_init(&ret->body, HTTP_BODY_MAX);
	memset(&h->check.peer, 0, sizeof(h->check.peer));
	h->resp = ret;
	h->header_bytes = 0;
	h->errbuf[0] = 0;
	list = set_request(h, req);
	c = h->rc;
	if (c == CURLE_OK)
		c = run(h, req->wake_fd, &ret->woken);
	if (c != CURLE_OK || ret->woken)
		set_failure(h, c, ret);
	collect_facts(h, &kept, ret);
	if (ret->fail == TFAIL_NONE && !h->check.peer.pin[0] && strncasecmp(req->url, "https:", 6) == 0) {
		/* Cannot happen while libcurl calls on_ssl_ctx for each connection; an answer that nobody vouched for is none. */
		ret->fail = TFAIL_IDENTITY;
		snprintf(ret->what, sizeof(ret->what), "the server's identity was not checked");
	}
	curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, (struct curl_slist *)NULL);
	curl_slist_free_all(list);
	h->resp = NULL;
}

void http_response_clear(struct http_response *r)
{
	buf_free(&r->body);
}

void http_free(struct http *h)
{
	if (!h)
		return;
	curl_easy_cleanup(h->easy);
	curl_multi_cleanup(h->multi);
	curl_free(h->host);
	free(h->pins);
	free(h);
}
