/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* eventlog FILE LOADER INITRD: the event log of a boot that measured LOADER into PCR 4 and /boot/initrd.img, which holds INITRD, into PCR 9. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fileio.h"
#include "tests/lib/elog.h"

int main(int argc, char **argv)
{
	struct buf b = BUF_INIT(ELOG_MAX);
	struct err *err = NULL;
	int rc;

	if (argc != 4) {
		fprintf(stderr, "usage: eventlog FILE LOADER INITRD\n");
		return 2;
	}
	elog_begin(&b);
	elog_event2(&b, 4, (uint32_t)EV_EFI_ACTION, argv[2], strlen(argv[2]), "loader", 6);
	elog_grub_file(&b, "(hd0,gpt1)/boot/initrd.img", argv[3], strlen(argv[3]));
	rc = file_write_atomic(AT_FDCWD, argv[1], b.data, b.len, 0644, &err);
	if (rc < 0)
		fprintf(stderr, "%s\n", err_message(err));
	err_free(err);
	buf_free(&b);
	return rc == 0 ? 0 : 1;
}
