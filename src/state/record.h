/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Inside state/ only (and its test): the pure half of state_load(). */
#ifndef CRYPTATTEST_STATE_RECORD_H
#define CRYPTATTEST_STATE_RECORD_H

#include "state/state.h"

#define STATE_FILE_MAX (1024 * 1024)

/* ERR_INTEGRITY: not a record of version 1. */
int state_parse(const char *text, size_t len, struct state **ret, struct err **err);

#endif
