/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Between the agent and its listener, over http/chan.h: u8 type, u8 0, u16be connection, then the fields of the type. Pure. The reader
 * trusts nobody: a length that does not fit, a character that is not printable where text is, or a byte too many is ERR_INTEGRITY (id
 * "push-packet"), and the process that sent it is killed.
 */
#ifndef CRYPTATTEST_PUSH_PACKET_H
#define CRYPTATTEST_PUSH_PACKET_H

#include "wire/push.h"

#define PUSH_PACKET_MAX ((size_t)PUSH_ANSWER_MAX + 1024)

enum push_packet_type {
	/* to the listener */
	PACKET_LISTEN = 1,
	PACKET_ANSWER, /* last, data */
	/* from it */
	PACKET_LISTENING = 0x81, /* port */
	PACKET_FAILED,		 /* text: it cannot listen */
	PACKET_HELLO,		 /* nonce, exporter, operator, from */
	PACKET_SECRET,		 /* data */
	PACKET_ENDED,		 /* id, from, text: a connection that led to nothing */
};

struct push_packet {
	enum push_packet_type type;
	uint16_t conn;
	bool last;
	uint16_t port;
	uint8_t nonce[PUSH_NONCE], exporter[PUSH_EXPORTER], operator[PUSH_POINT];
	char from[64], id[40], text[256]; /* printable */
	struct buf data; /* of the reader: owned; of the writer: anything */
};

/* buf must be empty and hold PUSH_PACKET_MAX; then buf_ok(). */
void push_packet_put(const struct push_packet *p, struct buf *out);
int push_packet_get(const uint8_t *msg, size_t len, bool from_listener, struct push_packet *ret, struct err **err);
void push_packet_clear(struct push_packet *p);

#endif
