/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What the transport child gives up before its first packet (contracts.md 3). http/ and push/ only. */
#ifndef CRYPTATTEST_HTTP_CONFINE_H
#define CRYPTATTEST_HTTP_CONFINE_H

#include <stdbool.h>
#include <sys/types.h>

#define CONFINE_FD 3	 /* the pair's end after confine() */
#define CONFINE_UID 65534 /* when started as root */

/* Own session, descriptors 0-2 on /dev/null and the pair alone, no environment, no core, no files, no privileges old or new,
 * not dumpable, killed with its parent. False: something was refused and the caller must end. */
bool confine(int fd, pid_t parent);

#endif
