/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Who may connect again: addresses whose connections led to nothing, with their number within a minute. A table of fixed size; the
 * oldest entry makes room. One address counts, also of IPv6: by its /64 a neighbour could shut out whoever is in the same one. Pure but for the
 * given time. push/ only.
 */
#ifndef CRYPTATTEST_PUSH_RATE_H
#define CRYPTATTEST_PUSH_RATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define RATE_PEERS 256
#define RATE_NS (60 * UINT64_C(1000000000))

struct rate {
	struct rate_peer {
		uint8_t address[16];
		uint64_t since_ns; /* of the first failure of this minute; 0 = free */
		unsigned int failures;
	} peers[RATE_PEERS];
};

bool rate_allows(const struct rate *r, const struct sockaddr_storage *from, unsigned int max, uint64_t now_ns);
void rate_failed(struct rate *r, const struct sockaddr_storage *from, uint64_t now_ns);
bool rate_same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b);
/* An IPv4 address, or the /64 that one machine may have all addresses of. */
bool rate_same_network(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

#endif
