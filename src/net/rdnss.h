/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Inside net/ only (and its tests): what one buffer of rtnetlink messages says of name servers. Pure. */
#ifndef CRYPTATTEST_NET_RDNSS_H
#define CRYPTATTEST_NET_RDNSS_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#define RDNSS_MAX 3 /* resolv.conf(5): more are not asked */

struct rdnss {
	struct in6_addr address;
	unsigned int link; /* index */
};

/* Adds the servers of each router advertisement in buf to the n that are in list; returns how many there are then. Bad lengths end the walk. A lifetime
 * of zero takes a server back. */
size_t rdnss_digest(const void *buf, size_t len, struct rdnss list[static RDNSS_MAX], size_t n);

#endif
