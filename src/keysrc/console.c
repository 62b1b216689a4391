/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "keysrc/console.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fileio.h"

#define ANCESTORS_MAX 64
#define PTY_MAJOR 136 /* and seven more: pseudo terminals, those of ssh */

bool console_is_pty(unsigned int dev)
{
	const unsigned int major = dev >> 8 & 0xfff;

	return major >= PTY_MAJOR && major < PTY_MAJOR + 8;
}

/* proc(5), PID/stat: "pid (name) state ppid pgrp session tty_nr ...". The name may hold anything, parentheses too. */
static bool read_stat(int proc_fd, int pid, int *ret_parent, unsigned int *ret_tty)
{
	_cleanup_free_ char *text = NULL;
	const char *behind;
	char path[32];
	size_t len;
	int tty;

	snprintf(path, sizeof(path), "%d/stat", pid);
	if (file_read(proc_fd, path, 4096, ERR_CONFIG, &text, &len, NULL) < 0)
		return false;
	behind = strrchr(text, ')');
	if (!behind || sscanf(behind, ") %*c %d %*d %*d %d", ret_parent, &tty) != 2)
		return false;
	*ret_tty = (unsigned int)tty;
	return true;
}

bool console_above(int proc_fd, int pid)
{
	for (int i = 0; i < ANCESTORS_MAX && pid > 0; i++) {
		unsigned int tty;

		if (!read_stat(proc_fd, pid, &pid, &tty))
			return false;
		if (tty && !console_is_pty(tty))
			return true;
	}
	return false;
}
