/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Finding the block device (procedure step 1, C19): our own scan of /sys/class/block; UUID=, PARTUUID=, PARTLABEL=, LABEL= or
 * a path. More than one hit is an error that names them: we never choose by content. Absolute paths are below root_fd
 * (AT_FDCWD: the real root), relative ones below the working directory.
 *
 * UUID= and LABEL= are those of the LUKS header (first copy, read here; a LUKS1 device is found too, so that the audit can say
 * so). PARTUUID= and PARTLABEL= come from the kernel's uevent text; kernels before 6.9 have no PARTUUID there, so the partition
 * table of the disk is read. Our own private mappings are never candidates.
 */
#ifndef CRYPTATTEST_LUKS_DEVICE_H
#define CRYPTATTEST_LUKS_DEVICE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/err.h"

struct luks_device {
	char path[PATH_MAX]; /* canonical: "/dev/vda2" or a file */
	int fd;		     /* O_RDONLY|O_CLOEXEC; -1 when closed */
	bool block;
	dev_t rdev;	     /* 0 for a file */
	dev_t file_dev;	     /* st_dev and st_ino of the node, for device_recheck() of files */
	ino_t file_ino;
	uint64_t size;	     /* bytes */
};

#define LUKS_DEVICE_INIT { .fd = -1 }

/* One try. ERR_DEVICE ids "device-absent", "device-ambiguous", "device-unreadable"; ERR_CONFIG "device-spec". allow_file:
 * regular files too (verbs given a file by hand, test platform). */
int device_find(int root_fd, const char *spec, bool allow_file, struct luks_device *ret, struct err **err);
/* A file system that is not encrypted: UUID= and LABEL= are those of vfat or ext2/3/4 (fs_tag.h). */
int device_find_fs(int root_fd, const char *spec, struct luks_device *ret, struct err **err);
/* Same as device_find(), waiting for it to appear (uevents and a poll every second). ERR_DEVICE "device-absent" when the deadline passes,
 * ERR_TIMEOUT "cancelled" after clock_cancel(). */
int device_wait(int root_fd, const char *spec, bool allow_file, struct deadline d, struct luks_device *ret, struct err **err);
/* Disks and partitions that claim to belong to the LVM volume group of this name, by our own look at them; NULL-terminated,
 * strv_free(). Mappings are not looked at: their lower devices are. ERR_DEVICE, ERR_NOMEM. */
int device_find_vg(int root_fd, const char *vg, char ***ret, struct err **err);
/* The same node is still the same device (step 1). ERR_DEVICE "device-changed". */
int device_recheck(const struct luks_device *dev, struct err **err);
void device_close(struct luks_device *dev);

#endif
