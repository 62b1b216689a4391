/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The directory under /run: who may have written there, the lock, reading and writing the record. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/text.h"
#include "state/record.h"

#define LOCK_RETRY_MS 50
#define BOOT_ID "proc/sys/kernel/random/boot_id"

/* Root's, and nobody else's to write: otherwise a later process could forge "already open" for the next call. */
static bool trusted(int fd, mode_t type)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type && (st.st_uid == 0 || st.st_uid == geteuid()) &&
	       (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* The directory, or -1 with errno; made when asked. */
static int open_dir(int root_fd, bool create, struct err **err)
{
	int fd = openat(root_fd, STATE_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && create) {
		if (dir_make(root_fd, STATE_DIR, 0700, err) < 0)
			return -1;
		fd = openat(root_fd, STATE_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0)
		return err_set_errno(err, ERR_INTERNAL, "state-dir", errno, "/%s", STATE_DIR);
	if (trusted(fd, S_IFDIR))
		return fd;
	close(fd);
	return err_set_errno(err, ERR_INTERNAL, "state-dir", EPERM, "/%s belongs to somebody else or others can write there", STATE_DIR);
}

/* The kernel's name for this boot. The fallback serves a root directory without /proc (tests). */
static int read_boot_id(int root_fd, char **ret, struct err **err)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;

	if (file_read(root_fd, BOOT_ID, 128, ERR_INTERNAL, &text, &len, NULL) < 0 &&
	    file_read(AT_FDCWD, "/" BOOT_ID, 128, ERR_INTERNAL, &text, &len, err) < 0)
		return err_wrap(err, "boot id");
	text[strcspn(text, "\n")] = '\0';
	if (!text_is_uuid(text))
		return err_set(err, ERR_INTERNAL, "boot-id", "boot id is not a UUID");
	*ret = TAKE_PTR(text);
	return 0;
}

int state_lock(int root_fd, struct deadline d, int *ret_fd, struct err **err)
{
	_cleanup_close_ int dir = open_dir(root_fd, true, err), fd = -1;

	if (dir < 0)
		return -1;
	fd = openat(dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set_errno(err, ERR_INTERNAL, "state-lock", errno, "/%s/lock", STATE_DIR);
	/* flock(2) cannot be given a time limit without a signal; the other holder works for seconds, so looking again at this
	 * pace costs nothing. */
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_set_errno(err, ERR_INTERNAL, "state-lock", errno, "/%s/lock", STATE_DIR);
		if (deadline_passed(d) || (!clock_sleep_ms(LOCK_RETRY_MS, d) && !clock_cancelled())) {
			err_set(err, ERR_BUSY, "state-lock", "another cryptattest holds /%s/lock", STATE_DIR);
			return err_hint(err, "wait until it is done, or see which: fuser /%s/lock", STATE_DIR);
		}
		if (clock_cancelled())
			return err_set(err, ERR_TIMEOUT, "cancelled", "cancelled while waiting for /%s/lock", STATE_DIR);
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* The record on disk when it is ours and of this boot, NULL otherwise; why not goes to the debug log. */
static struct state *read_record(int root_fd, const char *boot_id)
{
	_cleanup_err_ struct err *why = NULL;
	_cleanup_close_ int dir = open_dir(root_fd, false, &why), fd = -1;
	_cleanup_free_ char *text = NULL;
	struct state *s = NULL;
	size_t len = 0;

	if (dir >= 0)
		fd = openat(dir, "status.json", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (dir >= 0 && fd < 0)
		err_set_errno(&why, ERR_INTERNAL, "state", errno, "status.json");
	else if (fd >= 0 && !trusted(fd, S_IFREG))
		err_set(&why, ERR_INTEGRITY, "state", "status.json belongs to somebody else or others can write to it");
	else if (fd >= 0 && fd_read_all(fd, "status.json", STATE_FILE_MAX, ERR_INTERNAL, &text, &len, &why) == 0 &&
		 state_parse(text, len, &s, &why) == 0 && !text_eq(s->boot_id, boot_id))
		err_set(&why, ERR_INTEGRITY, "state", "status.json is of another boot");
	if (!why)
		return s;
	log_debug("state: %s: starting with an empty record", err_message(why));
	state_free(s);
	return NULL;
}

int state_load(int root_fd, struct state **ret, struct err **err)
{
	_cleanup_free_ char *boot_id = NULL;
	struct state *s;

	if (read_boot_id(root_fd, &boot_id, err) < 0)
		return -1;
	s = read_record(root_fd, boot_id);
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return err_nomem(err);
		s->boot_id = TAKE_PTR(boot_id);
	}
	*ret = s;
	return 0;
}

int state_save(int root_fd, const struct state *s, struct err **err)
{
	_cleanup_close_ int dir = open_dir(root_fd, true, err);
	_cleanup_free_ char *text = NULL;

	if (dir < 0 || state_json(s, &text, err) < 0)
		return -1;
	if (file_write_volatile(dir, "status.json", text, strlen(text), 0600, err) < 0)
		return err_wrap(err, "/%s", STATE_DIR);
	return 0;
}

int state_file_write(int root_fd, const char *name, const char *text, size_t len, struct err **err)
{
	_cleanup_close_ int dir = open_dir(root_fd, true, err);

	if (dir < 0)
		return -1;
	if (file_write_volatile(dir, name, text, len, 0600, err) < 0)
		return err_wrap(err, "/%s", STATE_DIR);
	return 0;
}

int state_file_read(int root_fd, const char *name, char **ret, size_t *ret_len, struct err **err)
{
	_cleanup_err_ struct err *why = NULL;
	_cleanup_close_ int dir = open_dir(root_fd, false, &why), fd = -1;

	if (dir < 0)
		return err_set(err, err_errno(why) == ENOENT ? ERR_NOTHING : ERR_INTEGRITY, "state-file", "%s", err_message(why));
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_set_errno(err, errno == ENOENT ? ERR_NOTHING : ERR_INTEGRITY, "state-file", errno, "/%s/%s", STATE_DIR, name);
	if (!trusted(fd, S_IFREG))
		return err_set(err, ERR_INTEGRITY, "state-file", "/%s/%s belongs to somebody else or others can write to it", STATE_DIR, name);
	return fd_read_all(fd, name, STATE_OTHER_MAX, ERR_INTEGRITY, ret, ret_len, err);
}
