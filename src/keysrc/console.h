/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Whose eyes are on a terminal? That of a confidential VM's console is the host. A pseudo terminal is as good as what is at its other end:
 * sudo and script make one on a console too, so the processes above ours are looked at as well. What detaches itself (tmux) is
 * not found that way. keysrc/ only.
 */
#ifndef CRYPTATTEST_KEYSRC_CONSOLE_H
#define CRYPTATTEST_KEYSRC_CONSOLE_H

#include <stdbool.h>

/* dev: a terminal's device number in the kernel's encoding. */
bool console_is_pty(unsigned int dev);
/* Has this process, or one that it descends from, a terminal that is no pseudo terminal? proc_fd: /proc. False where that cannot be read. */
bool console_above(int proc_fd, int pid);

#endif
