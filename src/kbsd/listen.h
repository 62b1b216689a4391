/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Listening sockets: bound before privileges are dropped, so that port 443 works. */
#ifndef CRYPTATTEST_KBSD_LISTEN_H
#define CRYPTATTEST_KBSD_LISTEN_H

#include <stddef.h>

#include "base/err.h"

#define LISTEN_DEFAULT "[::]:8443"
#define LISTEN_TEXT 80 /* "https://[...]:65535" */

/* "192.0.2.1:8443", "[2001:db8::1]:8443"; "[::]:PORT" serves IPv4 as well, and falls back to 0.0.0.0 on a machine without
 * IPv6. Port 0: the kernel chooses. A listening socket, close-on-exec, non-blocking. ERR_CONFIG. */
int listen_bind(const char *text, int *ret_fd, struct err **err);
/* Where it really listens, as a URL. */
void listen_name(int fd, char out[static LISTEN_TEXT]);

#endif
