/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The options of libcurl that no request changes, and the callbacks that fill the running request's response. */
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "http/http_impl.h"

#define HEADERS_MAX ((size_t)64 * 1024)
#define CONNECT_MS_DEFAULT 5000

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct http *h = ctx;

	buf_append(&h->resp->body, data, size * n);
	return buf_ok(&h->resp->body) ? size * n : 0;
}

/* The value up to the first ';'. Anything that could not be sent back as it stands is not taken (pitfall 1 of
 * kbs-protocol.md 7 is why this is done by hand: libcurl's engine drops a cookie when the guest's clock is ahead). */
static void take_cookie(struct http_response *r, const char *p, size_t len)
{
	size_t n = 0;

	while (n < len && p[n] != ';' && p[n] != '\r' && p[n] != '\n')
		n++;
	if (n == 0 || n > HTTP_COOKIE_MAX)
		return;
	for (size_t i = 0; i < n; i++) {
		if (p[i] <= 0x20 || p[i] >= 0x7f || strchr("\",\\", p[i]))
			return;
	}
	memcpy(r->cookie, p, n);
	r->cookie[n] = 0;
}

static size_t on_header(char *data, size_t size, size_t n, void *ctx)
{
	static const char set_cookie[] = "Set-Cookie:";
	struct http *h = ctx;
	size_t len = size * n, off = sizeof(set_cookie) - 1;

	h->header_bytes += len;
	if (h->header_bytes > HEADERS_MAX)
		return 0;
	if (len > 5 && strncmp(data, "HTTP/", 5) == 0)
		h->resp->cookie[0] = 0; /* an interim answer came before this one */
	if (len <= off || strncasecmp(data, set_cookie, off) != 0)
		return len;
	while (off < len && (data[off] == ' ' || data[off] == '\t'))
		off++;
	if (len - off > strlen(COOKIE_NAME) && strncmp(data + off, COOKIE_NAME, strlen(COOKIE_NAME)) == 0)
		take_cookie(h->resp, data + off + strlen(COOKIE_NAME), len - off - strlen(COOKIE_NAME));
	return len;
}

static CURLcode on_ssl_ctx(CURL *easy, void *ssl_ctx, void *check)
{
	tls_install(ssl_ctx, check);
	return CURLE_OK;
}

static void set_tls(struct http *h)
{
	const struct transport_config *c = h->conf;
	struct curl_blob ca = { .data = (void *)(uintptr_t)c->ca_pem, .flags = CURL_BLOB_NOCOPY };

	/* NULL for both, or libcurl adds the system's store to ours. */
	SET(h, CURLOPT_CAINFO, (char *)NULL);
	SET(h, CURLOPT_CAPATH, (char *)NULL);
	if (c->ca_pem) {
		ca.len = strlen(c->ca_pem);
		SET(h, CURLOPT_CAINFO_BLOB, &ca);
	}
	SET(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/* VERIFYPEER makes a refusal by tls.c end the handshake; names are judged there too. */
	SET(h, CURLOPT_SSL_VERIFYPEER, 1L);
	SET(h, CURLOPT_SSL_VERIFYHOST, 0L);
	SET(h, CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
	SET(h, CURLOPT_SSL_CTX_DATA, &h->check);
	/* A resumed session would skip the check. */
	SET(h, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	/* libcurl looks at the pins a second time, after the handshake. */
	if (h->pins)
		SET(h, CURLOPT_PINNEDPUBLICKEY, h->pins);
}

static void set_route(struct http *h)
{
	const struct transport_config *c = h->conf;

	SET(h, CURLOPT_PROTOCOLS_STR, c->allow_http ? "https,http" : "https");
	SET(h, CURLOPT_FOLLOWLOCATION, 0L);
	SET(h, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	SET(h, CURLOPT_PATH_AS_IS, 1L);
	SET(h, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	SET(h, CURLOPT_CONNECTTIMEOUT_MS, (long)(c->connect_timeout_ms ? c->connect_timeout_ms : CONNECT_MS_DEFAULT));
	/* Do not wait for a resolver thread whose name server is silent. */
	SET(h, CURLOPT_QUICK_EXIT, 1L);
	SET(h, CURLOPT_MAXCONNECTS, 1L);
	SET(h, CURLOPT_NOSIGNAL, 1L);
}

static void set_proxy(struct http *h)
{
	const char *proxy = h->conf->proxy;

	/* "" and not NULL: NULL means the environment's proxy. */
	SET(h, CURLOPT_PROXY, proxy ? proxy : "");
	SET(h, CURLOPT_NOPROXY, "");
	/* What a proxy says to CONNECT is not authenticated: none of its headers may reach on_header. */
	SET(h, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	/* A libcurl that was built without proxies (--with-curl) looks at no environment either. */
	if (!proxy && h->rc == CURLE_UNKNOWN_OPTION)
		h->rc = CURLE_OK;
}

static void set_http(struct http *h)
{
	SET(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(h, CURLOPT_HTTP09_ALLOWED, 0L);
	SET(h, CURLOPT_USERAGENT, h->conf->user_agent);
	SET(h, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)HTTP_BODY_MAX);
	SET(h, CURLOPT_WRITEFUNCTION, on_body);
	SET(h, CURLOPT_WRITEDATA, h);
	SET(h, CURLOPT_HEADERFUNCTION, on_header);
	SET(h, CURLOPT_HEADERDATA, h);
	SET(h, CURLOPT_ERRORBUFFER, h->errbuf);
}

void http_set_options(struct http *h)
{
	set_tls(h);
	set_route(h);
	set_http(h);
	if (h->rc == CURLE_OK)
		set_proxy(h);
}
