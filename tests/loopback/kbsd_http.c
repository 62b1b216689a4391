/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/loopback/kbsd_http.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

unsigned int http_patience_s = 5;

int http_connect_tcp(int port, const char *from)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	const struct timeval tv = { .tv_sec = http_patience_s };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (from && (inet_pton(AF_INET, from, &sa.sin_addr) != 1 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0))
		goto fail;
	sa.sin_port = htons((uint16_t)port);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0 ||
	    connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		goto fail;
	return fd;
fail:
	close(fd);
	return -1;
}

bool http_open(struct http *h, int port, const char *from, int version)
{
	static SSL_CTX *ctx;

	*h = (struct http){ .fd = -1 };
	if (!ctx)
		ctx = SSL_CTX_new(TLS_client_method());
	h->fd = http_connect_tcp(port, from);
	h->ssl = h->fd < 0 || !ctx ? NULL : SSL_new(ctx);
	if (h->ssl && version) {
		/* Debian's default security level refuses what the test wants to offer. */
		SSL_set_security_level(h->ssl, 0);
		SSL_set_min_proto_version(h->ssl, version);
		SSL_set_max_proto_version(h->ssl, version);
	}
	if (!h->ssl || !SSL_set_fd(h->ssl, h->fd) || SSL_connect(h->ssl) != 1) {
		http_close(h);
		return false;
	}
	return true;
}

void http_close(struct http *h)
{
	SSL_free(h->ssl);
	if (h->fd >= 0)
		close(h->fd);
	*h = (struct http){ .fd = -1 };
}

bool http_send(struct http *h, const void *data, size_t len)
{
	return h->ssl && SSL_write(h->ssl, data, (int)len) == (int)len;
}

bool http_send_text(struct http *h, const char *text)
{
	return http_send(h, text, strlen(text));
}

/* All but the large buffer: benches call this thousands of times. */
static void clear(struct response *r)
{
	memset(r, 0, offsetof(struct response, body) + 1);
	r->status = -1;
}

static void parse_headers(char *head, struct response *ret, size_t *length)
{
	char *save = NULL;

	for (char *line = strtok_r(head, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save)) {
		if (strncasecmp(line, "Content-Length: ", 16) == 0)
			*length = strtoul(line + 16, NULL, 10);
		else if (strcasecmp(line, "Connection: close") == 0)
			ret->close = true;
		else if (strncasecmp(line, "Content-Type: ", 14) == 0)
			snprintf(ret->content_type, sizeof(ret->content_type), "%s", line + 14);
		else if (strncasecmp(line, "Set-Cookie: ", 12) == 0) {
			snprintf(ret->set_cookie, sizeof(ret->set_cookie), "%s", line + 12);
			snprintf(ret->cookie, sizeof(ret->cookie), "%.*s", (int)strcspn(line + 12, ";"), line + 12);
		}
	}
}

void http_read(struct http *h, struct response *ret)
{
	size_t have = 0, length = 0, head = 0;

	clear(ret);
	while (h->ssl && have < sizeof(ret->body) - 1) {
		int n = SSL_read(h->ssl, ret->body + have, (int)(sizeof(ret->body) - 1 - have));

		if (n <= 0)
			return;
		have += (size_t)n;
		ret->body[have] = '\0';
		char *end = head ? NULL : strstr(ret->body, "\r\n\r\n");
		if (end) {
			head = (size_t)(end - ret->body) + 4;
			char copy[8192];

			snprintf(copy, sizeof(copy), "%.*s", (int)head, ret->body);
			parse_headers(copy, ret, &length);
		}
		if (!head || have < head + length)
			continue;
		if (strncmp(ret->body, "HTTP/1.1 100", 12) == 0) {
			memmove(ret->body, ret->body + head, have - head + 1);
			have -= head;
			head = length = 0;
			continue;
		}
		ret->status = atoi(ret->body + strlen("HTTP/1.1 "));
		memmove(ret->body, ret->body + head, length);
		ret->body[length] = '\0';
		ret->len = length;
		return;
	}
}

void http_request(struct http *h, const char *method, const char *path, const char *extra, const char *body,
		  struct response *ret)
{
	char length[64] = "";
	char *text;

	if (body)
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n", strlen(body));
	text = text_printf("%s %s HTTP/1.1\r\nHost: localhost\r\n%s%s\r\n%s", method, path, length, extra, body ? body : "");
	clear(ret);
	if (text && http_send_text(h, text))
		http_read(h, ret);
	free(text);
}

bool http_closed_within(struct http *h, int ms)
{
	uint64_t end = clock_monotonic_ns() + (uint64_t)ms * NSEC_PER_MSEC;
	char drop[4096];

	for (;;) {
		uint64_t now = clock_monotonic_ns();
		struct pollfd p = { .fd = h->fd, .events = POLLIN };

		if (now >= end || poll(&p, 1, (int)((end - now) / NSEC_PER_MSEC) + 1) <= 0)
			return false;
		ssize_t n = recv(h->fd, drop, sizeof(drop), MSG_DONTWAIT);
		if (n <= 0)
			return true;
	}
}
