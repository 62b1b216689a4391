/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Writes a small unified kernel image of our own making to standard output, for tests of `predict`. */
#include <stdio.h>

#include "tests/lib/elog.h"

int main(void)
{
	struct buf kernel = BUF_INIT(ELOG_MAX), uki = BUF_INIT(ELOG_MAX);
	const struct elog_section inner[] = { { ".text", "kernel", 6 }, { NULL, NULL, 0 } };
	int rc;

	elog_pe(&kernel, inner, false);
	const struct elog_section sections[] = {
		{ ".sdmagic", "#### LoaderInfo: systemd-stub 255.4 ####", 40 },
		{ ".osrel", "ID=test\n", 8 },
		{ ".cmdline", "quiet\n", 6 },
		{ ".initrd", "initrd", 6 },
		{ ".linux", kernel.data, kernel.len },
		{ NULL, NULL, 0 },
	};

	elog_pe(&uki, sections, false);
	rc = fwrite(uki.data, 1, uki.len, stdout) == uki.len && fflush(stdout) == 0 ? 0 : 1;
	buf_free(&kernel);
	buf_free(&uki);
	return rc;
}
