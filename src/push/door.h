/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Who stands at the listener's door: connections whose TLS handshake is under way, several at once, so that one that shows no key holds up
 * nobody. Each has PUSH_HANDSHAKE_MS; an address has room for PUSH_PENDING_EACH of them, and is hung up on when PUSH_FAILURES of its
 * connections led to nothing within a minute. When all places are taken the newcomer gets one: of whoever is ending, or the oldest
 * of the network (rate.h) that has the most. A client that has shown its key is handed out. push/ only, and its test.
 */
#ifndef CRYPTATTEST_PUSH_DOOR_H
#define CRYPTATTEST_PUSH_DOOR_H

#include <sys/socket.h>

#include "base/clock.h"
#include "push/rate.h"
#include "push/tls.h"

#define PUSH_PENDING 24
#define PUSH_PENDING_EACH 4

struct door_client {
	struct push_conn *conn; /* the handshake is done */
	struct deadline deadline; /* for the hello */
	uint16_t number;
	struct sockaddr_storage address;
	char from[64];
};

struct door {
	struct push_tls *tls;
	int listen_fd, wake_fd;
	struct rate rate;
	uint16_t last; /* number */
	uint64_t left_ns; /* when door_wait() returned; 0 = not yet */
	/* A connection that led to nothing. */
	void (*ended)(void *ctx, uint16_t number, const char *from, const char *id, const char *why);
	void *ctx;
	struct door_place {
		enum { PLACE_FREE, PLACE_SHAKING, PLACE_LEAVING } state;
		struct door_client who; /* SHAKING */
		int fd;			/* LEAVING: what is left of it, until the other side has heard why */
		short events;
	} places[PUSH_PENDING];
};

/* True: ret is a client, whose connection is the caller's. False: wake_fd is readable. The time between two calls is not counted. */
bool door_wait(struct door *d, struct door_client *ret);
/* One that was handed out led to nothing. */
void door_failed(struct door *d, const struct door_client *c);

#endif
