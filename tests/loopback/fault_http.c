/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Reading requests, writing answers and everything that can be wrong with an answer whatever it says. */
#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "tests/loopback/faultkbs.h"

#define BODY_MAX ((size_t)4 * 1024 * 1024)
#define HUGE_BODY (3 * 1024 * 1024)
#define DRIP_US 100000

static const char half_answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"nonce\":";

bool fault_write(struct fault_conn *c, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = c->ssl ? SSL_write(c->ssl, p, (int)(len > 16384 ? 16384 : len)) : send(c->fd, p, len, MSG_NOSIGNAL);

		if (n <= 0) {
			c->close = true;
			return false;
		}
		p += n;
		len -= (size_t)n;
	}
	return true;
}

bool fault_puts(struct fault_conn *c, const char *s)
{
	return fault_write(c, s, strlen(s));
}

static ssize_t read_some(struct fault_conn *c, void *buf, size_t cap)
{
	return c->ssl ? SSL_read(c->ssl, buf, (int)cap) : recv(c->fd, buf, cap, 0);
}

void fault_hold(struct fault_conn *c)
{
	char scrap[256];

	while (read_some(c, scrap, sizeof(scrap)) > 0)
		;
	c->close = true;
}

static void header_value(const char *head, const char *name, char *out, size_t cap)
{
	const char *p = strcasestr(head, name);
	size_t n;

	out[0] = 0;
	if (!p)
		return;
	p += strlen(name);
	p += strspn(p, " ");
	n = strcspn(p, "\r\n");
	snprintf(out, cap, "%.*s", (int)n, p);
}

static bool parse_head(struct fault_conn *c, const char *head, struct fault_request *r)
{
	char length[32];

	header_value(head, "\nCookie:", r->cookie, sizeof(r->cookie));
	header_value(head, "\nContent-Length:", length, sizeof(length));
	r->len = strtoul(length, NULL, 10);
	if (strcasestr(head, "\nAuthorization:") || strcasestr(head, "\nReferer:") || strcasestr(head, "\nProxy-"))
		c->kbs->counts->foreign_header = true;
	return sscanf(head, "%15s %511s", r->method, r->path) == 2 && r->len <= BODY_MAX;
}

bool fault_read_request(struct fault_conn *c, struct fault_request *r)
{
	struct buf b = BUF_INIT(BODY_MAX + 65536);
	char chunk[16384];
	bool ok = false;

	memset(r, 0, sizeof(*r));
	for (;;) {
		const char *text = b.len ? buf_cstr(&b) : "", *end = text ? strstr(text, "\r\n\r\n") : NULL;
		ssize_t n;

		if (!text || (end && !parse_head(c, text, r)))
			break;
		if (end && b.len - (size_t)(end + 4 - text) >= r->len) {
			r->body = strndup(end + 4, r->len);
			ok = r->body != NULL;
			break;
		}
		n = read_some(c, chunk, sizeof(chunk));
		if (n <= 0)
			break;
		buf_append(&b, chunk, (size_t)n);
	}
	buf_free(&b);
	return ok;
}

void fault_request_clear(struct fault_request *r)
{
	free(r->body);
	memset(r, 0, sizeof(*r));
}

void fault_send(struct fault_conn *c, unsigned int status, const char *headers, const char *body)
{
	char head[1024];

	snprintf(head, sizeof(head), "HTTP/1.1 %u X\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n", status,
		 headers, strlen(body));
	if (fault_puts(c, head))
		fault_puts(c, body);
}

static void send_status(struct fault_conn *c, const char *arg)
{
	unsigned int code = 500, seconds = 0;
	char retry[64] = "";

	if (sscanf(arg, "%u %u", &code, &seconds) == 2)
		snprintf(retry, sizeof(retry), "Retry-After: %u\r\n", seconds);
	fault_send(c, code, retry, "");
}

static void send_huge(struct fault_conn *c, bool declared_only)
{
	static char block[65536];

	memset(block, ' ', sizeof(block));
	fault_puts(c, declared_only ? "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" :
				      "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
	for (size_t n = 0; !declared_only && n < HUGE_BODY && fault_write(c, block, sizeof(block)); n += sizeof(block))
		;
	if (declared_only)
		fault_hold(c);
	c->close = true;
}

static void send_headers(struct fault_conn *c)
{
	fault_puts(c, "HTTP/1.1 200 OK\r\n");
	while (fault_puts(c, "X-Padding: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"))
		;
}

/* What a stuck or malicious server does to a client that counts only silence. */
static void drip(struct fault_conn *c, bool from_the_start)
{
	const char *p = from_the_start ? half_answer : strstr(half_answer, "\r\n\r\n") + 4;

	fault_write(c, half_answer, (size_t)(p - half_answer));
	for (; *p && fault_write(c, p, 1); p++)
		usleep(DRIP_US);
	fault_hold(c);
}

bool fault_misbehave(struct fault_conn *c, const struct fault_step *s)
{
	char text[512];
	unsigned int code = 0;
	int n = 0;

	if (strcmp(s->action, "status") == 0) {
		send_status(c, s->arg);
	} else if (strcmp(s->action, "body") == 0 && sscanf(s->arg, "%u %n", &code, &n) == 1) {
		fault_send(c, code, "", s->arg + n);
	} else if (strcmp(s->action, "redirect") == 0) {
		snprintf(text, sizeof(text), "Location: %s\r\n", s->arg);
		fault_send(c, 302, text, "");
	} else if (strcmp(s->action, "stall") == 0) {
		fault_hold(c);
	} else if (strcmp(s->action, "half") == 0) {
		fault_puts(c, half_answer);
		fault_hold(c);
	} else if (strcmp(s->action, "drip") == 0 || strcmp(s->action, "trickle") == 0) {
		drip(c, s->action[0] == 't');
	} else if (strcmp(s->action, "close") == 0) {
		c->close = true;
	} else if (strcmp(s->action, "cut") == 0) {
		fault_puts(c, half_answer);
		c->close = true;
	} else if (strcmp(s->action, "huge") == 0 || strcmp(s->action, "declared") == 0) {
		send_huge(c, s->action[0] == 'd');
	} else if (strcmp(s->action, "headers") == 0) {
		send_headers(c);
	} else if (strcmp(s->action, "garbage") == 0) {
		fault_write(c, "\x16\x03\x01 this is no HTTP\r\n\r\n", 24);
		c->close = true;
	} else {
		return false;
	}
	return true;
}

static void pump(int a, int b)
{
	struct pollfd p[2] = { { .fd = a, .events = POLLIN }, { .fd = b, .events = POLLIN } };
	char data[16384];

	while (poll(p, 2, -1) > 0) {
		for (int i = 0; i < 2; i++) {
			ssize_t n = p[i].revents ? recv(p[i].fd, data, sizeof(data), 0) : 1;

			if (n <= 0 || (p[i].revents && send(p[1 - i].fd, data, (size_t)n, MSG_NOSIGNAL) != n))
				return;
		}
	}
}

/* Every target is our own loopback, whatever name the client gave. */
void fault_tunnel(struct fault_conn *c, const struct fault_request *r)
{
	const char *port = strrchr(r->path, ':');
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(c->kbs->counts->proxied, sizeof(c->kbs->counts->proxied), "%.100s", r->path);
	to.sin_port = htons((uint16_t)(port ? atoi(port + 1) : 0));
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0) {
		/* A cookie of the proxy's, which must not become ours. */
		fault_puts(c, "HTTP/1.1 200 OK\r\nSet-Cookie: kbs-session-id=from-the-proxy\r\n\r\n");
		pump(c->fd, fd);
	}
	if (fd >= 0)
		close(fd);
	c->close = true;
}
