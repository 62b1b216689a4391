/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * To the disk. Adding: key material, sync, first header copy, sync, second copy, sync. Removing: first copy, second copy, then random
 * bytes over the key material. Between two syncs only one thing is written, so whatever part of it a power cut leaves, the other
 * header copy is whole and the key material of every keyslot that it names is on the disk.
 *
 * The first copy goes first, as cryptsetup does it: "first newer by one" and "one copy torn" are what the audit takes for an
 * interrupted change (H2-torn); a second copy that is newer looks like an attack (A4) and gets no hint to repair.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/log.h"
#include "crypto/digest.h"
#include "luks/audit.h"
#include "luks/edit_impl.h"

#define CHUNK 65536
#define LOCK_WAIT_MS 10000
#define LOCK_RETRY_MS 50

static int flock_wait(int fd, const char *what, struct err **err)
{
	struct deadline d = deadline_in_ms(LOCK_WAIT_MS);

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_set_errno(err, ERR_DEVICE, "header-lock", errno, "cannot lock %s", what);
		if (deadline_passed(d) || !clock_sleep_ms(LOCK_RETRY_MS, d)) {
			err_set(err, ERR_BUSY, "header-lock", "another program is changing the header (%s is locked)", what);
			return err_hint(err, "wait until it is done, or see which: fuser %s", what);
		}
	}
	return 0;
}

int edit_lock_block(const char *dir, dev_t rdev, int *ret, struct err **err)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/L_%u:%u", dir, major(rdev), minor(rdev));
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_set_errno(err, ERR_DEVICE, "header-lock", errno, "cannot create %s", dir);
	for (;;) {
		_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		struct stat held, there;

		if (fd < 0)
			return err_set_errno(err, ERR_DEVICE, "header-lock", errno, "cannot create %s", path);
		if (flock_wait(fd, path, err) < 0)
			return -1;
		/* cryptsetup removes the file when it lets go: what we hold may be no longer what the others look at. */
		if (fstat(fd, &held) == 0 && stat(path, &there) == 0 && held.st_dev == there.st_dev && held.st_ino == there.st_ino) {
			*ret = TAKE_FD(fd);
			return 0;
		}
	}
}

static int open_writable(const struct luks_device *dev, int *ret, struct err **err)
{
	char path[40];
	int fd = -1, read_only = 0;

	if (device_recheck(dev, err) < 0)
		return -1;
	/* The very device that was audited, whatever its name points at by now. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", dev->fd);
	if (dev->block)
		fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
	if (fd < 0 && (!dev->block || errno == EBUSY)) /* in use, by its own mapping: header changes are safe then */
		fd = open(path, O_RDWR | O_CLOEXEC);
	/* Root may open a disk that takes no writes. */
	if (fd >= 0 && dev->block && ioctl(fd, BLKROGET, &read_only) == 0 && read_only) {
		close(fd);
		fd = -1;
		errno = EROFS;
	}
	if (fd < 0 && (errno == EROFS || errno == EACCES || errno == EPERM)) {
		err_set_errno(err, ERR_DEVICE, "device-read-only", errno, "cannot write to %s", dev->path);
		return err_hint(err, "run as root; is the disk attached read-only?");
	}
	if (fd < 0)
		return err_set_errno(err, ERR_DEVICE, "device-unreadable", errno, "cannot open %s for writing", dev->path);
	*ret = fd;
	return 0;
}

/* 0 the device holds these bytes of the copy, 1 it does not, negative: unreadable. */
static int compare(int fd, int memfd, uint64_t off, uint64_t size, struct err **err)
{
	uint8_t a[CHUNK / 4], b[CHUNK / 4];

	while (size) {
		size_t n = size < sizeof(a) ? (size_t)size : sizeof(a);

		if (fd_pread_exact(memfd, a, n, off, err) < 0 || fd_pread_exact(fd, b, n, off, err) < 0)
			return -1;
		if (memcmp(a, b, n) != 0)
			return 1;
		off += n;
		size -= n;
	}
	return 0;
}

/* Both header copies and the material of every keyslot. */
static int compare_header(int fd, const struct luks_header *h, struct err **err)
{
	int r = compare(fd, h->memfd, 0, HDR_BOTH, err);
	uint64_t off, size;
	const char *name;
	json_t *slot;

	json_object_foreach(json_object_get(h->json, "keyslots"), name, slot) {
		if (r == 0 && !edit_area(h, name, &off, &size))
			return err_set(err, ERR_INTERNAL, "edit", "the header was not audited");
		if (r == 0)
			r = compare(fd, h->memfd, off, size, err);
	}
	return r;
}

int luks_edit_hold(struct luks_edit *e, struct err **err)
{
	const struct luks_device *dev = e->p.dev;
	_cleanup_close_ int fd = -1, lock = -1;
	int r;

	if (e->fd >= 0)
		return 0;
	if (open_writable(dev, &fd, err) < 0)
		return -1;
	/* cryptsetup locks an image itself, and a file of its own for a block device. A lock on the block device keeps udev from
	 * looking into a header that is half written. */
	if (dev->block && edit_lock_block(EDIT_LOCK_DIR, dev->rdev, &lock, err) < 0)
		return -1;
	if (flock_wait(fd, dev->path, err) < 0)
		return -1;
	r = compare_header(fd, e->p.h, err);
	if (r < 0)
		return err_wrap(err, "%s", dev->path);
	if (r > 0) {
		err_set(err, ERR_INTEGRITY, "header-changed", "the header on %s is not the one that was read a moment ago", dev->path);
		return err_hint(err, "start again; if nobody else changed it, the disk does not give back what was written");
	}
	e->fd = TAKE_FD(fd);
	e->lock = TAKE_FD(lock);
	return 0;
}

static int plain_write(void *ctx, int fd, const void *data, size_t n, uint64_t off)
{
	const uint8_t *p = data;

	(void)ctx;
	while (n) {
		ssize_t put = pwrite(fd, p, n, (off_t)off);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put < 0 ? -errno : -EIO;
		p += put;
		n -= (size_t)put;
		off += (uint64_t)put;
	}
	return 0;
}

static int plain_sync(void *ctx, int fd)
{
	(void)ctx;
	return fsync(fd) < 0 ? -errno : 0;
}

struct step {
	const char *what;
	const uint8_t *data;
	uint64_t off, size;
};

static int run_step(struct luks_edit *e, const struct edit_io *io, const struct step *s, struct err **err)
{
	int r = io->write(io->ctx, e->fd, s->data, s->size, s->off);

	if (r == 0)
		r = io->sync(io->ctx, e->fd);
	if (r < 0)
		return err_set_errno(err, ERR_DEVICE, "header-write", -r, "cannot write the %s to %s", s->what, e->p.dev->path);
	return 0;
}

/* The new bytes of both copies and of the area: key material, or what is to hide it. */
static int load(const struct luks_edit *e, uint8_t *headers, uint8_t *area, struct err **err)
{
	if (fd_pread_exact(e->h.memfd, headers, HDR_BOTH, 0, err) < 0)
		return err_wrap(err, "header copy");
	if (e->wipe)
		return random_bytes(area, e->area_size, err);
	if (fd_pread_exact(e->h.memfd, area, e->area_size, e->area_off, err) < 0)
		return err_wrap(err, "header copy");
	return 0;
}

/* After a write that failed: the old copies again, second first, so that one is whole at every moment. */
static void put_back(struct luks_edit *e, const struct edit_io *io, struct err **err)
{
	_cleanup_free_ uint8_t *old = malloc(HDR_BOTH);
	_cleanup_err_ struct err *why = NULL;

	if (old && fd_pread_exact(e->p.h->memfd, old, HDR_BOTH, 0, &why) == 0) {
		const struct step second = { "old second header", old + HDR_SIZE, HDR_SIZE, HDR_SIZE };
		const struct step first = { "old first header", old, 0, HDR_SIZE };

		if (run_step(e, io, &second, &why) == 0 && run_step(e, io, &first, &why) == 0 &&
		    compare_header(e->fd, e->p.h, &why) == 0) {
			e->touched = false;
			err_hint(err, "the header is as it was");
			return;
		}
	}
	log_debug("header not written back: %s", why ? err_message(why) : "it differs");
	err_hint(err, "cryptattest check; an interrupted change (H2-torn) is mended by `cryptsetup repair`, and older passphrases still open");
}

static int read_back(const struct luks_edit *e, const uint8_t *area, struct err **err)
{
	_cleanup_free_ uint8_t *found = malloc(e->area_size);
	int r;

	if (!found)
		return err_nomem(err);
	/* From the disk, not from memory, as far as the kernel can be asked for that. */
	posix_fadvise(e->fd, 0, (off_t)e->h.data_offset, POSIX_FADV_DONTNEED);
	r = compare_header(e->fd, &e->h, err);
	if (r == 0 && e->wipe) {
		r = fd_pread_exact(e->fd, found, e->area_size, e->area_off, err);
		if (r == 0)
			r = memcmp(found, area, e->area_size) != 0;
	}
	if (r < 0)
		return err_wrap(err, "%s", e->p.dev->path);
	if (r > 0)
		return err_set(err, ERR_DEVICE, "header-readback", "%s does not give back what was written", e->p.dev->path);
	return 0;
}

int edit_write_io(struct luks_edit *e, const struct edit_io *io, struct err **err)
{
	_cleanup_free_ uint8_t *headers = malloc(HDR_BOTH), *area = malloc(e->area_size);

	if (!headers || !area)
		return err_nomem(err);
	if (luks_edit_hold(e, err) < 0 || load(e, headers, area, err) < 0)
		return -1;
	const struct step material = { "key material", area, e->area_off, e->area_size };
	const struct step first = { "first header", headers, 0, HDR_SIZE };
	const struct step second = { "second header", headers + HDR_SIZE, HDR_SIZE, HDR_SIZE };

	/* Nothing points at the area yet. */
	if (!e->wipe && run_step(e, io, &material, err) < 0)
		return err_hint(err, "the header is as it was");
	e->touched = true;
	if (run_step(e, io, &first, err) < 0 || run_step(e, io, &second, err) < 0) {
		put_back(e, io, err);
		return -1;
	}
	if (e->wipe && run_step(e, io, &material, err) < 0)
		return err_hint(err, "the keyslot is gone from the header, but a copy of its key material may be left on the disk");
	return read_back(e, area, err);
}

int luks_edit_write(struct luks_edit *e, struct err **err)
{
	static const struct edit_io plain = { plain_write, plain_sync, NULL };
	sigset_t all, old;
	int r;

	/* An interrupt would leave what a power cut leaves: the few milliseconds are finished first. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	r = edit_write_io(e, &plain, err);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}
