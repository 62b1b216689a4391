/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Finding the block device (procedure step 1, C19): our own scan of /sys/class/block; UUID=, PARTUUID=, PARTLABEL=, LABEL= or
 * a path. More than one hit is an error. Paths are relative to root_fd.
 */
#ifndef CRYPTATTEST_LUKS_DEVICE_H
#define CRYPTATTEST_LUKS_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/err.h"

struct luks_device {
	char path[256]; /* "/dev/vda2" or a file */
	int fd;		/* O_RDONLY|O_CLOEXEC; -1 when closed */
	bool block;
	dev_t rdev;
	uint64_t size; /* bytes */
};

/* One try. ERR_DEVICE ids "device-absent", "device-ambiguous", "device-unreadable". allow_file: regular files too. */
int device_find(int root_fd, const char *spec, bool allow_file, struct luks_device *ret, struct err **err);
/* Same, waiting for it to appear (uevents and a slow poll). */
int device_wait(int root_fd, const char *spec, struct deadline d, struct luks_device *ret, struct err **err);
/* The same node is still the same device (step 1). ERR_DEVICE "device-changed". */
int device_recheck(const struct luks_device *dev, struct err **err);
void device_close(struct luks_device *dev);

#endif
