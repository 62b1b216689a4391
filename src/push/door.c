/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "push/door.h"

#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "push/push.h"

#define LEAVING_MS 500

static void empty(struct door_place *p)
{
	if (p->state == PLACE_SHAKING)
		close(push_conn_release(p->who.conn));
	else if (p->state == PLACE_LEAVING)
		close(p->fd);
	p->state = PLACE_FREE;
}

static void say_ended(const struct door *d, const struct door_client *c, const char *id, const char *why)
{
	d->ended(d->ctx, c->number, c->from, id, why);
}

void door_failed(struct door *d, const struct door_client *c)
{
	rate_failed(&d->rate, &c->address, clock_ns());
}

/* Takes why. */
static void turn_away(struct door *d, struct door_place *p, struct err *why)
{
	door_failed(d, &p->who);
	say_ended(d, &p->who, err_id(why), err_message(why));
	err_free(why);
	/* The alert that says why is lost when the socket is closed over bytes that nobody has read. */
	p->fd = push_conn_release(p->who.conn);
	p->state = PLACE_LEAVING;
	p->events = POLLIN;
	p->who.deadline = deadline_in_ms(LEAVING_MS);
}

static void let_go(struct door_place *p)
{
	uint8_t rest[4096];
	ssize_t n = read(p->fd, rest, sizeof(rest));

	if (n <= 0)
		empty(p);
}

/* True: its client has shown its key, and the place is free. */
static bool tend(struct door *d, struct door_place *p, struct door_client *ret)
{
	struct err *e = NULL;

	if (p->state == PLACE_LEAVING) {
		if (deadline_passed(p->who.deadline))
			empty(p);
		else
			let_go(p);
		return false;
	}
	if (deadline_passed(p->who.deadline)) {
		err_set(&e, ERR_TIMEOUT, "push-slow", "the other side was too slow");
		turn_away(d, p, e);
		return false;
	}
	switch (push_conn_step(p->who.conn, &p->events, &e)) {
	case 0:
		return false;
	case 1:
		*ret = p->who;
		p->state = PLACE_FREE;
		return true;
	default:
		turn_away(d, p, e);
		return false;
	}
}

/* --- newcomers --- */

static unsigned int of_network(const struct door *d, const struct door_place *p)
{
	unsigned int n = 0;

	for (size_t i = 0; i < PUSH_PENDING; i++)
		n += d->places[i].state == PLACE_SHAKING && rate_same_network(&d->places[i].who.address, &p->who.address);
	return n;
}

static unsigned int of_address(const struct door *d, const struct sockaddr_storage *a)
{
	unsigned int n = 0;

	for (size_t i = 0; i < PUSH_PENDING; i++)
		n += d->places[i].state == PLACE_SHAKING && rate_same_address(&d->places[i].who.address, a);
	return n;
}

/* Should x rather than y make room? */
static bool goes_first(const struct door *d, const struct door_place *x, const struct door_place *y)
{
	const unsigned int many_x = of_network(d, x), many_y = of_network(d, y);

	if (x->state != y->state)
		return x->state == PLACE_LEAVING;
	if (x->state == PLACE_SHAKING && many_x != many_y)
		return many_x > many_y;
	return x->who.deadline.at_ns < y->who.deadline.at_ns;
}

static struct door_place *make_room(struct door *d)
{
	struct door_place *victim = &d->places[0];

	for (size_t i = 0; i < PUSH_PENDING; i++) {
		if (d->places[i].state == PLACE_FREE)
			return &d->places[i];
		if (goes_first(d, &d->places[i], victim))
			victim = &d->places[i];
	}
	/* No failure of its own: neighbours who crowd it out must not get the operator's address barred as well. */
	if (victim->state == PLACE_SHAKING)
		say_ended(d, &victim->who, "push-rate", "it made room for another: too many connections at once");
	empty(victim);
	return victim;
}

/* An IPv4 client of a socket for both families, as people write it. */
static void name_peer(const struct sockaddr_storage *from, socklen_t len, char out[static 64])
{
	if (getnameinfo((const struct sockaddr *)from, len, out, 64, NULL, 0, NI_NUMERICHOST) != 0)
		strcpy(out, "?");
	if (strncmp(out, "::ffff:", 7) == 0 && strchr(out, '.'))
		memmove(out, out + 7, strlen(out + 7) + 1);
}

static const char *not_welcome(const struct door *d, const struct sockaddr_storage *a)
{
	if (!rate_allows(&d->rate, a, PUSH_FAILURES, clock_ns()))
		return "too many connections that led to nothing; try again in a minute";
	return of_address(d, a) >= PUSH_PENDING_EACH ? "too many connections at once" : NULL;
}

/* True as of tend(): nothing forbids that all of its handshake is here already. */
static bool admit(struct door *d, struct door_client *ret)
{
	struct door_client c = { .deadline = deadline_in_ms(PUSH_HANDSHAKE_MS) };
	socklen_t len = sizeof(c.address);
	int fd = accept4(d->listen_fd, (struct sockaddr *)&c.address, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct door_place *p;
	struct err *e = NULL;
	const char *why;

	if (fd < 0)
		return false; /* it went away again */
	c.number = ++d->last;
	name_peer(&c.address, len, c.from);
	why = not_welcome(d, &c.address);
	if (why) {
		close(fd);
		say_ended(d, &c, "push-rate", why);
		return false;
	}
	if (push_conn_begin(d->tls, fd, d->wake_fd, &c.conn, &e) < 0) {
		say_ended(d, &c, err_id(e), err_message(e));
		err_free(e);
		return false;
	}
	p = make_room(d);
	*p = (struct door_place){ .state = PLACE_SHAKING, .who = c };
	return tend(d, p, ret);
}

/* --- waiting --- */

static void shift_deadlines(struct door *d)
{
	const uint64_t away = d->left_ns ? clock_ns() - d->left_ns : 0;

	for (size_t i = 0; i < PUSH_PENDING; i++)
		if (d->places[i].state == PLACE_SHAKING)
			d->places[i].who.deadline.at_ns += away;
}

static bool look(struct door *d, struct door_client *ret, bool *ret_woken)
{
	struct pollfd p[2 + PUSH_PENDING] = { { .fd = d->wake_fd, .events = POLLIN }, { .fd = d->listen_fd, .events = POLLIN } };
	struct deadline first = { .at_ns = UINT64_MAX };
	int n;

	for (size_t i = 0; i < PUSH_PENDING; i++) {
		const struct door_place *at = &d->places[i];

		p[2 + i].fd = at->state == PLACE_SHAKING ? push_conn_fd(at->who.conn) : at->state == PLACE_LEAVING ? at->fd : -1;
		p[2 + i].events = at->events;
		if (at->state != PLACE_FREE)
			first = deadline_earlier(first, at->who.deadline);
	}
	n = poll(p, ARRAY_SIZE(p), deadline_poll_ms(first));
	*ret_woken = n > 0 && p[0].revents;
	if (*ret_woken)
		return false;
	for (size_t i = 0; i < PUSH_PENDING; i++)
		if (d->places[i].state != PLACE_FREE && ((n > 0 && p[2 + i].revents) || deadline_passed(d->places[i].who.deadline)) &&
		    tend(d, &d->places[i], ret))
			return true;
	return n > 0 && p[1].revents && admit(d, ret);
}

bool door_wait(struct door *d, struct door_client *ret)
{
	bool came, woken;

	shift_deadlines(d);
	do
		came = look(d, ret, &woken);
	while (!came && !woken);
	d->left_ns = clock_ns();
	return came;
}
