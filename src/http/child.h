/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The child's side of transport.h: gives up everything it has, then serves one order after the other. http/ and push/ only. */
#ifndef CRYPTATTEST_HTTP_CHILD_H
#define CRYPTATTEST_HTTP_CHILD_H

#include <sys/types.h>

#include "http/transport.h"

/* Exit statuses; an exit of 0 means that the parent closed the pair. */
enum child_exit {
	CHILD_DONE,
	CHILD_CONFINE = 70, /* could not give up its rights: it never spoke */
	CHILD_ORDER,	    /* the parent sent what it never sends */
	CHILD_NOMEM,
};

_Noreturn void child_main(int fd, pid_t parent, transport_reducer reducer);

#endif
