/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Who may connect again: addresses whose connections led to nothing, with their number within a minute. A table of fixed size; the
 * oldest entry makes room. An IPv6 address counts by its /64. Pure but for the given time. push/ only.
 */
#ifndef CRYPTATTEST_PUSH_RATE_H
#define CRYPTATTEST_PUSH_RATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define RATE_PEERS 64
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

#endif
