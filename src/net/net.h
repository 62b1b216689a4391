/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Waiting for link, address and route by rtnetlink (boot-integration.md 4.3, 7); may include base/ only. Caller: unlock.
 * Nothing here is trusted: who answers on the network is settled by TLS. Failures are ERR_INTERNAL (the kernel has no rtnetlink,
 * out of descriptors); a caller may go on without an answer.
 */
#ifndef CRYPTATTEST_NET_NET_H
#define CRYPTATTEST_NET_NET_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

/* Which of the two the broker needs, where its URL says so. */
enum net_family { NET_ANY, NET_IPV4, NET_IPV6 };

struct net_path {
	bool address;	    /* loopback and link-local not counted */
	bool default_route;
	bool route;	    /* to some other network at least: a site without a gateway */
};

struct net_facts {
	bool link_up;
	struct net_path path[NET_IPV6 + 1]; /* by enum net_family; NET_ANY: by the one or the other */
};

int net_probe(struct net_facts *ret, struct err **err);
/* Returns 0 when a default route exists; or when some route has been there unchanged for two seconds (a broker on the same
 * link needs no gateway, and DHCP clients set the gateway right after the address); or when d passed. ERR_TIMEOUT when
 * cancelled. */
int net_wait_route(enum net_family family, struct deadline d, struct net_facts *ret, struct err **err);
/* Returns 0 as soon as the network has something that it had not in old (a link, an address, a route, of either family), or when
 * d passed; *ret_gained says which. ERR_TIMEOUT when cancelled. */
int net_wait_gain(const struct net_facts *old, struct deadline d, bool *ret_gained, struct err **err);
/* What is missing first: "no link", "no address", "no IPv4 route"...; "" when all is there. */
const char *net_missing(const struct net_facts *f, enum net_family family);

/* Name servers of networks without DHCP: routers announce them (RFC 8106), the kernel passes that on, and where nobody else listens
 * (initramfs-tools) a broker's name would never be found. Open before the links are up; the descriptor is the caller's. */
int net_rdnss_open(struct err **err);
/* Writes what was announced since to etc/resolv.conf, unless that names a server already. ERR_INTERNAL. */
int net_rdnss_write(int fd, int root_fd, struct err **err);

#endif
