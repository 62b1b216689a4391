/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What handshake.c and attest.c share; nobody else includes this. */
#ifndef CRYPTATTEST_KBSD_ATTEST_H
#define CRYPTATTEST_KBSD_ATTEST_H

#include "kbsd/handshake.h"

struct session *caller_session(struct handshake *h, const struct caller *c); /* by cookie; NULL */

#endif
