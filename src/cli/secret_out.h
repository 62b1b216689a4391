/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Where a secret document goes: a new file of its owner's, or standard output when that is no terminal. */
#ifndef CRYPTATTEST_CLI_SECRET_OUT_H
#define CRYPTATTEST_CLI_SECRET_OUT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/secret.h"

struct secret_out {
	const char *path; /* NULL: standard output */
	int fd;
	off_t start;
	bool file; /* can be synced and taken back */
};

/* Would secret_out_open() be possible? For a word of complaint before a passphrase is asked for. */
int secret_out_check(const char *path, struct err **err);
/* ERR_CONFIG "usage" for a terminal, "output-exists", "output" when it cannot be made. */
int secret_out_open(const char *path, struct secret_out *ret, struct err **err);
/* On the disk when this returns, as far as the other end is a disk. */
int secret_out_write(struct secret_out *o, const struct secret *text, struct err **err);
/* As if it had not been written: the file is gone, or as long as it was. What went into a pipe is with its reader. */
void secret_out_undo(struct secret_out *o);
void secret_out_close(struct secret_out *o);

#endif
