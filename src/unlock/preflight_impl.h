/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Between preflight.c (files, disks) and preflight_line.c (the command line). */
#ifndef CRYPTATTEST_UNLOCK_PREFLIGHT_IMPL_H
#define CRYPTATTEST_UNLOCK_PREFLIGHT_IMPL_H

#include "unlock/preflight.h"

/* "name=VALUE" or "name" (value ""); the last one wins. */
bool preflight_word(const char *text, const char *name, char *out, size_t cap);
void preflight_add(struct preflight_findings *f, const char *id, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
