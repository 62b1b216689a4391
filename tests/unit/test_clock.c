/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "base/clock.h"

static void deadlines(void **state)
{
	struct deadline never = deadline_in_ms(0), soon = deadline_in_ms(1), later = deadline_in_ms(100000);

	assert_false(deadline_passed(never));
	assert_true(deadline_left_ms(never) == UINT64_MAX);
	assert_int_equal(deadline_poll_ms(never), -1);
	assert_false(deadline_passed(later));
	assert_in_range(deadline_left_ms(later), 99000, 100000);
	assert_in_range(deadline_poll_ms(later), 99000, 100000);
	assert_true(deadline_earlier(never, later).at_ns == later.at_ns);
	assert_true(deadline_earlier(soon, later).at_ns == soon.at_ns);
	assert_int_equal(deadline_poll_ms(deadline_in_ms(UINT64_C(1) << 40)), INT_MAX);
	assert_true(deadline_in_ms(UINT64_MAX).at_ns == UINT64_MAX);
	assert_false(clock_sleep_ms(1000, soon));
	assert_true(deadline_passed(soon));
	assert_int_equal(deadline_left_ms(soon), 0);
	assert_int_equal(deadline_poll_ms(soon), 0);
}

static void sleeping(void **state)
{
	uint64_t from = clock_ns(), monotonic = clock_monotonic_ns();

	assert_true(clock_sleep_ms(30, deadline_in_ms(0)));
	assert_true(clock_ns() - from >= 30 * NSEC_PER_MSEC);
	assert_true(clock_monotonic_ns() - monotonic >= 29 * NSEC_PER_MSEC);
	from = clock_ns();
	assert_false(clock_sleep_ms(UINT64_MAX, deadline_in_ms(20)));
	assert_true(clock_ns() - from >= 20 * NSEC_PER_MSEC);
	assert_true(clock_ns() - from < 900 * NSEC_PER_MSEC);
	assert_true(clock_sleep_ms(0, deadline_in_ms(0)));
}

static void on_alarm(int sig)
{
	clock_cancel();
}

static void cancelling(void **state)
{
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct itimerval t = { .it_value = { .tv_usec = 30000 } };
	struct pollfd p = { .fd = clock_cancel_fd(), .events = POLLIN };
	uint64_t from = clock_ns();

	assert_true(p.fd >= 0);
	assert_int_equal(poll(&p, 1, 0), 0);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
	assert_false(clock_sleep_ms(10000, deadline_in_ms(0)));
	assert_true(clock_ns() - from < 5000 * NSEC_PER_MSEC);
	assert_true(clock_cancelled());
	assert_int_equal(poll(&p, 1, 0), 1);
	assert_false(clock_sleep_ms(10000, deadline_in_ms(0)));
	assert_int_equal(clock_cancel_fd(), p.fd);
	clock_cancel_reset();
	assert_false(clock_cancelled());
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_true(clock_sleep_ms(1, deadline_in_ms(0)));
}

static void backoff(void **state)
{
	struct backoff b = { .first_ms = 1000, .max_ms = 30000 };
	static const uint64_t base[] = { 1000, 2000, 4000, 8000, 16000, 30000, 30000 };
	bool varied = false;
	uint64_t first = 0;

	for (size_t i = 0; i < 7; i++)
		assert_in_range(backoff_next_ms(&b), base[i] * 3 / 4, base[i] * 5 / 4);
	for (int i = 0; i < 1000; i++) {
		uint64_t ms = backoff_next_ms(&b);

		assert_in_range(ms, 22500, 37500);
		varied |= first && ms != first;
		first = ms;
	}
	assert_true(varied);
	b = (struct backoff){ .step = UINT_MAX, .first_ms = UINT64_C(1) << 62, .max_ms = UINT64_C(1) << 63 };
	assert_true(backoff_next_ms(&b) >= UINT64_C(1) << 62);
	assert_true(b.step == UINT_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deadlines), cmocka_unit_test(sleeping),    cmocka_unit_test(cancelling),
		cmocka_unit_test(backoff),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
