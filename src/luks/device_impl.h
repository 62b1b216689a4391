/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Between device.c (specs, opening) and device_scan.c (sysfs). */
#ifndef CRYPTATTEST_LUKS_DEVICE_IMPL_H
#define CRYPTATTEST_LUKS_DEVICE_IMPL_H

#include "luks/device.h"

enum device_key { DEVICE_PATH, DEVICE_UUID, DEVICE_LABEL, DEVICE_PARTUUID, DEVICE_PARTLABEL, DEVICE_VG };

struct device_spec {
	enum device_key key;
	const char *value;
	bool filesystem; /* UUID and label are those of a file system, not of a LUKS header */
};

/* What openat() takes for an absolute path below root_fd; unchanged when root_fd is AT_FDCWD. */
const char *device_below(int root_fd, const char *path);
/* A node below root_fd (absolute path) or below the working directory. ERR_DEVICE "device-absent", "device-unreadable". */
int device_open(int root_fd, const char *path, bool allow_file, struct luks_device *ret, struct err **err);

/* Names ("/dev/vda2") of everything that matches; NULL-terminated, strv_free(). *ret_seen counts the block devices looked at. */
int device_scan(int root_fd, const struct device_spec *spec, bool allow_file, char ***ret, unsigned int *ret_seen,
		struct err **err);

#endif
