/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The framed protocol between the agent and its transport child (contracts.md 3): u8 type, u8 0, u16be sequence, then fields
 * {u16be tag, u32be length, bytes}. Pure functions over bytes; chan.h moves them. http/ and push/ only.
 *
 * A message travels in packets of exactly 64 KiB, the last one shorter; a message that would end on a packet's border gets
 * an empty PAD field, so the receiver always knows the end. 2 MiB in all.
 *
 * The decoder trusts nobody, because the child talks to the network: every tag must be allowed for the type, its count, its
 * length and its characters must be within the table of frame.c, and mandatory fields must be there. What it returns needs
 * no further check of form. Error class: ERR_INTEGRITY, id "frame".
 */
#ifndef CRYPTATTEST_HTTP_FRAME_H
#define CRYPTATTEST_HTTP_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define FRAME_PART ((size_t)64 * 1024)
#define FRAME_MAX ((size_t)2 * 1024 * 1024)
#define FRAME_FIELDS_MAX 64

enum frame_type {
	/* to the child */
	FRAME_CONFIG = 1,
	FRAME_REQUEST,
	FRAME_CANCEL,
	/* from the child */
	FRAME_AUTH = 0x81,
	FRAME_TOKEN,
	FRAME_JWE,
	FRAME_ERROR,
	FRAME_FAIL,
	FRAME_PEER,
};

enum frame_tag {
	TAG_URL = 1,
	TAG_PIN,
	TAG_CA,
	TAG_SERVER_NAME,
	TAG_PROXY,
	TAG_TIME_FLOOR,
	TAG_ALLOW_HTTP,
	TAG_USER_AGENT,
	TAG_CONNECT_MS,
	TAG_URL_INDEX,
	TAG_METHOD,
	TAG_PATH,
	TAG_BODY,
	TAG_MILLISECONDS,
	TAG_NEW_SESSION,
	TAG_NONCE,
	TAG_HASH,
	TAG_TOKEN,
	TAG_JWE_PROTECTED, /* the five members follow each other, in the order of transport_reply.jwe */
	TAG_JWE_ENCRYPTED_KEY,
	TAG_JWE_IV,
	TAG_JWE_CIPHERTEXT,
	TAG_JWE_TAG,
	TAG_STATUS,
	TAG_ERROR_TYPE,
	TAG_DETAIL,
	TAG_SERVER_VERSION,
	TAG_RETRY_AFTER,
	TAG_CAUSE,
	TAG_BYTES_SENT,
	TAG_WHAT,
	TAG_PEER_PIN,
	TAG_PEER_VALIDITY,
	TAG_PAD = 0xffff,
};

struct frame_field {
	uint16_t tag;
	uint32_t len;
	const uint8_t *data; /* into the message */
};

struct frame {
	uint8_t type;
	uint16_t seq;
	size_t n;
	struct frame_field field[FRAME_FIELDS_MAX];
};

/* Building: begin, put..., end, then buf_ok(). The buf must be empty and may hold FRAME_MAX bytes. */
void frame_begin(struct buf *b, enum frame_type type, uint16_t seq);
void frame_put(struct buf *b, enum frame_tag tag, const void *data, size_t len);
void frame_put_str(struct buf *b, enum frame_tag tag, const char *s); /* NULL = no field */
void frame_put_u32(struct buf *b, enum frame_tag tag, uint32_t v);
void frame_put_u64(struct buf *b, enum frame_tag tag, uint64_t v);
void frame_end(struct buf *b);

/* from_child says which half of the types is acceptable. */
int frame_decode(const uint8_t *msg, size_t len, bool from_child, struct frame *ret, struct err **err);
/* 0 when absent (optional numbers mean that). */
uint32_t frame_u32(const struct frame *f, enum frame_tag tag);
uint64_t frame_u64(const struct frame *f, enum frame_tag tag);
/* NUL-terminated copy; NULL when absent with *failed untouched, NULL with *failed set when out of memory. */
char *frame_dup(const struct frame *f, enum frame_tag tag, bool *failed);
/* All fields of this tag as a NULL-terminated vector (strv_free); NULL when there is none. */
char **frame_dup_all(const struct frame *f, enum frame_tag tag, bool *failed);
/* Into a fixed array, always terminated; "" when absent. The table's bound must be below cap. */
void frame_copy(const struct frame *f, enum frame_tag tag, char *out, size_t cap);

#endif
