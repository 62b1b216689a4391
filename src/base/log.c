/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

/* The kernel takes about 1,000 bytes per record (PRINTKRB_RECORD_MAX less its own prefix). */
#define LINE_BYTES 960

static const char *program_name = "cryptattest";
static enum log_level threshold = LOGL_INFO;
static int kmsg_fd = -1;

void log_init(const char *program, enum log_level level, bool kmsg)
{
	program_name = program;
	threshold = level;
	if (kmsg && kmsg_fd < 0) {
		kmsg_fd = open("/dev/kmsg", O_WRONLY | O_NOCTTY | O_CLOEXEC);
		if (kmsg_fd < 0)
			log_warning("log: cannot open /dev/kmsg: %s", strerror(errno));
	} else if (!kmsg && kmsg_fd >= 0) {
		close(kmsg_fd);
		kmsg_fd = -1;
	}
}

static void put(int fd, const char *line, size_t len)
{
	/* One write per line, so that lines of several processes do not mix. A log that cannot be written has nobody
	 * to complain to. */
	ssize_t n = write(fd, line, len);

	(void)n;
}

/*
 * The kernel takes ten records in five seconds of one open file of /dev/kmsg and drops the rest (devkmsg_write()). An error is what the
 * administrator must read, so each goes through a file of its own: what was said before it cannot crowd it out. Errors are few: one for each
 * volume, and one for what happens next.
 */
static void put_kmsg(enum log_level level, const char *line, size_t len)
{
	const int fd = level == LOGL_ERROR ? open("/dev/kmsg", O_WRONLY | O_NOCTTY | O_CLOEXEC) : -1;

	put(fd >= 0 ? fd : kmsg_fd, line, len);
	if (fd >= 0)
		close(fd);
}

enum log_level log_level(void)
{
	return threshold;
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	static const char *const marks[] = { "error: ", "warning: ", "", "debug: " };
	static const int priorities[] = { 3, 4, 6, 7 }; /* syslog(3) */
	char raw[LINE_BYTES + 64], text[LINE_BYTES], line[LINE_BYTES + 80];
	int saved = errno, n;
	va_list ap;

	if (level > threshold)
		return;
	va_start(ap, fmt);
	n = vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	else if ((size_t)n >= sizeof(raw))
		n = (int)sizeof(raw) - 1;
	text_sanitise(raw, (size_t)n, text, sizeof(text));
	n = snprintf(line, sizeof(line), "%.40s: %s%s\n", program_name, marks[level], text);
	if (n > 0)
		put(STDERR_FILENO, line, (size_t)n);
	/* Debug stays out of the way of what counts (put_kmsg()). */
	if (kmsg_fd >= 0 && level <= LOGL_INFO) {
		n = snprintf(line, sizeof(line), "<%d>%.40s: %s\n", priorities[level], program_name, text);
		if (n > 0)
			put_kmsg(level, line, (size_t)n);
	}
	errno = saved;
}
