/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "kbsd/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/text.h"

#define BACKLOG 1024 /* a rack of machines that boots at once; the kernel may cut it */

union address {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static int parse(const char *text, union address *ret, socklen_t *ret_len, struct err **err)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	char host[64];
	uint64_t port;

	memset(ret, 0, sizeof(*ret));
	if (!colon || len == 0 || len >= sizeof(host))
		return err_set(err, ERR_CONFIG, "usage", "\"%s\" is not ADDRESS:PORT", text);
	if (text_u64(colon + 1, 0, 65535, &port, err) < 0)
		return err_wrap(err, "port of \"%s\"", text);
	memcpy(host, text, len);
	host[len] = '\0';
	if (host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons((uint16_t)port);
		*ret_len = sizeof(ret->v6);
		if (inet_pton(AF_INET6, host + 1, &ret->v6.sin6_addr) == 1)
			return 0;
	} else {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons((uint16_t)port);
		*ret_len = sizeof(ret->v4);
		if (inet_pton(AF_INET, host, &ret->v4.sin_addr) == 1)
			return 0;
	}
	err_set(err, ERR_CONFIG, "usage", "\"%s\" is not ADDRESS:PORT", text);
	return err_hint(err, "numbers, not names; an IPv6 address stands in brackets: [::1]:8443");
}

static int bind_one(const union address *a, socklen_t len, int *ret_fd)
{
	_cleanup_close_ int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int yes = 1, no = 0;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0)
		return -errno;
	if (a->sa.sa_family == AF_INET6) {
		/* The unspecified address means everybody; one that was named means itself. */
		int only = !IN6_IS_ADDR_UNSPECIFIED(&a->v6.sin6_addr);

		if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, only ? &yes : &no, sizeof(yes)) < 0)
			return -errno;
	}
	if (bind(fd, &a->sa, len) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int listen_bind(const char *text, int *ret_fd, struct err **err)
{
	union address a;
	socklen_t len = 0;
	int r;

	if (parse(text, &a, &len, err) < 0)
		return -1;
	r = bind_one(&a, len, ret_fd);
	if ((r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL) && a.sa.sa_family == AF_INET6 &&
	    IN6_IS_ADDR_UNSPECIFIED(&a.v6.sin6_addr)) {
		in_port_t port = a.v6.sin6_port;

		memset(&a, 0, sizeof(a));
		a.v4.sin_family = AF_INET;
		a.v4.sin_port = port;
		r = bind_one(&a, sizeof(a.v4), ret_fd);
	}
	if (r < 0)
		return err_set_errno(err, ERR_CONFIG, "listen", -r, "cannot listen on %s", text);
	return 0;
}

void listen_name(int fd, char out[static LISTEN_TEXT])
{
	union address a;
	socklen_t len = sizeof(a);
	char host[INET6_ADDRSTRLEN] = "?";

	snprintf(out, LISTEN_TEXT, "?");
	if (getsockname(fd, &a.sa, &len) < 0)
		return;
	if (a.sa.sa_family == AF_INET && inet_ntop(AF_INET, &a.v4.sin_addr, host, sizeof(host)))
		snprintf(out, LISTEN_TEXT, "https://%s:%u", host, ntohs(a.v4.sin_port));
	else if (a.sa.sa_family == AF_INET6 && inet_ntop(AF_INET6, &a.v6.sin6_addr, host, sizeof(host)))
		snprintf(out, LISTEN_TEXT, "https://[%s]:%u", host, ntohs(a.v6.sin6_port));
}
