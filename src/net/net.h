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

struct net_facts {
	bool link_up, address, default_route; /* loopback and link-local not counted; IPv4 or IPv6 */
	bool route;			      /* to some other network at least: a site without a gateway */
};
int net_probe(struct net_facts *ret, struct err **err);
/* Returns 0 when a default route exists; or when some route has been there unchanged for two seconds (a broker on the same
 * link needs no gateway, and DHCP clients set the gateway right after the address); or when d passed. ERR_TIMEOUT when
 * cancelled. */
int net_wait_route(struct deadline d, struct net_facts *ret, struct err **err);
/* One line naming what is missing: "no link", "no address", "no route"; "" when all there. */
const char *net_missing(const struct net_facts *f);

#endif
