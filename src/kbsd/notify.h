/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Tells a service manager (Type=notify) that we are up; nothing when $NOTIFY_SOCKET is not set. */
#ifndef CRYPTATTEST_KBSD_NOTIFY_H
#define CRYPTATTEST_KBSD_NOTIFY_H

void notify_ready(void);
void notify_stopping(void);

#endif
