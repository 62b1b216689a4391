/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "kbs/keygen.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"

#define SLICE_MS 1000

struct keygen {
	enum key_type type;
	pthread_t thread;
	atomic_bool stop, done;
	int done_fd; /* readable when done */
	/* The thread's until done, then the owner's. */
	struct keypair *pair;
	struct err *err;
};

static void *run(void *arg)
{
	struct keygen *g = arg;
	uint64_t one = 1;
	ssize_t n;

	keypair_generate_until(g->type, &g->stop, &g->pair, &g->err);
	atomic_store(&g->done, true);
	n = write(g->done_fd, &one, sizeof(one));
	(void)n; /* a waiter looks at done within a slice anyway */
	return NULL;
}

/* Signals belong to the main thread: its handlers, its poll. */
static int start_thread(struct keygen *g)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&g->thread, NULL, run, g);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

int keygen_start(enum key_type type, struct keygen **ret, struct err **err)
{
	_cleanup_free_ struct keygen *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return err_nomem(err);
	g->type = type;
	g->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (g->done_fd < 0)
		return err_set_errno(err, ERR_INTERNAL, "keygen", errno, "cannot make an eventfd");
	r = start_thread(g);
	if (r != 0) {
		close(g->done_fd);
		return err_set_errno(err, ERR_INTERNAL, "keygen", r, "cannot start the key generation thread");
	}
	*ret = TAKE_PTR(g);
	return 0;
}

bool keygen_ready(const struct keygen *g)
{
	return atomic_load(&g->done);
}

int keygen_take(struct keygen *g, struct deadline d, struct keypair **ret, struct err **err)
{
	struct pollfd p[2] = { { .fd = g->done_fd, .events = POLLIN }, { .fd = clock_cancel_fd(), .events = POLLIN } };

	while (!atomic_load(&g->done)) {
		int left = deadline_poll_ms(d);

		if (clock_cancelled())
			return err_set(err, ERR_TIMEOUT, "cancelled", "cancelled");
		if (deadline_passed(d))
			return err_set(err, ERR_TIMEOUT, "keygen", "no %s key before the deadline", key_type_name(g->type));
		poll(p, 2, left < 0 || left > SLICE_MS ? SLICE_MS : left);
	}
	if (!g->pair) {
		err_propagate(err, TAKE_PTR(g->err));
		return -1;
	}
	*ret = TAKE_PTR(g->pair);
	return 0;
}

void keygen_free(struct keygen *g)
{
	if (!g)
		return;
	atomic_store(&g->stop, true);
	pthread_join(g->thread, NULL);
	close(g->done_fd);
	keypair_free(g->pair);
	err_free(g->err);
	free(g);
}
