/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The run-time measurement registers of a TDX guest, as a file system without a guest (tests/emul/tsm_fake/rtmr.c is the same inside
 * one): rtmr_fuse -f DIRECTORY, then DIRECTORY/rtmr2:sha384 and rtmr3:sha384. A read gives the register, a write of 48 bytes extends it.
 * Ends by SIGTERM or fusermount3 -u.
 */
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fuse.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/digest.h"

#define RTMR_LEN 48

static uint8_t rtmr[2][RTMR_LEN];

static uint8_t *find(const char *path)
{
	return strcmp(path, "/rtmr2:sha384") == 0 ? rtmr[0] : strcmp(path, "/rtmr3:sha384") == 0 ? rtmr[1] : NULL;
}

static int on_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	(void)fi;
	memset(st, 0, sizeof(*st));
	st->st_uid = getuid();
	st->st_nlink = 1;
	if (strcmp(path, "/") == 0) {
		st->st_mode = S_IFDIR | 0755;
		return 0;
	}
	st->st_mode = S_IFREG | 0644;
	st->st_size = RTMR_LEN;
	return find(path) ? 0 : -ENOENT;
}

/* No page cache: what is read is the register, as in sysfs. */
static int on_open(const char *path, struct fuse_file_info *fi)
{
	fi->direct_io = 1;
	return find(path) ? 0 : -ENOENT;
}

static int on_read(const char *path, char *out, size_t len, off_t off, struct fuse_file_info *fi)
{
	(void)fi;
	if (off < 0 || off >= RTMR_LEN)
		return 0;
	if (len > (size_t)(RTMR_LEN - off))
		len = (size_t)(RTMR_LEN - off);
	memcpy(out, find(path) + off, len);
	return (int)len;
}

static int on_write(const char *path, const char *data, size_t len, off_t off, struct fuse_file_info *fi)
{
	const struct digest_piece pieces[] = { { find(path), RTMR_LEN }, { data, RTMR_LEN } };
	uint8_t now[DIGEST_MAX];

	(void)fi;
	if (off || len != RTMR_LEN)
		return -EINVAL;
	if (digest_pieces(DIGEST_SHA384, pieces, 2, now, NULL) < 0)
		return -EIO;
	memcpy(find(path), now, RTMR_LEN);
	return RTMR_LEN;
}

int main(int argc, char **argv)
{
	static const struct fuse_operations ops = { .getattr = on_getattr, .open = on_open, .read = on_read, .write = on_write };

	return fuse_main(argc, argv, &ops, NULL);
}
