/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The parent's side of push.h. Whatever the listener does, every call returns; what breaks the form ends it for good. */
#include "push/push.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "http/chan.h"
#include "push/child.h"

#define GRACE_MS 5000 /* for a process that has nothing else to do */
#define LAST_WORD_MS 1500 /* for the result that an operator waits for */

struct push {
	pid_t pid; /* -1 = buried */
	int fd;
};

int push_start(const struct push_listen *l, struct push **ret, struct err **err)
{
	_cleanup_free_ struct push *p = calloc(1, sizeof(*p));
	pid_t parent = getpid();
	int pair[2];

	if (!p)
		return err_nomem(err);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set_errno(err, ERR_INTERNAL, "push-process", errno, "cannot make the listener's socket pair");
	p->pid = fork();
	if (p->pid < 0) {
		err_set_errno(err, ERR_INTERNAL, "push-process", errno, "cannot fork the listener");
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
	if (p->pid == 0)
		push_child_main(pair[1], parent, l);
	close(pair[1]);
	p->fd = pair[0];
	*ret = TAKE_PTR(p);
	return 0;
}

/* It reads what it was told before it sees that nobody tells it more. */
static bool ended_by_itself(const struct push *p)
{
	struct deadline d = deadline_in_ms(LAST_WORD_MS);

	if (shutdown(p->fd, SHUT_WR) < 0)
		return false;
	while (!deadline_passed(d)) {
		if (waitpid(p->pid, NULL, WNOHANG) == p->pid)
			return true;
		poll(NULL, 0, 5);
	}
	return false;
}

static void reap(struct push *p)
{
	kill(p->pid, SIGKILL);
	while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void bury(struct push *p, bool gently)
{
	if (p->pid < 0)
		return;
	if (!gently || !ended_by_itself(p))
		reap(p);
	close(p->fd);
	p->pid = -1;
	p->fd = -1;
}

static int gone(struct push *p, const char *why, struct err **err)
{
	bury(p, false);
	return err_set(err, ERR_INDETERMINATE, "push-process", "the listening process %s", why);
}

static int send_packet(struct push *p, const struct push_packet *packet, struct err **err)
{
	_cleanup_buf_ struct buf msg = BUF_INIT(PUSH_PACKET_MAX);

	if (p->pid < 0)
		return gone(p, "has ended", err);
	push_packet_put(packet, &msg);
	if (buf_check(&msg, err) < 0)
		return -1;
	/* It may be busy with a client, for as long as that may take. */
	if (chan_send(p->fd, &msg, deadline_in_ms(PUSH_SEND_MS + GRACE_MS)) != CHAN_OK)
		return gone(p, "takes no order", err);
	return 0;
}

int push_next(struct push *p, struct deadline d, struct push_packet *ret, struct err **err)
{
	_cleanup_buf_ struct buf msg = BUF_INIT(PUSH_PACKET_MAX);

	if (p->pid < 0)
		return gone(p, "has ended", err);
	switch (chan_recv(p->fd, &msg, clock_cancel_fd(), d)) {
	case CHAN_OK:
		break;
	case CHAN_TIMEOUT:
		return err_set(err, ERR_TIMEOUT, "push-window", "no operator came in time");
	case CHAN_WOKEN:
		return err_set(err, ERR_TIMEOUT, "cancelled", "cancelled");
	case CHAN_CLOSED:
		return gone(p, "ended by itself", err);
	case CHAN_BROKEN:
		return gone(p, "sent packets out of form", err);
	}
	if (push_packet_get(msg.data, msg.len, true, ret, NULL) < 0)
		return gone(p, "sent a packet out of form", err);
	return 0;
}

int push_listen(struct push *p, unsigned int *ret_port, struct err **err)
{
	struct push_packet packet = { .type = PACKET_LISTEN };

	if (send_packet(p, &packet, err) < 0)
		return -1;
	if (push_next(p, deadline_in_ms(GRACE_MS), &packet, err) < 0)
		return -1;
	if (packet.type == PACKET_FAILED) {
		bury(p, false);
		return err_set(err, ERR_CONFIG, "push-listen", "%s", packet.text);
	}
	if (packet.type != PACKET_LISTENING) {
		push_packet_clear(&packet);
		return gone(p, "did not say whether it listens", err);
	}
	*ret_port = packet.port;
	return 0;
}

int push_answer(struct push *p, uint16_t conn, bool last, const void *data, size_t len, struct err **err)
{
	struct push_packet packet = { .type = PACKET_ANSWER, .conn = conn, .last = last, .data = BUF_INIT(PUSH_ANSWER_MAX) };
	int rc;

	buf_append(&packet.data, data, len);
	rc = buf_check(&packet.data, err);
	if (rc == 0)
		rc = send_packet(p, &packet, err);
	push_packet_clear(&packet);
	return rc;
}

void push_stop(struct push *p)
{
	if (!p)
		return;
	bury(p, true);
	free(p);
}
