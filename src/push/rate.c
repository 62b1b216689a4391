/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "push/rate.h"

#include <netinet/in.h>
#include <string.h>

#include "base/cleanup.h"

static void key_of(const struct sockaddr_storage *from, uint8_t out[static 16])
{
	memset(out, 0, 16);
	if (from->ss_family == AF_INET) {
		/* As an IPv4-mapped address, which is how the other kind of socket reports the same peer. */
		memset(out + 10, 0xff, 2);
		memcpy(out + 12, &((const struct sockaddr_in *)from)->sin_addr, 4);
	} else if (from->ss_family == AF_INET6) {
		const struct in6_addr *a = &((const struct sockaddr_in6 *)from)->sin6_addr;

		memcpy(out, a, 16);
	}
}

static bool over(const struct rate_peer *p, uint64_t now_ns)
{
	return !p->since_ns || now_ns - p->since_ns >= RATE_NS;
}

bool rate_allows(const struct rate *r, const struct sockaddr_storage *from, unsigned int max, uint64_t now_ns)
{
	uint8_t key[16];

	key_of(from, key);
	for (size_t i = 0; i < ARRAY_SIZE(r->peers); i++)
		if (!over(&r->peers[i], now_ns) && memcmp(r->peers[i].address, key, sizeof(key)) == 0)
			return r->peers[i].failures < max;
	return true;
}

void rate_failed(struct rate *r, const struct sockaddr_storage *from, uint64_t now_ns)
{
	struct rate_peer *oldest = &r->peers[0];
	uint8_t key[16];

	key_of(from, key);
	for (size_t i = 0; i < ARRAY_SIZE(r->peers); i++) {
		struct rate_peer *p = &r->peers[i];

		if (!over(p, now_ns) && memcmp(p->address, key, sizeof(key)) == 0) {
			p->failures++;
			return;
		}
		if (p->since_ns < oldest->since_ns)
			oldest = p;
	}
	*oldest = (struct rate_peer){ .since_ns = now_ns, .failures = 1 };
	memcpy(oldest->address, key, sizeof(key));
}

static bool same(const struct sockaddr_storage *a, const struct sockaddr_storage *b, bool network)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint8_t x[16], y[16];

	key_of(a, x);
	key_of(b, y);
	return memcmp(x, y, network && memcmp(x, mapped, sizeof(mapped)) != 0 ? 8 : 16) == 0;
}

bool rate_same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	return same(a, b, false);
}

bool rate_same_network(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	return same(a, b, true);
}
