/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * One TLS 1.3 connection of an operator push, either side: own keys on P-256 in self-signed certificates made for the purpose, no CA, no
 * names, no dates, no tickets, no resumption, no early data. The server takes a client by the pins of its key; the client takes any
 * server, because only the evidence says who that is, bound to this connection by the exporter.
 *
 * Every wait has a deadline and ends when wake_fd becomes readable (-1 = none). Messages are a length (u32be) and bytes. The file tls.c
 * knows OpenSSL's types. push/ includes base/, crypto/, wire/ and the parts of http/ that its child shares; kbsd/ includes this header.
 *
 * Errors: ERR_TIMEOUT "push-slow", ERR_UNREACHABLE "push-closed" (with the alert that was received), ERR_INTEGRITY "push-size",
 * ERR_IDENTITY "push-operator" (server: the client's key has no pin here), ERR_REFUSED "push-operator" (client: the server sent an alert),
 * ERR_TIMEOUT "cancelled", ERR_CONFIG "push-key".
 */
#ifndef CRYPTATTEST_PUSH_TLS_H
#define CRYPTATTEST_PUSH_TLS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/secret.h"
#include "wire/push.h"

struct push_tls;
struct push_conn;

/* A waiting machine: a new key; pins (NULL-terminated, not empty) are kept, not copied. */
int push_tls_server(char *const *pins, struct push_tls **ret, struct err **err);
/* An operator: the key in PEM. */
int push_tls_client(const struct secret *key_pem, struct push_tls **ret, struct err **err);
void push_tls_free(struct push_tls *t); /* takes NULL */

/* The handshake on a connected socket, which becomes non-blocking and belongs to the connection, also on failure. */
int push_conn_open(struct push_tls *t, int fd, int wake_fd, struct deadline d, struct push_conn **ret, struct err **err);
/* The same by steps, on a socket that is ready when `events` say so. Step: 1 = done, 0 = not yet, -1 = the end. */
int push_conn_begin(struct push_tls *t, int fd, int wake_fd, struct push_conn **ret, struct err **err);
int push_conn_step(struct push_conn *c, short *ret_events, struct err **err);
int push_conn_send(struct push_conn *c, const void *data, size_t len, struct deadline d, struct err **err);
/* Into buf (reset first), at most max bytes. */
int push_conn_recv(struct push_conn *c, struct buf *buf, size_t max, struct deadline d, struct err **err);
int push_conn_exporter(struct push_conn *c, uint8_t out[static PUSH_EXPORTER], struct err **err);
/* The client's key, on the server's side. */
int push_conn_peer(struct push_conn *c, uint8_t out[static PUSH_POINT], struct err **err);
int push_conn_fd(const struct push_conn *c);
/* Says goodbye and frees all but the socket, which the caller reads to its end before it is closed, or the last word may be lost. */
int push_conn_release(struct push_conn *c);
void push_conn_close(struct push_conn *c); /* says goodbye; a server waits half a second for the other side to hear it; takes NULL */

#endif
