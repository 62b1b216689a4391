/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * crypttab(5) lines of volumes that we manage (C2): the stock scripts read that file too, and would prompt on the host's console or
 * open what we refused. So such a line must carry a keyscript that always refuses.
 */
#ifndef CRYPTATTEST_CLI_CRYPTTAB_H
#define CRYPTATTEST_CLI_CRYPTTAB_H

#include "base/buf.h"
#include "config/config.h"

#define REFUSE_KEYSCRIPT VENDORCONFDIR "/refuse"
#define KEY_KEYSCRIPT VENDORCONFDIR "/key" /* opener = crypttab */
#define KEY_SOCKET "/run/cryptattest/key.sock"

/* Appends one line per problem: "FILE:LINE: what; to do: ...". Pure. ERR_CONFIG when there is any. */
int crypttab_check(const char *file, const char *text, size_t len, const struct config *config, struct buf *problems,
		   struct err **err);

#endif
