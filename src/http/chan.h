/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Whole frames over the SOCK_SEQPACKET pair, for both ends: 64 KiB packets (frame.h), never blocking past the deadline, woken
 * by a second descriptor. No meaning is looked at here. http/ and push/ only.
 */
#ifndef CRYPTATTEST_HTTP_CHAN_H
#define CRYPTATTEST_HTTP_CHAN_H

#include "base/buf.h"
#include "base/clock.h"

enum chan_result {
	CHAN_OK,
	CHAN_CLOSED,  /* the other end is gone */
	CHAN_TIMEOUT, /* the deadline passed */
	CHAN_WOKEN,   /* wake_fd became readable before anything else happened */
	CHAN_BROKEN,  /* packets that no honest peer sends, or out of memory */
};

/* Sends one built frame. */
enum chan_result chan_send(int fd, const struct buf *msg, struct deadline d);
/* Receives one frame into msg (reset first; its max should be FRAME_MAX). wake_fd -1 = none; it is only looked at before the
 * first packet, so a frame is never torn. */
enum chan_result chan_recv(int fd, struct buf *msg, int wake_fd, struct deadline d);

#endif
