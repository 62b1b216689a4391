/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Waiting without time: a program linked with this file and LEAP_CLOCK_WRAPS never sleeps in poll(2); the clock leaps instead, so that
 * what it reads afterwards is what it would have read. For tests in which nobody else is waited for: no thread, process or peer.
 */
#include <poll.h>
#include <time.h>

static long long leapt_ms;

int __real_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret);
int __real_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);

int __wrap_clock_gettime(clockid_t id, struct timespec *ret)
{
	int r = __real_clock_gettime(id, ret);

	ret->tv_sec += leapt_ms / 1000;
	ret->tv_nsec += leapt_ms % 1000 * 1000000;
	if (ret->tv_nsec >= 1000000000) {
		ret->tv_nsec -= 1000000000;
		ret->tv_sec++;
	}
	return r;
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	int ready = __real_poll(fds, n, timeout < 0 ? timeout : 0);

	if (ready == 0 && timeout > 0)
		leapt_ms += timeout;
	return ready;
}
