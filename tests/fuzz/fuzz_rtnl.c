/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* rtnetlink messages: facts of the network, and options of router advertisements, whose bytes are a stranger's. */
#include <stdlib.h>

#include "net/rdnss.h"
#include "net/rtnl.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct rdnss list[RDNSS_MAX];
	struct net_facts f = { 0 };
	int why;

	rtnl_digest(data, len, 7, &f, &why);
	if (rdnss_digest(data, len, list, 0) > RDNSS_MAX)
		abort();
	return 0;
}
