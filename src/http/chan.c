/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "http/chan.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "http/frame.h"

/* poll(2) runs on CLOCK_MONOTONIC, deadlines on CLOCK_BOOTTIME (base/clock.c): look again this often. */
#define SLICE_MS 1000

static enum chan_result wait_for(int fd, short events, int wake_fd, struct deadline d)
{
	struct pollfd p[2] = { { .fd = fd, .events = events }, { .fd = wake_fd, .events = POLLIN } };

	for (;;) {
		int left = deadline_poll_ms(d);
		int n = poll(p, 2, left < 0 || left > SLICE_MS ? SLICE_MS : left);

		if (n < 0 && errno != EINTR)
			return CHAN_BROKEN;
		if (n > 0 && p[0].revents)
			return CHAN_OK;
		if (n > 0 && p[1].revents)
			return CHAN_WOKEN;
		if (deadline_passed(d))
			return CHAN_TIMEOUT;
	}
}

enum chan_result chan_send(int fd, const struct buf *msg, struct deadline d)
{
	for (size_t off = 0; off < msg->len;) {
		size_t n = msg->len - off < FRAME_PART ? msg->len - off : FRAME_PART;
		ssize_t sent = send(fd, msg->data + off, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
			enum chan_result r = wait_for(fd, POLLOUT, -1, d);

			if (r != CHAN_OK)
				return r;
			continue;
		}
		if (sent < 0)
			return errno == EPIPE || errno == ECONNRESET ? CHAN_CLOSED : CHAN_BROKEN;
		off += n; /* a packet goes whole or not at all */
	}
	return CHAN_OK;
}

/* One packet. MSG_TRUNC reports the true size of a longer one, which no honest peer sends. */
static enum chan_result recv_part(int fd, uint8_t *part, size_t *ret_len, int wake_fd, struct deadline d)
{
	for (;;) {
		enum chan_result r = wait_for(fd, POLLIN, wake_fd, d);
		ssize_t n;

		if (r != CHAN_OK)
			return r;
		n = recv(fd, part, FRAME_PART, MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n < 0)
			return errno == ECONNRESET ? CHAN_CLOSED : CHAN_BROKEN;
		if (n == 0)
			return CHAN_CLOSED;
		if ((size_t)n > FRAME_PART)
			return CHAN_BROKEN;
		*ret_len = (size_t)n;
		return CHAN_OK;
	}
}

enum chan_result chan_recv(int fd, struct buf *msg, int wake_fd, struct deadline d)
{
	_cleanup_free_ uint8_t *part = malloc(FRAME_PART);
	size_t n = FRAME_PART;

	if (!part)
		return CHAN_BROKEN;
	buf_reset(msg);
	while (n == FRAME_PART) {
		enum chan_result r = recv_part(fd, part, &n, msg->len ? -1 : wake_fd, d);

		if (r != CHAN_OK)
			return r;
		buf_append(msg, part, n);
		if (!buf_ok(msg))
			return CHAN_BROKEN;
	}
	return CHAN_OK;
}
