/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The parent's side of transport.h. Whatever the child does, every call returns: a wrong sequence, type or field, silence past
 * the deadline or its death ends the child for good, and the caller gets TFAIL_CHILD. */
#include "http/transport.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "http/chan.h"
#include "http/child.h"
#include "http/conf.h"
#include "http/reply.h"

#define GRACE_MS 3000		 /* the child has this long to say that the time was up */
#define REQUEST_MS_MAX 600000	 /* no single request takes longer, whatever the deadline */

struct transport {
	pid_t pid; /* -1 = buried */
	int fd;
	uint16_t seq;
	unsigned int generation;
	char death[200];
};

int transport_start(transport_reducer reducer, struct transport **ret, struct err **err)
{
	_cleanup_free_ struct transport *t = calloc(1, sizeof(*t));
	pid_t parent = getpid();
	int pair[2];

	if (!t)
		return err_nomem(err);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set_errno(err, ERR_INTERNAL, "transport", errno, "cannot make the transport's socket pair");
	t->pid = fork();
	if (t->pid < 0) {
		int saved = errno;

		close(pair[0]);
		close(pair[1]);
		return err_set_errno(err, ERR_INTERNAL, "transport", saved, "cannot fork the transport process");
	}
	if (t->pid == 0)
		child_main(pair[1], parent, reducer);
	close(pair[1]);
	t->fd = pair[0];
	*ret = TAKE_PTR(t);
	return 0;
}

static void describe_death(char *out, size_t cap, const char *why, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		snprintf(out, cap, "the transport process died of signal %d", WTERMSIG(status));
	else if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_CONFINE)
		snprintf(out, cap, "the transport process could not give up its rights");
	else if (WIFEXITED(status))
		snprintf(out, cap, "the transport process ended with status %d", WEXITSTATUS(status));
	else
		snprintf(out, cap, "the transport process was stopped: %s", why);
}

/* Once for each transport. */
static void bury(struct transport *t, const char *why)
{
	int status = 0;

	if (t->pid < 0)
		return;
	kill(t->pid, SIGKILL);
	while (waitpid(t->pid, &status, 0) < 0 && errno == EINTR)
		;
	close(t->fd);
	t->pid = -1;
	t->fd = -1;
	describe_death(t->death, sizeof(t->death), why, status);
}

static int fail_dead(const struct transport *t, struct transport_reply *ret)
{
	transport_reply_clear(ret);
	reply_set_fail(ret, TFAIL_CHILD, t->death);
	ret->bytes_sent = true; /* nobody can say */
	return 0;
}

static const char *complaint(enum chan_result r)
{
	switch (r) {
	case CHAN_TIMEOUT:
		return "no answer in time";
	case CHAN_BROKEN:
		return "packets out of form";
	default:
		return "it was gone";
	}
}

int transport_configure(struct transport *t, const struct transport_config *conf, struct err **err)
{
	_cleanup_buf_ struct buf msg = BUF_INIT(FRAME_MAX);
	enum chan_result r;

	if (conf_check(conf, err) < 0)
		return -1;
	t->generation++;
	if (t->pid < 0)
		return 0;
	conf_encode(conf, ++t->seq, &msg);
	if (buf_check(&msg, err) < 0)
		return -1;
	r = chan_send(t->fd, &msg, deadline_in_ms(GRACE_MS));
	if (r != CHAN_OK)
		bury(t, complaint(r));
	return 0;
}

unsigned int transport_generation(const struct transport *t)
{
	return t->generation;
}

int transport_pid(const struct transport *t)
{
	return t->pid;
}

/* One frame of this request: 1 = it was the reply, 0 = more to come, -1 = not what an honest child sends (or no memory). */
static int take_frame(const struct buf *msg, uint16_t seq, struct transport_reply *ret)
{
	struct frame f;

	if (frame_decode(msg->data, msg->len, true, &f, NULL) < 0 || f.seq != seq)
		return -1;
	if (f.type == FRAME_PEER && ret->peer_pin[0])
		return -1;
	if (reply_decode(&f, ret, NULL) < 0)
		return -1;
	return f.type == FRAME_PEER ? 0 : 1;
}

static enum chan_result await(struct transport *t, int wake_fd, struct deadline limit, struct transport_reply *ret)
{
	_cleanup_buf_ struct buf msg = BUF_INIT(FRAME_MAX);

	for (;;) {
		enum chan_result r = chan_recv(t->fd, &msg, wake_fd, limit);
		int done;

		if (r != CHAN_OK)
			return r;
		done = take_frame(&msg, t->seq, ret);
		if (done)
			return done > 0 ? CHAN_OK : CHAN_BROKEN;
	}
}

static int cancelled(struct transport_reply *ret, struct err **err)
{
	transport_reply_clear(ret);
	return err_set(err, ERR_TIMEOUT, "cancelled", "cancelled");
}

/* The child is told to stop, and kept only if it stops. */
static int cancel(struct transport *t, struct transport_reply *ret, struct err **err)
{
	_cleanup_buf_ struct buf msg = BUF_INIT(FRAME_PART);
	struct deadline limit = deadline_in_ms(GRACE_MS);
	enum chan_result r;

	frame_begin(&msg, FRAME_CANCEL, t->seq);
	frame_end(&msg);
	r = buf_ok(&msg) ? chan_send(t->fd, &msg, limit) : CHAN_BROKEN;
	if (r == CHAN_OK)
		r = await(t, -1, limit, ret);
	if (r != CHAN_OK)
		bury(t, complaint(r));
	return cancelled(ret, err);
}

static int build_request(struct transport *t, unsigned int url_index, const char *method, const char *path, const char *body,
			 bool new_session, uint64_t ms, struct buf *msg, struct err **err)
{
	struct frame f;

	frame_begin(msg, FRAME_REQUEST, ++t->seq);
	frame_put_u32(msg, TAG_URL_INDEX, url_index);
	frame_put_str(msg, TAG_METHOD, method);
	frame_put_str(msg, TAG_PATH, path);
	frame_put_str(msg, TAG_BODY, body);
	frame_put_u32(msg, TAG_MILLISECONDS, (uint32_t)ms);
	frame_put_u32(msg, TAG_NEW_SESSION, new_session);
	frame_end(msg);
	if (buf_check(msg, err) < 0)
		return -1;
	/* The child ends itself over a request that breaks the rules: ask here what it would say. */
	return frame_decode(msg->data, msg->len, false, &f, err);
}

int transport_request(struct transport *t, unsigned int url_index, const char *method, const char *path, const char *body,
		      bool new_session, struct deadline d, struct transport_reply *ret, struct err **err)
{
	_cleanup_buf_ struct buf msg = BUF_INIT(FRAME_MAX);
	uint64_t ms = deadline_left_ms(d);
	struct deadline limit;
	enum chan_result r;

	memset(ret, 0, sizeof(*ret));
	if (clock_cancelled())
		return cancelled(ret, err);
	if (t->pid < 0)
		return fail_dead(t, ret);
	if (ms == 0) {
		reply_set_fail(ret, TFAIL_TIMEOUT, "no time was left for a request");
		return 0;
	}
	if (ms > REQUEST_MS_MAX)
		ms = REQUEST_MS_MAX;
	if (build_request(t, url_index, method, path, body, new_session, ms, &msg, err) < 0)
		return -1;
	limit = deadline_in_ms(ms + GRACE_MS);
	r = chan_send(t->fd, &msg, limit);
	if (r == CHAN_OK)
		r = await(t, clock_cancel_fd(), limit, ret);
	if (r == CHAN_WOKEN)
		return cancel(t, ret, err);
	if (r == CHAN_OK)
		return 0;
	bury(t, complaint(r));
	return fail_dead(t, ret);
}

void transport_stop(struct transport *t)
{
	if (!t)
		return;
	bury(t, "no longer needed");
	free(t);
}
