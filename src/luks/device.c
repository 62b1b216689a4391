/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "luks/device_impl.h"

/* "UUID=..." and so on; quotes around the value are not taken. ERR_CONFIG "device-spec". */
static int spec_parse(const char *text, bool filesystem, struct device_spec *ret, struct err **err)
{
	static const struct {
		const char *prefix;
		enum device_key key;
	} kinds[] = { { "UUID=", DEVICE_UUID },
		      { "LABEL=", DEVICE_LABEL },
		      { "PARTUUID=", DEVICE_PARTUUID },
		      { "PARTLABEL=", DEVICE_PARTLABEL } };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!text_starts(text, kinds[i].prefix))
			continue;
		*ret = (struct device_spec){ kinds[i].key, text + strlen(kinds[i].prefix), filesystem };
		if (!*ret->value)
			return err_set(err, ERR_CONFIG, "device-spec", "%s is empty", text);
		if (ret->key == DEVICE_UUID && !filesystem && !text_is_uuid(ret->value))
			return err_set(err, ERR_CONFIG, "device-spec", "%s is not a UUID", ret->value);
		/* The kernel keeps seven bits of each character of a partition's name. */
		for (const char *p = ret->value; ret->key == DEVICE_PARTLABEL && *p; p++)
			if (*p < 0x20 || *p > 0x7e)
				return err_set(err, ERR_CONFIG, "device-spec", "PARTLABEL= takes printable ASCII only");
		return 0;
	}
	if (!*text)
		return err_set(err, ERR_CONFIG, "device-spec", "no device is named");
	*ret = (struct device_spec){ DEVICE_PATH, text, filesystem };
	return 0;
}

static int get_size(int fd, const struct stat *st, uint64_t *ret)
{
	if (S_ISREG(st->st_mode)) {
		*ret = (uint64_t)st->st_size;
		return 0;
	}
	return ioctl(fd, BLKGETSIZE64, ret);
}

/* Where the node really is: links of udev can be moved to another disk later. */
static int canonical_path(int fd, char *out, size_t cap)
{
	char link[40];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, out, cap - 1);
	if (n <= 0 || (size_t)n >= cap - 1)
		return -1;
	out[n] = 0;
	return 0;
}

const char *device_below(int root_fd, const char *path)
{
	if (root_fd == AT_FDCWD || *path != '/')
		return path;
	path += strspn(path, "/");
	return *path ? path : ".";
}

static int not_a_disk(const char *path, bool allow_file, struct err **err)
{
	err_set(err, ERR_DEVICE, "device-unreadable", "%s is not a block device%s", path, allow_file ? " or file" : "");
	return err_hint(err, allow_file ? "name the partition or an image of it" : "name the partition that holds the LUKS2 header");
}

int device_open(int root_fd, const char *path, bool allow_file, struct luks_device *ret, struct err **err)
{
	_cleanup_close_ int fd = -1;
	struct luks_device d = LUKS_DEVICE_INIT;
	struct stat st;

	fd = openat(*path == '/' ? root_fd : AT_FDCWD, device_below(root_fd, path), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		int e = errno;
		bool absent = e == ENOENT || e == ENXIO || e == ENODEV;

		err_set_errno(err, ERR_DEVICE, absent ? "device-absent" : "device-unreadable", e, "cannot open %s", path);
		return absent ? err_hint(err, "is that its name, the disk attached, and its driver in the initramfs?") : -1;
	}
	if (fstat(fd, &st) < 0)
		return err_set_errno(err, ERR_DEVICE, "device-unreadable", errno, "cannot examine %s", path);
	if (!S_ISBLK(st.st_mode) && !(allow_file && S_ISREG(st.st_mode)))
		return not_a_disk(path, allow_file, err);
	if (get_size(fd, &st, &d.size) < 0 || canonical_path(fd, d.path, sizeof(d.path)) < 0)
		return err_set_errno(err, ERR_DEVICE, "device-unreadable", errno, "cannot examine %s", path);
	d.block = S_ISBLK(st.st_mode);
	d.rdev = d.block ? st.st_rdev : 0;
	d.file_dev = st.st_dev;
	d.file_ino = st.st_ino;
	d.fd = TAKE_FD(fd);
	*ret = d;
	return 0;
}

static int not_one(char *const *hits, unsigned int seen, const char *spec, struct err **err)
{
	_cleanup_buf_ struct buf list = BUF_INIT(1024);

	if (!hits || !hits[0]) {
		err_set(err, ERR_DEVICE, "device-absent", "no block device has %s (%u looked at)", spec, seen);
		return err_hint(err, "is the disk attached and its driver in the initramfs?");
	}
	for (size_t i = 0; hits[i] && i < 16; i++)
		buf_printf(&list, "%s%s", i ? ", " : "", hits[i]);
	err_set(err, ERR_DEVICE, "device-ambiguous", "%zu devices have %s: %s", strv_len(hits), spec,
		buf_cstr(&list) ? buf_cstr(&list) : "");
	return err_hint(err, "name one by path or PARTUUID=; a second disk with the same name is how a host swaps volumes");
}

static int find(int root_fd, const char *spec_text, bool filesystem, bool allow_file, struct luks_device *ret, struct err **err)
{
	struct device_spec spec;
	unsigned int seen = 0;
	char **hits = NULL;
	int r = -1;

	if (spec_parse(spec_text, filesystem, &spec, err) < 0)
		return -1;
	if (spec.key == DEVICE_PATH)
		return device_open(root_fd, spec.value, allow_file, ret, err);
	if (device_scan(root_fd, &spec, allow_file, &hits, &seen, err) < 0)
		return -1;
	if (strv_len(hits) == 1)
		r = device_open(root_fd, hits[0], allow_file, ret, err);
	else
		not_one(hits, seen, spec_text, err);
	strv_free(hits);
	return r;
}

int device_find(int root_fd, const char *spec, bool allow_file, struct luks_device *ret, struct err **err)
{
	return find(root_fd, spec, false, allow_file, ret, err);
}

int device_find_fs(int root_fd, const char *spec, struct luks_device *ret, struct err **err)
{
	return find(root_fd, spec, true, false, ret, err);
}

int device_find_vg(int root_fd, const char *vg, char ***ret, struct err **err)
{
	struct device_spec spec = { .key = DEVICE_VG, .value = vg };
	unsigned int seen;

	return device_scan(root_fd, &spec, false, ret, &seen, err);
}

int device_recheck(const struct luks_device *dev, struct err **err)
{
	struct stat st;

	if (stat(dev->path, &st) < 0)
		return err_set_errno(err, ERR_DEVICE, "device-changed", errno, "%s has gone", dev->path);
	if (dev->block ? !S_ISBLK(st.st_mode) || st.st_rdev != dev->rdev :
			 st.st_dev != dev->file_dev || st.st_ino != dev->file_ino)
		return err_set(err, ERR_DEVICE, "device-changed", "%s is another device than the one that was audited", dev->path);
	return 0;
}

void device_close(struct luks_device *dev)
{
	if (dev->fd >= 0)
		close(dev->fd);
	dev->fd = -1;
}
