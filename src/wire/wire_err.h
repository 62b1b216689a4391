/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* One stable id per format, whatever layer found the fault. */
#ifndef CRYPTATTEST_WIRE_ERR_H
#define CRYPTATTEST_WIRE_ERR_H

#include "base/err.h"

/* Takes cause over. Something wrong with what was read (ERR_INTEGRITY) becomes an error with this id, "text: cause"; any
 * other cause (no memory, a bug) keeps its class and id. Returns -1. */
int wire_err(struct err **err, const char *id, struct err *cause, const char *text);

#endif
