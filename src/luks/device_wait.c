/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Waiting for a device: kernel uevents wake us, a look every second does not depend on them. */
#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "luks/device.h"

#define LOOK_MS 1000
#define SETTLE_MS 20 /* uevents come in bursts */

static int uevent_socket(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = 1 /* from the kernel */ };
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		log_debug("no uevents (%s), looking every second", strerror(errno));
		return -1;
	}
	return TAKE_FD(fd);
}

static void drain(int fd)
{
	char event[2048];

	/* Only the fact matters. A lost one (ENOBUFS) is a fact too; then the socket goes on. */
	for (int i = 0; i < 4096; i++)
		if (recv(fd, event, sizeof(event), MSG_DONTWAIT | MSG_TRUNC) < 0 && errno != ENOBUFS)
			break;
}

/* Until something happened or the next look is due; false when cancelled. */
static bool wait_event(int fd, struct deadline d)
{
	struct deadline until = deadline_earlier(deadline_in_ms(LOOK_MS), d);
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = clock_cancel_fd(), .events = POLLIN } };

	if (poll(p, 2, deadline_poll_ms(until)) > 0 && (p[0].revents & POLLIN)) {
		drain(fd);
		clock_sleep_ms(SETTLE_MS, d);
		drain(fd);
	}
	return !clock_cancelled();
}

int device_wait(int root_fd, const char *spec, bool allow_file, struct deadline d, struct luks_device *ret, struct err **err)
{
	/* Before the first look, so that nothing can come in between unseen. */
	_cleanup_close_ int fd = uevent_socket();
	uint64_t start = clock_ns();

	for (;;) {
		_cleanup_err_ struct err *e = NULL;

		if (device_find(root_fd, spec, allow_file, ret, &e) == 0)
			return 0;
		if (strcmp(err_id(e), "device-absent") != 0)
			return err_propagate(err, TAKE_PTR(e));
		if (deadline_passed(d)) {
			err_propagate(err, TAKE_PTR(e));
			return err_wrap(err, "waited %.0f s", (double)(clock_ns() - start) / 1e9);
		}
		if (!wait_event(fd, d))
			return err_set(err, ERR_TIMEOUT, "cancelled", "cancelled while waiting for %s", spec);
	}
}
