/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "net/rtnl.h"

#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>

#define LOOPBACK_INDEX 1 /* net/core: the loopback device is the first of every namespace */

/* Payload of the first attribute of this type with at least need bytes, NULL if none. */
static const void *attribute(const uint8_t *p, size_t len, unsigned short type, size_t need)
{
	while (len >= sizeof(struct rtattr)) {
		struct rtattr a;

		memcpy(&a, p, sizeof(a));
		if (a.rta_len < sizeof(a) || a.rta_len > len)
			return NULL;
		if (a.rta_type == type)
			return a.rta_len - sizeof(a) >= need ? p + sizeof(a) : NULL;
		if (RTA_ALIGN(a.rta_len) >= len)
			return NULL;
		p += RTA_ALIGN(a.rta_len);
		len -= RTA_ALIGN(a.rta_len);
	}
	return NULL;
}

static uint32_t attribute_u32(const uint8_t *p, size_t len, unsigned short type, uint32_t otherwise)
{
	const void *v = attribute(p, len, type, sizeof(uint32_t));
	uint32_t n = otherwise;

	if (v)
		memcpy(&n, v, sizeof(n));
	return n;
}

/* IFF_LOWER_UP is the carrier; a link without one cannot get an address either. */
static void on_link(const uint8_t *p, size_t len, struct net_facts *facts)
{
	struct ifinfomsg m;

	if (len < sizeof(m))
		return;
	memcpy(&m, p, sizeof(m));
	if (!(m.ifi_flags & IFF_LOOPBACK) && (m.ifi_flags & IFF_UP) && (m.ifi_flags & IFF_LOWER_UP))
		facts->link_up = true;
}

static struct net_path *path_of(struct net_facts *facts, unsigned char family)
{
	return &facts->path[family == AF_INET6 ? NET_IPV6 : NET_IPV4];
}

static void on_address(const uint8_t *p, size_t len, struct net_facts *facts)
{
	struct ifaddrmsg m;
	uint32_t flags;

	if (len < sizeof(m))
		return;
	memcpy(&m, p, sizeof(m));
	if (m.ifa_family != AF_INET && m.ifa_family != AF_INET6)
		return;
	flags = attribute_u32(p + sizeof(m), len - sizeof(m), IFA_FLAGS, m.ifa_flags);
	/* A tentative IPv6 address cannot be used yet. Unique local and site addresses have scope 0 or 200: both do. */
	if (m.ifa_index != LOOPBACK_INDEX && m.ifa_scope < RT_SCOPE_LINK && !(flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)))
		path_of(facts, m.ifa_family)->address = facts->path[NET_ANY].address = true;
}

static bool link_local(const struct rtmsg *m, const uint8_t *attrs, size_t len)
{
	const uint8_t *dst = attribute(attrs, len, RTA_DST, m->rtm_family == AF_INET6 ? 16 : 4);

	if (!dst)
		return false;
	return m->rtm_family == AF_INET6 ? dst[0] == 0xfe && (dst[1] & 0xc0) == 0x80 : dst[0] == 169 && dst[1] == 254;
}

static void on_route(const uint8_t *p, size_t len, struct net_facts *facts)
{
	struct rtmsg m;
	const uint8_t *attrs;
	uint32_t table;

	if (len < sizeof(m))
		return;
	memcpy(&m, p, sizeof(m));
	attrs = p + sizeof(m);
	len -= sizeof(m);
	table = attribute_u32(attrs, len, RTA_TABLE, m.rtm_table);
	if (m.rtm_type != RTN_UNICAST || table == RT_TABLE_LOCAL || (m.rtm_family != AF_INET && m.rtm_family != AF_INET6) ||
	    attribute_u32(attrs, len, RTA_OIF, 0) == LOOPBACK_INDEX || link_local(&m, attrs, len))
		return;
	path_of(facts, m.rtm_family)->route = facts->path[NET_ANY].route = true;
	if (m.rtm_dst_len == 0)
		path_of(facts, m.rtm_family)->default_route = facts->path[NET_ANY].default_route = true;
}

enum rtnl_result rtnl_digest(const void *buf, size_t len, uint32_t seq, struct net_facts *facts, int *ret_errno)
{
	const uint8_t *p = buf;

	while (len >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr h;
		struct nlmsgerr e = { 0 };
		const uint8_t *body = p + NLMSG_HDRLEN;
		size_t n;

		memcpy(&h, p, sizeof(h));
		if (h.nlmsg_len < NLMSG_HDRLEN || h.nlmsg_len > len)
			break;
		n = h.nlmsg_len - NLMSG_HDRLEN;
		if (h.nlmsg_seq == seq) {
			switch (h.nlmsg_type) {
			case NLMSG_DONE:
				return RTNL_DONE;
			case NLMSG_ERROR:
				memcpy(&e, body, n < sizeof(e) ? n : sizeof(e));
				*ret_errno = -e.error;
				return RTNL_ERROR;
			case RTM_NEWLINK:
				on_link(body, n, facts);
				break;
			case RTM_NEWADDR:
				on_address(body, n, facts);
				break;
			case RTM_NEWROUTE:
				on_route(body, n, facts);
				break;
			default:
				break;
			}
		}
		if (NLMSG_ALIGN(h.nlmsg_len) >= len)
			break;
		p += NLMSG_ALIGN(h.nlmsg_len);
		len -= NLMSG_ALIGN(h.nlmsg_len);
	}
	return RTNL_MORE;
}
