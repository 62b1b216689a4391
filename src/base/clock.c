/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* poll(2) counts CLOCK_MONOTONIC, which stands still while the machine is suspended; our deadlines do not. Looking at
 * the clock this often bounds the difference. */
#define SLICE_MS 1000

static volatile int cancel_fd = -1;
static volatile int cancelled;

static uint64_t now(clockid_t id)
{
	struct timespec ts;

	/* Cannot fail for these ids on any kernel that has them (2.6.39). */
	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t clock_ns(void)
{
	return now(CLOCK_BOOTTIME);
}

uint64_t clock_monotonic_ns(void)
{
	return now(CLOCK_MONOTONIC);
}

struct deadline deadline_in_ms(uint64_t ms)
{
	uint64_t t = clock_ns();

	if (ms == 0 || ms > (UINT64_MAX - 1 - t) / NSEC_PER_MSEC)
		return (struct deadline){ .at_ns = UINT64_MAX };
	return (struct deadline){ .at_ns = t + ms * NSEC_PER_MSEC };
}

struct deadline deadline_earlier(struct deadline a, struct deadline b)
{
	return a.at_ns < b.at_ns ? a : b;
}

bool deadline_passed(struct deadline d)
{
	return d.at_ns != UINT64_MAX && clock_ns() >= d.at_ns;
}

uint64_t deadline_left_ms(struct deadline d)
{
	uint64_t t;

	if (d.at_ns == UINT64_MAX)
		return UINT64_MAX;
	t = clock_ns();
	/* Rounded up: a caller that sleeps this long must find the deadline passed. */
	return t >= d.at_ns ? 0 : (d.at_ns - t + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;
}

int deadline_poll_ms(struct deadline d)
{
	uint64_t left = deadline_left_ms(d);

	if (left == UINT64_MAX)
		return -1;
	return left > INT_MAX ? INT_MAX : (int)left;
}

uint64_t backoff_next_ms(struct backoff *b)
{
	uint64_t base = b->first_ms;
	uint32_t r = 0;

	for (unsigned int i = 0; i < b->step && base < b->max_ms; i++)
		base *= 2;
	if (base > b->max_ms)
		base = b->max_ms;
	if (b->step < UINT_MAX)
		b->step++;
	/* Jitter spreads a rack that lost its broker; it need not be secret, so an unready pool may not block us. */
	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != (ssize_t)sizeof(r))
		r = (uint32_t)clock_ns() * UINT32_C(2654435761);
	return base - base / 4 + base / 2 * (r >> 16) / 65535;
}

int clock_cancel_fd(void)
{
	int fd, none = -1;

	if (cancel_fd >= 0)
		return cancel_fd;
	fd = eventfd(cancelled ? 1 : 0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -1;
	if (!__atomic_compare_exchange_n(&cancel_fd, &none, fd, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		close(fd);
	else if (cancelled)
		clock_cancel(); /* the signal came between the two looks at the flag */
	return cancel_fd;
}

void clock_cancel(void)
{
	int saved = errno;
	uint64_t one = 1;

	cancelled = 1;
	if (cancel_fd >= 0) {
		ssize_t n = write(cancel_fd, &one, sizeof(one));

		(void)n; /* EAGAIN only: the counter is full, so readable */
	}
	errno = saved;
}

bool clock_cancelled(void)
{
	return cancelled != 0;
}

void clock_cancel_reset(void)
{
	uint64_t count;

	cancelled = 0;
	if (cancel_fd >= 0) {
		ssize_t n = read(cancel_fd, &count, sizeof(count));

		(void)n;
	}
}

bool clock_sleep_ms(uint64_t ms, struct deadline d)
{
	struct deadline wake = { .at_ns = clock_ns() }, end;
	struct pollfd p = { .fd = clock_cancel_fd(), .events = POLLIN };

	if (ms < (UINT64_MAX - 1 - wake.at_ns) / NSEC_PER_MSEC)
		wake.at_ns += ms * NSEC_PER_MSEC;
	else
		wake.at_ns = UINT64_MAX;
	end = deadline_earlier(wake, d);
	while (!cancelled && !deadline_passed(end)) {
		uint64_t left = deadline_left_ms(end);

		/* A failed eventfd leaves p.fd at -1, which poll ignores: the flag is then seen within one slice. */
		poll(&p, 1, left > SLICE_MS ? SLICE_MS : (int)left);
	}
	return !cancelled && !deadline_passed(d);
}
