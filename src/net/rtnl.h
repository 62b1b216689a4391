/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Inside net/ only (and its test): what one buffer of rtnetlink messages adds to the facts. Pure. */
#ifndef CRYPTATTEST_NET_RTNL_H
#define CRYPTATTEST_NET_RTNL_H

#include <stddef.h>
#include <stdint.h>

#include "net/net.h"

enum rtnl_result {
	RTNL_MORE,  /* go on reading */
	RTNL_DONE,  /* end of the dump */
	RTNL_ERROR, /* the kernel refused; *ret_errno */
};

/* buf holds whole messages as recv() gave them; bad lengths end the walk. Only answers to seq are looked at. */
enum rtnl_result rtnl_digest(const void *buf, size_t len, uint32_t seq, struct net_facts *facts, int *ret_errno);

#endif
