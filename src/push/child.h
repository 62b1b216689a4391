/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The listener's side of push.h: gives up everything it has, waits for the order to listen, serves whoever has shown a key, one after the other. push/ only. */
#ifndef CRYPTATTEST_PUSH_CHILD_H
#define CRYPTATTEST_PUSH_CHILD_H

#include <sys/types.h>

#include "push/push.h"

/* Exit statuses as of http/child.h. */
_Noreturn void push_child_main(int fd, pid_t parent, const struct push_listen *l);

#endif
