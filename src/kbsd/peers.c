/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "kbsd/peers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/digest.h"

#define BUCKETS 1024

struct peers {
	struct peer *bucket[BUCKETS];
	uint64_t seed[2]; /* an outsider chooses addresses; it must not choose buckets */
	unsigned int count;
};

int peers_new(struct peers **ret, struct err **err)
{
	struct peers *p = calloc(1, sizeof(*p));

	if (!p)
		return err_nomem(err);
	if (random_bytes(p->seed, sizeof(p->seed), err) < 0) {
		free(p);
		return -1;
	}
	*ret = p;
	return 0;
}

void peers_free(struct peers *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (p->bucket[i]) {
			struct peer *next = p->bucket[i]->next;
			free(p->bucket[i]);
			p->bucket[i] = next;
		}
	}
	free(p);
}

static void make_key(const struct sockaddr *sa, uint8_t key[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	memset(key, 0, 16);
	if (sa->sa_family == AF_INET) {
		memcpy(key, mapped, 12);
		memcpy(key + 12, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		const struct in6_addr *a = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
		memcpy(key, a, memcmp(a, mapped, 12) == 0 ? 16 : 8);
	}
}

/* Multiply-mix of 128 bits with a random seed: enough, because the seed never leaves the process. */
static size_t bucket_of(const struct peers *p, const uint8_t key[16])
{
	uint64_t a, b;

	memcpy(&a, key, 8);
	memcpy(&b, key + 8, 8);
	unsigned __int128 m = (unsigned __int128)(a ^ p->seed[0]) * (b ^ p->seed[1] ^ UINT64_C(0x9e3779b97f4a7c15));
	uint64_t h = (uint64_t)m ^ (uint64_t)(m >> 64);
	return (size_t)((h ^ h >> 29) % BUCKETS);
}

struct peer *peers_get(struct peers *p, const struct sockaddr *sa)
{
	uint8_t key[16];

	make_key(sa, key);
	struct peer **head = &p->bucket[bucket_of(p, key)];
	for (struct peer *e = *head; e; e = e->next)
		if (memcmp(e->key, key, sizeof(key)) == 0)
			return peer_ref(e);
	struct peer *e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	memcpy(e->key, key, sizeof(key));
	TAILQ_INIT(&e->pending);
	e->refs = 1;
	e->next = *head;
	*head = e;
	p->count++;
	return e;
}

struct peer *peer_ref(struct peer *peer)
{
	peer->refs++;
	return peer;
}

void peers_put(struct peers *p, struct peer *peer)
{
	if (!peer || --peer->refs > 0)
		return;
	for (struct peer **e = &p->bucket[bucket_of(p, peer->key)]; *e; e = &(*e)->next) {
		if (*e == peer) {
			*e = peer->next;
			p->count--;
			break;
		}
	}
	free(peer);
}

unsigned int peers_count(const struct peers *p)
{
	return p->count;
}

void peer_text(const struct sockaddr *sa, char out[static PEER_TEXT])
{
	const struct in6_addr *a6;

	snprintf(out, PEER_TEXT, "?");
	if (sa->sa_family == AF_INET) {
		inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, out, PEER_TEXT);
	} else if (sa->sa_family == AF_INET6) {
		a6 = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
		if (IN6_IS_ADDR_V4MAPPED(a6))
			inet_ntop(AF_INET, a6->s6_addr + 12, out, PEER_TEXT);
		else
			inet_ntop(AF_INET6, a6, out, PEER_TEXT);
	}
}
