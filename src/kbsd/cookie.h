/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The session cookie (kbs-protocol.md 2.1), both directions. Pure. */
#ifndef CRYPTATTEST_KBSD_COOKIE_H
#define CRYPTATTEST_KBSD_COOKIE_H

#include "kbsd/sessions.h"

#define COOKIE_TEXT 128

/* Value of Set-Cookie: id and end of the session. */
void cookie_put(const struct session *s, char out[static COOKIE_TEXT]);
/* The session id in a Cookie header: the one cookie of that name. NULL when there is none, or two that differ. */
const char *cookie_session_id(const char *header, size_t *ret_len);

#endif
