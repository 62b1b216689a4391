/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * uki DIRECTORY TEXT: a small unified kernel image of our own making, DIRECTORY/uki.efi, whose kernel holds TEXT; and beside it the content
 * of its sections (linux, osrel, cmdline, initrd), for what measures them one by one.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fileio.h"
#include "tests/lib/elog.h"

static int put(int dir, const char *name, const void *data, size_t len)
{
	struct err *err = NULL;
	int rc = file_write_atomic(dir, name, data, len, 0644, &err);

	if (rc < 0)
		fprintf(stderr, "%s\n", err_message(err));
	err_free(err);
	return rc;
}

int main(int argc, char **argv)
{
	struct buf kernel = BUF_INIT(ELOG_MAX), uki = BUF_INIT(ELOG_MAX);
	int rc = 0, dir;

	if (argc != 3 || (dir = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		fprintf(stderr, "usage: uki DIRECTORY TEXT\n");
		return 2;
	}
	const struct elog_section inner[] = { { ".text", argv[2], strlen(argv[2]) }, { NULL, NULL, 0 } };

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
	for (size_t i = 1; sections[i].name && rc == 0; i++)
		rc = put(dir, sections[i].name + 1, sections[i].bytes, sections[i].len);
	if (rc == 0)
		rc = put(dir, "uki.efi", uki.data, uki.len);
	buf_free(&kernel);
	buf_free(&uki);
	return rc == 0 ? 0 : 1;
}
