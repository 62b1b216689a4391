/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* transport_reply to and from its frame. Pure. The decoder sees what a subverted child sends. http/ only. */
#ifndef CRYPTATTEST_HTTP_REPLY_H
#define CRYPTATTEST_HTTP_REPLY_H

#include "http/frame.h"
#include "http/transport.h"

/* AUTH, TOKEN, JWE, ERROR or FAIL by kind. Fields that the protocol does not carry become an ERROR that says so. out must be
 * empty; check with buf_ok(). */
void reply_encode(const struct transport_reply *r, uint16_t seq, struct buf *out);
void reply_encode_peer(const struct transport_reply *r, uint16_t seq, struct buf *out);
/* Fills what the frame carries and leaves the rest of *ret alone: a PEER frame comes before the others. ERR_NOMEM,
 * ERR_INTEGRITY (id "frame"). */
int reply_decode(const struct frame *f, struct transport_reply *ret, struct err **err);
void reply_set_fail(struct transport_reply *r, enum transport_fail fail, const char *what);

#endif
