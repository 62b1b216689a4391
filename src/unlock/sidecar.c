/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/sidecar.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/text.h"
#include "luks/device.h"
#include "luks/fs_tag.h"
#include "vtpm/blob.h"

#define LOOK_AGAIN_MS 200
#define MOUNT_ATTRS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW)

static int unreadable(struct err **err, const struct config_volume *v, int e, const char *what)
{
	return err_set_errno(err, ERR_TPM, e == ENOENT ? "sealed-absent" : "sealed-unreadable", e, "sealed = %s: %s", v->sealed, what);
}

/* A superblock of this device; -1 with errno. */
static int make_superblock(const char *type, int device_fd, bool writable)
{
	_cleanup_close_ int fs = fsopen(type, FSOPEN_CLOEXEC);
	char source[40];

	if (fs < 0)
		return -1;
	snprintf(source, sizeof(source), "/proc/self/fd/%d", device_fd);
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		return -1;
	if (!writable && fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0)
		return -1;
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTRS | (writable ? 0 : MOUNT_ATTR_RDONLY));
}

/* The root directory of the file system on an open device. Closing it unmounts. */
static int mount_device(const struct luks_device *dev, bool writable, struct err **err)
{
	uint8_t head[FS_TAG_BYTES];
	struct fs_tag tag;
	int fd;

	if (fd_pread_exact(dev->fd, head, sizeof(head), 0, err) < 0)
		return -1;
	if (!fs_tag_parse(head, sizeof(head), &tag))
		return err_set(err, ERR_TPM, "sealed-unreadable", "%s holds neither vfat nor ext4", dev->path);
	fd = make_superblock(tag.type, dev->fd, writable);
	/* Mounted writable elsewhere: the same superblock serves us, behind a mount that is read-only. */
	if (fd < 0 && errno == EBUSY && !writable) {
		fd = make_superblock(tag.type, dev->fd, true);
		if (fd >= 0 && mount_setattr(fd, "", AT_EMPTY_PATH, &(struct mount_attr){ .attr_set = MOUNT_ATTR_RDONLY }, sizeof(struct mount_attr)) < 0) {
			close(fd);
			fd = -1;
		}
	}
	if (fd >= 0)
		return fd;
	err_set_errno(err, ERR_TPM, "sealed-unreadable", errno, "cannot mount %s as %s", dev->path, tag.type);
	return err_hint(err, "is the %s module in the initramfs?", tag.type);
}

static int find_device(const struct unlock_env *env, const char *spec, struct deadline d, struct luks_device *ret, struct err **err)
{
	for (;;) {
		_cleanup_err_ struct err *e = NULL;

		if (device_find_fs(env->root_fd, spec, ret, &e) == 0)
			return 0;
		if (!text_eq(err_id(e), "device-absent") || !clock_sleep_ms(LOOK_AGAIN_MS, d)) {
			if (err_class(e) == ERR_DEVICE)
				err_reclass(&e, ERR_TPM);
			return err_propagate(err, TAKE_PTR(e));
		}
	}
}

/* The directory that sealed_path starts from: our root, or a mount of ours (*ret_mounted, to be closed). */
static int base_dir(const struct unlock_env *env, const struct config_volume *v, struct deadline d, bool writable, int *ret_mounted,
		    struct err **err)
{
	struct luks_device dev = LUKS_DEVICE_INIT;

	if (!v->sealed)
		return err_set(err, ERR_TPM, "sealed-absent", "[volume %s] has no sealed", v->name);
	if (!v->sealed_device)
		return env->root_fd;
	if (find_device(env, v->sealed_device, d, &dev, err) < 0)
		return err_wrap(err, "sealed = %s", v->sealed);
	*ret_mounted = mount_device(&dev, writable, err);
	device_close(&dev);
	if (*ret_mounted < 0)
		return err_wrap(err, "sealed = %s", v->sealed);
	return *ret_mounted;
}

static const char *relative(const struct config_volume *v)
{
	return v->sealed_path + strspn(v->sealed_path, "/");
}

/* On a disk of the host nothing leads out of its own file system. */
static int open_file(const struct config_volume *v, int dir)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK };

	if (v->sealed_device)
		how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
	return (int)syscall(SYS_openat2, dir, relative(v), &how, sizeof(how));
}

int sidecar_read(const struct unlock_env *env, const struct config_volume *v, struct deadline d, char **ret, size_t *ret_len,
		 struct err **err)
{
	_cleanup_close_ int mounted = -1, fd = -1;
	int dir = base_dir(env, v, d, false, &mounted, err);
	struct stat st;

	if (dir < 0)
		return -1;
	fd = open_file(v, dir);
	if (fd < 0 && errno == ENOENT) {
		unreadable(err, v, ENOENT, "there is no sealed secret");
		return err_hint(err, "make one: cryptattest enroll %s --source=vtpm (at boot, cryptattest recover %s comes first)", v->name,
				v->name);
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return unreadable(err, v, errno, "cannot be opened");
	if (!S_ISREG(st.st_mode))
		return unreadable(err, v, EINVAL, "not a regular file");
	return fd_read_all(fd, v->sealed, SEALED_FILE_MAX, ERR_TPM, ret, ret_len, err);
}

/* The descriptor of a mount only names it, syncfs() wants one that is open. */
static int sync_mounted(int mounted)
{
	_cleanup_close_ int fd = openat(mounted, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -1 : syncfs(fd);
}

int sidecar_write(const struct unlock_env *env, const struct config_volume *v, const char *text, struct err **err)
{
	_cleanup_close_ int mounted = -1;
	int dir = base_dir(env, v, deadline_in_ms(1), true, &mounted, err), rc = 0;
	_cleanup_free_ char *parent = text_dup(relative(v));
	char *slash = parent ? strrchr(parent, '/') : NULL;

	if (dir < 0)
		return -1;
	if (!parent)
		return err_nomem(err);
	if (slash) {
		*slash = '\0';
		rc = dir_make(dir, parent, 0700, err);
	}
	/* A power cut while an earlier one was written may have left it; the lock is held by all who seal (state/state.h). */
	if (rc == 0)
		file_clear_temporaries(dir, relative(v));
	if (rc == 0)
		rc = file_write_atomic(dir, relative(v), text, strlen(text), 0600, err);
	/* vfat answers fsync of a directory without having written all of it. */
	if (rc == 0 && mounted >= 0 && sync_mounted(mounted) < 0)
		rc = err_set_errno(err, ERR_TPM, "sealed-write", errno, "sync");
	if (rc == 0)
		return 0;
	if (err && err_class(*err) == ERR_INTERNAL)
		err_reclass(err, ERR_TPM);
	return err_wrap(err, "sealed = %s", v->sealed);
}

int sidecar_remove(const struct unlock_env *env, const struct config_volume *v, struct err **err)
{
	_cleanup_close_ int mounted = -1, parent = -1;
	int dir = base_dir(env, v, deadline_in_ms(1), true, &mounted, err);
	_cleanup_free_ char *path = text_dup(relative(v));
	char *slash = path ? strrchr(path, '/') : NULL;

	if (dir < 0)
		return -1;
	if (!path)
		return err_nomem(err);
	file_clear_temporaries(dir, path);
	if (slash)
		*slash = '\0';
	parent = openat(dir, slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0 && errno == ENOENT)
		return 0;
	if (parent < 0 || (unlinkat(parent, slash ? slash + 1 : path, 0) < 0 && errno != ENOENT) || (fsync(parent) < 0 && errno != EINVAL) ||
	    (mounted >= 0 && sync_mounted(mounted) < 0))
		return err_set_errno(err, ERR_TPM, "sealed-write", errno, "sealed = %s: cannot remove the file", v->sealed);
	return 0;
}
