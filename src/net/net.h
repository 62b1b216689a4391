/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Waiting for link, address and route by rtnetlink (boot-integration.md 4.3, 7); resolver files for the initramfs. base/ only. */
#ifndef CRYPTATTEST_NET_NET_H
#define CRYPTATTEST_NET_NET_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

struct net_facts {
	bool link_up, address, default_route; /* loopback not counted; IPv4 or IPv6 (global) */
};
int net_probe(struct net_facts *ret, struct err **err);
/* Returns when a default route (or a route to host, when numeric) exists, something changed, or d passed. */
int net_wait_route(struct deadline d, struct net_facts *ret, struct err **err);
/* One line naming what is missing: "no link", "no address", "no route"; "" when all there. */
const char *net_missing(const struct net_facts *f);
/* resolv.conf text from /run/net-*.conf (klibc ipconfig) and /run/systemd/netif/; ret len 0 when there is none. */
int net_compose_resolv_conf(int root_fd, struct buf *out, struct err **err);

#endif
