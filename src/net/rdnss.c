/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "net/rdnss.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "net/net.h"

#define ROUTER_ADVERTISEMENT 134 /* RFC 4861 */
#define OPTION_RDNSS 25		 /* RFC 8106: type, length in units of 8, 2 reserved, lifetime, addresses */
#define OPTION_UNIT 8
#define BUFFER 8192
#define MESSAGES_MAX 64
#define RESOLV_CONF "etc/resolv.conf"
#define RESOLV_CONF_MAX 65536

static void remove_at(struct rdnss list[static RDNSS_MAX], size_t *n, size_t i)
{
	memmove(&list[i], &list[i + 1], (*n - i - 1) * sizeof(list[0]));
	--*n;
}

static void take(const struct rdnss *server, bool there, struct rdnss list[static RDNSS_MAX], size_t *n)
{
	for (size_t i = 0; i < *n; i++) {
		if (list[i].link != server->link || memcmp(&list[i].address, &server->address, sizeof(server->address)) != 0)
			continue;
		if (!there)
			remove_at(list, n, i);
		return;
	}
	if (there && *n < RDNSS_MAX)
		list[(*n)++] = *server;
}

/* One option; p holds len bytes, which is what the option says of itself. */
static void on_option(const uint8_t *p, size_t len, unsigned int link, struct rdnss list[static RDNSS_MAX], size_t *n)
{
	uint32_t lifetime;

	if (p[0] != OPTION_RDNSS || len < OPTION_UNIT + sizeof(struct in6_addr))
		return;
	memcpy(&lifetime, p + 4, sizeof(lifetime));
	for (size_t at = OPTION_UNIT; len - at >= sizeof(struct in6_addr); at += sizeof(struct in6_addr)) {
		struct rdnss s = { .link = link };

		memcpy(&s.address, p + at, sizeof(s.address));
		if (!IN6_IS_ADDR_UNSPECIFIED(&s.address) && !IN6_IS_ADDR_MULTICAST(&s.address))
			take(&s, lifetime != 0, list, n);
	}
}

static void on_advertisement(const uint8_t *p, size_t len, struct rdnss list[static RDNSS_MAX], size_t *n)
{
	struct nduseroptmsg m;

	if (len < sizeof(m))
		return;
	memcpy(&m, p, sizeof(m));
	p += sizeof(m);
	len -= sizeof(m);
	if (m.nduseropt_family != AF_INET6 || m.nduseropt_icmp_type != ROUTER_ADVERTISEMENT || m.nduseropt_opts_len > len || m.nduseropt_ifindex <= 0)
		return;
	for (len = m.nduseropt_opts_len; len >= OPTION_UNIT;) {
		const size_t size = (size_t)p[1] * OPTION_UNIT;

		if (size == 0 || size > len)
			return;
		on_option(p, size, (unsigned int)m.nduseropt_ifindex, list, n);
		p += size;
		len -= size;
	}
}

size_t rdnss_digest(const void *buf, size_t len, struct rdnss list[static RDNSS_MAX], size_t n)
{
	const uint8_t *p = buf;

	while (len >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr h;

		memcpy(&h, p, sizeof(h));
		if (h.nlmsg_len < NLMSG_HDRLEN || h.nlmsg_len > len)
			break;
		if (h.nlmsg_type == RTM_NEWNDUSEROPT)
			on_advertisement(p + NLMSG_HDRLEN, h.nlmsg_len - NLMSG_HDRLEN, list, &n);
		if (NLMSG_ALIGN(h.nlmsg_len) >= len)
			break;
		p += NLMSG_ALIGN(h.nlmsg_len);
		len -= NLMSG_ALIGN(h.nlmsg_len);
	}
	return n;
}

int net_rdnss_open(struct err **err)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	const int group = RTNLGRP_ND_USEROPT;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0 &&
	    setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) == 0)
		return fd;
	err_set_errno(err, ERR_INTERNAL, "rtnetlink", errno, "cannot listen for what routers say of name servers");
	if (fd >= 0)
		close(fd);
	return -1;
}

/* What came since the last look. Only the kernel may say it. */
static size_t read_all(int fd, struct rdnss list[static RDNSS_MAX])
{
	uint8_t buf[BUFFER];
	size_t n = 0;

	for (unsigned int i = 0; i < MESSAGES_MAX; i++) {
		struct sockaddr_nl from = { 0 };
		socklen_t from_len = sizeof(from);
		ssize_t got = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &from_len);

		if (got <= 0)
			break;
		if (from.nl_pid == 0)
			n = rdnss_digest(buf, (size_t)got, list, n);
	}
	return n;
}

static void append(struct buf *text, const struct rdnss *s)
{
	char address[INET6_ADDRSTRLEN], link[IF_NAMESIZE];

	if (!inet_ntop(AF_INET6, &s->address, address, sizeof(address)))
		return;
	if (!IN6_IS_ADDR_LINKLOCAL(&s->address))
		buf_printf(text, "nameserver %s\n", address);
	else if (if_indextoname(s->link, link))
		buf_printf(text, "nameserver %s%%%s\n", address, link);
}

int net_rdnss_write(int fd, int root_fd, struct err **err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(RESOLV_CONF_MAX);
	_cleanup_free_ char *old = NULL;
	struct rdnss list[RDNSS_MAX];
	const size_t n = read_all(fd, list);
	size_t len;

	if (n == 0)
		return 0;
	/* Whoever wrote one knows more: DHCP, the administrator. */
	if (file_read(root_fd, RESOLV_CONF, RESOLV_CONF_MAX, ERR_INTERNAL, &old, &len, NULL) == 0 && strstr(old, "nameserver"))
		return 0;
	for (size_t i = 0; i < n; i++)
		append(&text, &list[i]);
	if (buf_check(&text, err) < 0)
		return -1;
	return file_write_volatile(root_fd, RESOLV_CONF, text.data, text.len, 0644, err);
}
