/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The listener of an operator push (wire/push.h): a process of its own, forked after the configuration was read and before any thread,
 * key or secret, confined as the transport child is (http/confine.h). It binds the port when it is told to and not before, does TCP and
 * TLS, and hands on fixed fields. It is not believed: whether a document is the owner's is decided in the parent (keysrc/push.c).
 *
 * One client at a time is served, each step of it with its time. One whose key is not named gets no further than the handshake, and holds up
 * nobody: these go on side by side (push/door.h). An address that failed PUSH_FAILURES times within a minute is hung up on until the minute
 * is over.
 *
 * push/ includes base/, crypto/, wire/ and http/'s chan.h and confine.h. Callers: keysrc/, and cli/ and unlock/ for start and stop.
 */
#ifndef CRYPTATTEST_PUSH_PUSH_H
#define CRYPTATTEST_PUSH_PUSH_H

#include "base/buf.h"
#include "base/clock.h"
#include "push/packet.h"

#define PUSH_HANDSHAKE_MS 5000 /* TLS and the hello */
#define PUSH_SEND_MS 20000     /* evidence or result, up to PUSH_ANSWER_MAX */
#define PUSH_SECRET_MS 10000   /* from the evidence sent to the document received */
#define PUSH_WORK_MS 120000    /* evidence from the TEE; keyslot and trial mapping */
#define PUSH_FAILURES 5

struct push_listen {
	const char *host; /* an address of this machine; NULL = all */
	unsigned int port; /* 0 = any that is free */
	char *const *pins; /* NULL-terminated, "sha256//..." */
};

struct push;

/* Forks; nothing listens yet. l and what it points to must stay until then only. ERR_INTERNAL, ERR_NOMEM. */
int push_start(const struct push_listen *l, struct push **ret, struct err **err);
/* Binds and listens. ERR_CONFIG (id "push-listen"); ERR_INDETERMINATE (id "push-process") when the process is gone. */
int push_listen(struct push *p, unsigned int *ret_port, struct err **err);
/* What happens next: PACKET_HELLO, PACKET_SECRET or PACKET_ENDED. ERR_TIMEOUT (ids "push-window" when d passed, "cancelled"),
 * ERR_INDETERMINATE (id "push-process"). The caller clears *ret. */
int push_next(struct push *p, struct deadline d, struct push_packet *ret, struct err **err);
/* An answer to the connection of that number; nothing happens when it has ended. last: hang up behind it. */
int push_answer(struct push *p, uint16_t conn, bool last, const void *data, size_t len, struct err **err);
void push_stop(struct push *p); /* gives the last answer 1.5 s to reach the operator, then kills; reaps; takes NULL */

#endif
