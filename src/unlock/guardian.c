/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "state/state.h"
#include "unlock/exitcode.h"

#define ACT_MAX_S 20	 /* then it ends, and the next run removes what is left */
#define RETRY_MS 20	 /* udev's blkid holds a new public mapping open for a moment */
#define RETRIES 250
#define REPORT_MS 4000

enum order { ORDER_HOLD = 'H', ORDER_EXPECT = 'E', ORDER_RELEASE = 'R', ORDER_OVERDUE = 'O' };

struct message {
	char order;
	char name[64], uuid[40];
};

struct guardian {
	int fd;
	pid_t pid;
	bool reports;
};

/* --- the process --- */

struct watch {
	const struct mapper *m;
	int sock, root_fd, lock_fd, kmsg;
	struct expected {
		struct message is;
		bool gone, final; /* final: trying again would not help */
		char why[160];
	} *expected;
	size_t n;
	unsigned int removed;
	guardian_report *report;
	void *report_ctx;
	bool reported;
};

__attribute__((format(printf, 2, 3))) static void say(const struct watch *w, const char *fmt, ...)
{
	char line[960] = "<3>cryptattest: ";
	const size_t head = strlen(line);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line + head, sizeof(line) - head - 1, fmt, ap);
	va_end(ap);
	strcat(line, "\n");
	(void)!write(w->kmsg, line, strlen(line));
}

static void close_between(int from, int to)
{
	if (from <= to)
		close_range((unsigned int)from, (unsigned int)to, 0);
}

/* One order; false when nobody is left who could send one. */
static bool next_order(const struct watch *w, struct message *msg, int *ret_fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { msg, sizeof(*msg) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c;
	ssize_t n;

	do
		n = recvmsg(w->sock, &h, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(*msg))
		return false;
	c = CMSG_FIRSTHDR(&h);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
	return true;
}

/* Without memory it ends, and the parent, which then cannot tell it more, publishes nothing. */
static void expect(struct watch *w, const struct message *msg)
{
	struct expected *more = reallocarray(w->expected, w->n + 1, sizeof(*more));

	if (!more)
		_exit(1);
	w->expected = more;
	w->expected[w->n++] = (struct expected){ .is = *msg };
}

static bool private_left(const struct watch *w)
{
	char **names = NULL;
	bool left = false;

	if (w->m->list(w->m->ctx, &names, NULL) < 0)
		return false;
	for (char **p = names; p && *p; p++)
		left |= mapper_name_is_private(*p);
	strv_free(names);
	return left;
}

static void take_back(const struct watch *w, struct expected *x)
{
	_cleanup_err_ struct err *e = NULL;
	bool removed;

	if (mapper_remove_unfinished(w->m, x->is.name, x->is.uuid, &removed, &e) == 0) {
		x->gone = x->final = true;
		return;
	}
	x->final = !text_eq(err_id(e), "mapping-busy");
	snprintf(x->why, sizeof(x->why), "%s", err_message(e));
}

static bool remove_all(struct watch *w)
{
	unsigned int swept = 0;
	bool all = true;

	mapper_sweep_private(w->m, &swept, NULL);
	w->removed += swept;
	for (size_t i = 0; i < w->n; i++) {
		if (!w->expected[i].final)
			take_back(w, &w->expected[i]);
		all &= w->expected[i].final;
	}
	return all && !private_left(w);
}

static void mark(struct state_volume *sv)
{
	state_set(&sv->state, "failed", NULL);
	state_set(&sv->dm_uuid, NULL, NULL);
	state_set(&sv->reason_id, "killed", NULL);
	state_set(&sv->reason_class, err_class_name(ERR_INTERNAL), NULL);
	state_set(&sv->reason_message, "the run that opened it ended before it was finished; its mapping was removed", NULL);
	state_set(&sv->reason_hint, "unlock it again; the kernel's log may say what ended the run", NULL);
}

/* One that could not be removed stays on record as it was: "private" makes the next run take it back. */
static void record(const struct watch *w)
{
	struct state *st = NULL;

	if (state_load(w->root_fd, &st, NULL) < 0 || !st->result)
		goto out;
	for (size_t i = 0; i < w->n; i++) {
		struct state_volume *sv = state_volume_get(st, w->expected[i].is.name, false);

		if (sv && w->expected[i].gone && (text_eq(sv->state, "private") || text_eq(sv->state, "open")))
			mark(sv);
	}
	if (w->n || text_eq(st->result, "running")) {
		state_set(&st->result, "failed", NULL);
		st->exit_code = EXIT_UNREACHABLE;
	}
	state_save(w->root_fd, st, NULL);
out:
	state_free(st);
}

static void say_line(void *ctx, const char *line)
{
	say(ctx, "%s", line);
}

/* In a process of its own: looking at the machine must not keep what is to be removed. */
static void report_once(struct watch *w, enum guardian_cause cause)
{
	const struct deadline limit = deadline_in_ms(REPORT_MS);
	pid_t pid;

	if (!w->report || w->reported)
		return;
	w->reported = true;
	pid = fork();
	if (pid == 0) {
		w->report(w->report_ctx, cause, say_line, w);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, NULL, WNOHANG) == 0) {
		if (deadline_passed(limit)) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
			return;
		}
		clock_sleep_ms(RETRY_MS, limit);
	}
}

static void tell_removed(const struct watch *w)
{
	say(w, "the agent ended before its run was finished: nothing that it had mapped stays");
	if (w->removed)
		say(w, "removed %u private mapping%s", w->removed, w->removed == 1 ? "" : "s");
	for (size_t i = 0; i < w->n; i++) {
		if (w->expected[i].gone)
			say(w, "%s: not finished, so /dev/mapper/%s is taken back", w->expected[i].is.name, w->expected[i].is.name);
		else
			say(w, "%s: not finished, but /dev/mapper/%s stays: %s", w->expected[i].is.name, w->expected[i].is.name,
			    w->expected[i].why);
	}
}

/* Nothing of ours may take a number below 3: libdevmapper writes its complaints there. */
static void open_log(struct watch *w)
{
	if (w->kmsg >= 0)
		return;
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (open("/dev/null", O_RDWR) < 0)
			_exit(1);
	w->kmsg = openat(w->root_fd, "dev/kmsg", O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC);
}

/* The run waits for the answer, in a signal handler. */
static void overdue(struct watch *w)
{
	open_log(w);
	say(w, "the agent is out of time in a step that does not end");
	report_once(w, GUARDIAN_OVERDUE);
	(void)!write(w->sock, "", 1);
}

static void act(struct watch *w)
{
	sigset_t set;

	open_log(w);
	signal(SIGALRM, SIG_IGN); /* drops one that waits */
	signal(SIGALRM, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	alarm(ACT_MAX_S);
	if (w->m->forget_udev)
		w->m->forget_udev(w->m->ctx);
	for (int i = 0; i < RETRIES && !remove_all(w); i++)
		clock_sleep_ms(RETRY_MS, deadline_in_ms(ACT_MAX_S * 1000));
	record(w);
	tell_removed(w);
	report_once(w, GUARDIAN_KILLED);
}

__attribute__((noreturn)) static void watch(const struct mapper *m, int sock, int root_fd, guardian_report *report, void *ctx)
{
	struct watch w = { .m = m, .sock = sock, .root_fd = root_fd, .lock_fd = -1, .kmsg = -1, .report = report, .report_ctx = ctx };
	int low = sock < root_fd ? sock : root_fd, high = sock < root_fd ? root_fd : sock;
	struct message msg;
	bool released = false;

	setsid();
	log_init("cryptattest", LOGL_ERROR, false);
	prctl(PR_SET_NAME, "cryptattest-grd", 0, 0, 0);
	/* Nothing of the caller's stays open: a script that reads our output to its end does not wait for this process. */
	close_between(0, low - 1);
	close_between(low + 1, high - 1);
	close_between(high + 1, INT32_MAX);
	while (!released && next_order(&w, &msg, &w.lock_fd)) {
		released = msg.order == ORDER_RELEASE;
		if (msg.order == ORDER_EXPECT)
			expect(&w, &msg);
		else if (msg.order == ORDER_OVERDUE && w.lock_fd >= 0)
			overdue(&w);
		else if (msg.order == ORDER_OVERDUE)
			(void)!write(w.sock, "", 1);
	}
	/* Without the lock nothing had been mapped yet, and what is there is another run's. */
	if (!released && w.lock_fd >= 0)
		act(&w);
	free(w.expected);
	_exit(0);
}

/* --- the agent's side --- */

int guardian_start(const struct mapper *m, int root_fd, guardian_report *report, void *ctx, struct guardian **ret, struct err **err)
{
	_cleanup_free_ struct guardian *g = calloc(1, sizeof(*g));
	sigset_t all, saved;
	int pair[2], saved_errno;

	if (!g)
		return err_nomem(err);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set_errno(err, ERR_INTERNAL, "guardian", errno, "cannot make the guardian's socket pair");
	/* Blocked for good in the child: what is sent to the group or the service is the parent's to decide. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &saved);
	g->pid = fork();
	saved_errno = errno;
	if (g->pid == 0) {
		free(TAKE_PTR(g));
		watch(m, pair[1], root_fd, report, ctx);
	}
	sigprocmask(SIG_SETMASK, &saved, NULL);
	close(pair[1]);
	if (g->pid < 0) {
		close(pair[0]);
		return err_set_errno(err, ERR_INTERNAL, "guardian", saved_errno, "cannot fork the guardian process");
	}
	g->fd = pair[0];
	g->reports = report != NULL;
	*ret = TAKE_PTR(g);
	return 0;
}

/* Once sent it is read, whatever becomes of us: a packet that is queued outlives its sender. */
static int tell(struct guardian *g, const struct message *msg, int fd, struct err **err)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec iov = { (void *)msg, sizeof(*msg) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;
	ssize_t n;

	if (fd >= 0) {
		h.msg_control = control.bytes;
		h.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&h);
		*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	do
		n = g ? sendmsg(g->fd, &h, MSG_NOSIGNAL | MSG_DONTWAIT) : -1;
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)sizeof(*msg))
		return 0;
	err_set_errno(err, ERR_INTERNAL, "guardian", errno, "the process that would remove a killed run's mappings is gone");
	return err_hint(err, "run again; if it is always so, look for what kills cryptattest-grd (memory?)");
}

int guardian_hold(struct guardian *g, int lock_fd, struct err **err)
{
	const struct message msg = { .order = ORDER_HOLD };

	return tell(g, &msg, lock_fd, err);
}

int guardian_expect(struct guardian *g, const char *name, const char *uuid, struct err **err)
{
	struct message msg = { .order = ORDER_EXPECT };

	if (strlen(name) >= sizeof(msg.name) || strlen(uuid) >= sizeof(msg.uuid))
		return err_set(err, ERR_INTERNAL, "guardian", "name or uuid too long");
	strcpy(msg.name, name);
	strcpy(msg.uuid, uuid);
	return tell(g, &msg, -1, err);
}

void guardian_overdue(struct guardian *g)
{
	const struct message msg = { .order = ORDER_OVERDUE };
	struct pollfd p = { .events = POLLIN };
	char answer;

	if (!g || !g->reports || send(g->fd, &msg, sizeof(msg), MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof(msg))
		return;
	p.fd = g->fd;
	if (poll(&p, 1, REPORT_MS + 1000) == 1)
		(void)!recv(g->fd, &answer, sizeof(answer), MSG_DONTWAIT);
}

void guardian_release(struct guardian *g)
{
	const struct message msg = { .order = ORDER_RELEASE };

	/* One that is gone removes nothing. */
	tell(g, &msg, -1, NULL);
}

void guardian_stop(struct guardian *g)
{
	if (!g)
		return;
	close(g->fd);
	while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(g);
}
