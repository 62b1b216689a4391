/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "net/rtnl.h"

#define DUMP_BUFFER 32768 /* the kernel fills at most this much of a reader's buffer */
#define DUMP_MESSAGES_MAX 4096
#define QUIET_MS 2000
#define PROBE_GAP_MS 100 /* a flood of router advertisements must not keep us busy */

static int open_rtnl(uint32_t groups, struct err **err)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return err_set_errno(err, ERR_INTERNAL, "rtnetlink", errno, "cannot ask the kernel about networks");
	if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0) {
		err_set_errno(err, ERR_INTERNAL, "rtnetlink", errno, "cannot ask the kernel about networks");
		close(fd);
		return -1;
	}
	return fd;
}

/* One datagram from the kernel; 0 when it came from somebody else. */
static ssize_t receive(int fd, void *buf, size_t cap, int flags)
{
	struct sockaddr_nl from = { 0 };
	struct iovec iov = { .iov_base = buf, .iov_len = cap };
	struct msghdr msg = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	do {
		n = recvmsg(fd, &msg, flags);
	} while (n < 0 && errno == EINTR);
	return n > 0 && from.nl_pid != 0 ? 0 : n;
}

static int dump(int fd, uint16_t type, uint32_t seq, struct net_facts *facts, struct err **err)
{
	struct {
		struct nlmsghdr h;
		struct rtgenmsg g;
	} rq = { .h = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct rtgenmsg)),
			.nlmsg_type = type,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			.nlmsg_seq = seq },
		 .g = { .rtgen_family = AF_UNSPEC } };
	enum rtnl_result r = RTNL_MORE;
	uint8_t buf[DUMP_BUFFER];
	int why = 0;

	if (send(fd, &rq, rq.h.nlmsg_len, 0) < 0)
		return err_set_errno(err, ERR_INTERNAL, "rtnetlink", errno, "cannot ask the kernel about networks");
	for (unsigned int i = 0; r == RTNL_MORE && i < DUMP_MESSAGES_MAX; i++) {
		ssize_t n = receive(fd, buf, sizeof(buf), 0);

		if (n < 0)
			return err_set_errno(err, ERR_INTERNAL, "rtnetlink", errno, "no answer from the kernel about networks");
		r = rtnl_digest(buf, (size_t)n, seq, facts, &why);
	}
	if (r == RTNL_ERROR)
		return err_set_errno(err, ERR_INTERNAL, "rtnetlink", why, "the kernel does not say what networks there are");
	return r == RTNL_DONE ? 0 : err_set(err, ERR_INTERNAL, "rtnetlink", "the kernel's list of networks does not end");
}

int net_probe(struct net_facts *ret, struct err **err)
{
	_cleanup_close_ int fd = open_rtnl(0, err);
	struct net_facts facts = { 0 };

	if (fd < 0 || dump(fd, RTM_GETLINK, 1, &facts, err) < 0 || dump(fd, RTM_GETADDR, 2, &facts, err) < 0 ||
	    dump(fd, RTM_GETROUTE, 3, &facts, err) < 0)
		return -1;
	*ret = facts;
	return 0;
}

/* Waits for news until the deadline. What the news say does not matter: the next probe will see. */
static bool wait_news(int fd, struct deadline d)
{
	uint8_t buf[DUMP_BUFFER];
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = clock_cancel_fd(), .events = POLLIN } };

	if (poll(p, 2, deadline_poll_ms(d)) <= 0 || !(p[0].revents & (POLLIN | POLLERR)))
		return false;
	/* ENOBUFS (news were lost) ends the loop like EAGAIN does. */
	for (unsigned int i = 0; i < DUMP_MESSAGES_MAX && receive(fd, buf, sizeof(buf), MSG_DONTWAIT) >= 0; i++)
		;
	return true;
}

/* Subscribed before the look that follows, so that nothing can happen in between unseen. */
static int subscribe(struct err **err)
{
	return open_rtnl(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE, err);
}

static int cancelled(struct err **err)
{
	return err_set(err, ERR_TIMEOUT, "cancelled", "cancelled while waiting for a network");
}

int net_wait_route(enum net_family family, struct deadline d, struct net_facts *ret, struct err **err)
{
	struct deadline quiet = deadline_in_ms(0);
	struct net_facts facts = { 0 };
	const struct net_path *path = &facts.path[family];
	_cleanup_close_ int fd = -1;

	if (net_probe(&facts, err) < 0)
		return -1;
	if (path->default_route) {
		*ret = facts;
		return 0;
	}
	fd = subscribe(err);
	if (fd < 0)
		return -1;
	for (;;) {
		if (net_probe(&facts, err) < 0)
			return -1;
		if (!path->route)
			quiet = deadline_in_ms(0);
		else if (quiet.at_ns == UINT64_MAX)
			quiet = deadline_in_ms(QUIET_MS);
		if (path->default_route || deadline_passed(quiet) || deadline_passed(d))
			break;
		if (wait_news(fd, deadline_earlier(d, quiet))) {
			if (path->route)
				quiet = deadline_in_ms(QUIET_MS);
			clock_sleep_ms(PROBE_GAP_MS, d);
		}
		if (clock_cancelled())
			return cancelled(err);
	}
	*ret = facts;
	return 0;
}

static bool gained(const struct net_facts *old, const struct net_facts *now)
{
	if (now->link_up && !old->link_up)
		return true;
	for (enum net_family f = NET_IPV4; f <= NET_IPV6; f++) {
		const struct net_path *a = &old->path[f], *b = &now->path[f];

		if ((b->address && !a->address) || (b->route && !a->route) || (b->default_route && !a->default_route))
			return true;
	}
	return false;
}

int net_wait_gain(const struct net_facts *old, struct deadline d, bool *ret_gained, struct err **err)
{
	_cleanup_close_ int fd = subscribe(err);
	struct net_facts now = { 0 };

	if (fd < 0)
		return -1;
	for (;;) {
		if (net_probe(&now, err) < 0)
			return -1;
		*ret_gained = gained(old, &now);
		if (*ret_gained || deadline_passed(d))
			return 0;
		if (wait_news(fd, d))
			clock_sleep_ms(PROBE_GAP_MS, d);
		if (clock_cancelled())
			return cancelled(err);
	}
}

const char *net_missing(const struct net_facts *f, enum net_family family)
{
	static const char *const no_address[] = { "no address", "no IPv4 address", "no IPv6 address" };
	static const char *const no_route[] = { "no route", "no IPv4 route", "no IPv6 route" };
	const struct net_path *p = &f->path[family];

	if (!f->link_up)
		return "no link";
	if (!p->address)
		return no_address[family];
	return p->route || p->default_route ? "" : no_route[family];
}
