/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Monotonic deadlines, back-off with jitter, and "now" that the host cannot turn back past our build. */
#ifndef CRYPTATTEST_BASE_CLOCK_H
#define CRYPTATTEST_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define NSEC_PER_MSEC UINT64_C(1000000)
#define NSEC_PER_SEC UINT64_C(1000000000)

struct deadline {
	uint64_t at_ns; /* CLOCK_BOOTTIME; UINT64_MAX = never */
};

uint64_t clock_ns(void);		  /* CLOCK_BOOTTIME */
uint64_t clock_monotonic_ns(void);	  /* CLOCK_MONOTONIC, for --status-fd */
struct deadline deadline_in_ms(uint64_t ms); /* 0 = never */
struct deadline deadline_earlier(struct deadline a, struct deadline b);
bool deadline_passed(struct deadline d);
uint64_t deadline_left_ms(struct deadline d); /* UINT64_MAX = never */
int deadline_poll_ms(struct deadline d);      /* for poll(2): -1 = never */

/* first, 2*first, 4*first .. max, each with +-25 % jitter. */
struct backoff {
	unsigned int step;
	uint64_t first_ms, max_ms;
};
uint64_t backoff_next_ms(struct backoff *b);

/*
 * Termination. The engine installs handlers for SIGTERM and SIGINT that only call clock_cancel(); from then on every
 * clock_sleep_ms() returns false at once, and clock_cancel_fd() is readable for good. Whoever waits in poll(2) or by
 * libevent adds that descriptor to its set and gives up with ERR_TIMEOUT ("cancelled") when it fires; loops without a
 * descriptor ask clock_cancelled(). Call clock_cancel_fd() once before the handlers are installed. A forked child shares
 * the descriptor with its parent: it must not install these handlers.
 */
void clock_cancel(void);	/* async-signal-safe, keeps errno */
bool clock_cancelled(void);
int clock_cancel_fd(void);	/* eventfd, made at the first call; -1 when that failed. Never close or read it. */
void clock_cancel_reset(void);	/* for tests */
/* Sleeps, but not past the deadline; false when the deadline passed or a termination signal arrived. */
bool clock_sleep_ms(uint64_t ms, struct deadline d);

#endif
