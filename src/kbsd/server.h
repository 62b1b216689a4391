/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The HTTP side: evhttp over TLS on one thread, from a request's bytes to handshake.h and back. Everything an outsider
 * controls has a bound here: header and body size, time, connections in all and of one address, sessions.
 *
 * kbsd/ is the key broker: includes verify/, evidence/, wire/, crypto/ and base/. Nobody includes it.
 */
#ifndef CRYPTATTEST_KBSD_SERVER_H
#define CRYPTATTEST_KBSD_SERVER_H

#include "kbsd/assets.h"
#include "kbsd/conn.h"
#include "kbsd/sessions.h"

#define SERVER_BODY_MAX (2 * 1024 * 1024)
#define SERVER_HEADERS_MAX (32 * 1024) /* a Bearer token is about 8 KiB */

struct server_params {
	struct assets *assets;
	struct conn_limits connections;
	struct sessions_limits sessions;
	uint64_t idle_ms;
	bool protocol[KBS_0_4_0 + 1];
	const int *fds; /* bound sockets; the server takes them */
	size_t fds_n;
};

struct server;

int server_new(const struct server_params *params, struct server **ret, struct err **err);
/* Until SIGTERM or SIGINT; SIGHUP reloads, SIGUSR1 logs how much was served. ERR_INTERNAL. */
int server_run(struct server *s, struct err **err);
void server_free(struct server *s);

#endif
