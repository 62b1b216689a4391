/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What one client address holds: connections and sessions, so that one address cannot take everybody's share. An IPv4
 * address counts by itself, IPv6 by its /64 (one customer usually owns the rest). The table holds only addresses in use,
 * so it is bounded by the limits on connections and sessions. Single-threaded, like the whole server.
 */
#ifndef CRYPTATTEST_KBSD_PEERS_H
#define CRYPTATTEST_KBSD_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/err.h"

struct session;
TAILQ_HEAD(session_list, session);

struct peer {
	uint8_t key[16]; /* IPv4-mapped, or the first 8 bytes of an IPv6 address */
	unsigned int connections;
	size_t held; /* bytes of requests not answered yet; conn.c keeps it */
	unsigned int sessions;	      /* not attested yet; sessions.c keeps it */
	struct session_list pending; /* the same, oldest first */
	bool told;		      /* its limit was logged; reset when it is below again */
	unsigned int refs;
	struct peer *next;
};

#define PEER_TEXT 64 /* "[2001:db8::1]:65535" and more */

struct peers;

int peers_new(struct peers **ret, struct err **err);
void peers_free(struct peers *p); /* every reference must have been given back */
/* Finds or makes the entry and takes a reference; NULL when out of memory. A family other than IP counts as one peer. */
struct peer *peers_get(struct peers *p, const struct sockaddr *sa);
struct peer *peer_ref(struct peer *peer);
void peers_put(struct peers *p, struct peer *peer); /* takes NULL */
unsigned int peers_count(const struct peers *p);
/* Address without port, for the log. */
void peer_text(const struct sockaddr *sa, char out[static PEER_TEXT]);

#endif
