/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Between edit.c (the change, in the copy), edit_check.c (nothing else changed) and edit_write.c (to the disk). */
#ifndef CRYPTATTEST_LUKS_EDIT_IMPL_H
#define CRYPTATTEST_LUKS_EDIT_IMPL_H

#include "luks/edit.h"

/* What goes to the disk, one call per step; a test counts, tears and reorders them. Negative: errno. */
struct edit_io {
	int (*write)(void *ctx, int fd, const void *data, size_t n, uint64_t off);
	int (*sync)(void *ctx, int fd);
	void *ctx;
};

struct luks_edit {
	struct luks_edit_params p;
	bool wipe;
	int keyslot;
	struct luks_header h;	   /* the new one */
	uint64_t area_off, area_size; /* of the keyslot */
	int fd;			   /* of the device, writable and locked; -1 */
	int lock;		   /* of a block device: cryptsetup's lock file; -1 */
	bool touched;
};

/* Offset and size of a keyslot's area in an audited header. */
bool edit_area(const struct luks_header *h, const char *slot, uint64_t *ret_off, uint64_t *ret_size);
/* ERR_INTEGRITY "edit": the new header differs from the old one in more than this keyslot. */
int edit_check(const struct luks_edit *e, struct err **err);
int edit_write_io(struct luks_edit *e, const struct edit_io *io, struct err **err);
/* cryptsetup's lock for a block device, in the directory that it uses. ERR_BUSY "header-lock". */
#define EDIT_LOCK_DIR "/run/cryptsetup"
int edit_lock_block(const char *dir, dev_t rdev, int *ret, struct err **err);

#endif
