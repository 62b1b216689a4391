/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/handout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/text.h"

#define CHUNK 65536

static void copy_path(const struct job *job, char *out, size_t cap)
{
	snprintf(out, cap, HANDOUT_HEADER_DIR "/%s", job->conf->name);
}

/* From hole to hole: 16 MiB long, some hundred KiB of it data. */
static int copy_data(int from, int to, uint64_t size, struct err **err)
{
	uint8_t chunk[CHUNK];
	off_t at = 0;

	while ((at = lseek(from, at, SEEK_DATA)) >= 0 && (uint64_t)at < size) {
		off_t end = lseek(from, at, SEEK_HOLE);

		while (at < end) {
			size_t n = end - at < CHUNK ? (size_t)(end - at) : CHUNK;

			if (fd_pread_exact(from, chunk, n, (uint64_t)at, err) < 0)
				return -1;
			if (pwrite(to, chunk, n, at) != (ssize_t)n)
				return err_set_errno(err, ERR_INTERNAL, "key-header", errno, "cannot write the header copy");
			at += (off_t)n;
		}
	}
	return ftruncate(to, (off_t)size) < 0 ? err_set_errno(err, ERR_INTERNAL, "key-header", errno, "cannot write the header copy") : 0;
}

static int write_copy(struct run *run, const struct job *job, struct err **err)
{
	char path[128], part[160];
	_cleanup_close_ int fd = -1;

	copy_path(job, path, sizeof(path));
	snprintf(part, sizeof(part), "%s.part", path);
	if (dir_make(run->env->root_fd, HANDOUT_HEADER_DIR, 0700, err) < 0)
		return -1;
	unlinkat(run->env->root_fd, part, 0);
	fd = openat(run->env->root_fd, part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set_errno(err, ERR_INTERNAL, "key-header", errno, "cannot create /%s", part);
	if (copy_data(job->header.memfd, fd, job->header.data_offset, err) < 0)
		return -1;
	if (renameat(run->env->root_fd, part, run->env->root_fd, path) < 0)
		return err_set_errno(err, ERR_INTERNAL, "key-header", errno, "cannot create /%s", path);
	return 0;
}

void handout_prepare(struct run *run, struct job *job)
{
	struct err *err = NULL;

	job->step = "header";
	if (write_copy(run, job, &err) < 0)
		job_fail(job, err);
	else
		job->stage = JOB_PREPARED;
}

/* Both are sparse; what one has as a hole must be zeros in the other. */
static bool same_content(int a, int b, uint64_t size)
{
	uint8_t x[CHUNK], y[CHUNK];

	for (uint64_t at = 0; at < size; at += CHUNK) {
		size_t n = size - at < CHUNK ? (size_t)(size - at) : CHUNK;

		if (fd_pread_exact(a, x, n, at, NULL) < 0 || fd_pread_exact(b, y, n, at, NULL) < 0 || memcmp(x, y, n) != 0)
			return false;
	}
	return true;
}

static int check_copy(struct run *run, const struct job *job, struct err **err)
{
	_cleanup_close_ int fd = -1;
	char path[128];
	struct stat st;

	copy_path(job, path, sizeof(path));
	fd = openat(run->env->root_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0) {
		err_set_errno(err, ERR_INTEGRITY, "key-header", errno, "/%s: the program that asks would read the header from the disk itself",
			      path);
		return err_hint(err, "let `cryptattest unlock --prepare %s` run before it, and give crypttab header=/%s", job->conf->name, path);
	}
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022) || (uint64_t)st.st_size != job->header.data_offset ||
	    !same_content(job->header.memfd, fd, job->header.data_offset)) {
		err_set(err, ERR_INTEGRITY, "key-header", "/%s is not the header that was audited now", path);
		return err_hint(err, "the disk changed since `cryptattest unlock --prepare %s`, or somebody else wrote this file",
				job->conf->name);
	}
	return 0;
}

static bool is_sealed(const struct job *job)
{
	return job->conf->mode == MODE_VTPM || job->conf->mode == MODE_KBS_AND_VTPM || job->conf->mode == MODE_KBS_OR_VTPM;
}

static size_t initrd_volumes(const struct config *c)
{
	size_t n = 0;

	for (struct config_volume **v = c->volumes; *v; v++)
		n += (*v)->phase == PHASE_INITRD && (*v)->mode != MODE_MANUAL;
	return n;
}

int handout_check(struct run *run, struct job *job, struct err **err)
{
	struct stat st;

	if (fstat(STDOUT_FILENO, &st) < 0 || (!S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode))) {
		err_set(err, ERR_CONFIG, "key-terminal", "a passphrase is given to a pipe or a socket alone");
		return err_hint(err, "`cryptattest unlock %s` opens the volume without showing it", job->conf->name);
	}
	if (job->stage == JOB_ALREADY)
		return err_set(err, ERR_INTEGRITY, "mapping-exists", "is open already: nobody needs its passphrase");
	if (is_sealed(job) && initrd_volumes(run->env->config) > 1) {
		err_set(err, ERR_CONFIG, "key-several", "mode = %s with several volumes in the initrd phase: the cap after this one would shut out the others",
			config_mode_name(job->conf->mode));
		return err_hint(err, "let `cryptattest unlock --all --boot` open them, or use mode = kbs");
	}
	if (job->conf->phase == PHASE_INITRD && (text_eq(run->state->cap, "done") || text_eq(run->state->cap, "unproven"))) {
		err_set(err, ERR_CAP, "capped", "the boot phase is over: secrets of the initrd phase are not given out any more");
		return err_hint(err, "`cryptattest recover %s` opens it by hand", job->conf->name);
	}
	if (run->opt->peer && handout_peer_header(STDOUT_FILENO, job->conf->name, err) < 0)
		return -1;
	return check_copy(run, job, err);
}

static int give(struct run *run, struct job *job, struct err **err)
{
	if (is_sealed(job) && run_cap(run, err) < 0)
		return -1;
	if (fd_write_all(STDOUT_FILENO, secret_cdata(job->passphrase), secret_len(job->passphrase), err) < 0)
		return err_wrap(err, "whoever asked is gone");
	return 0;
}

void handout_give(struct run *run, struct job *job)
{
	struct err *err = NULL;

	job->step = "key";
	if (give(run, job, &err) < 0) {
		job_fail(job, err);
		return;
	}
	if (is_sealed(job))
		run_cap_outcome(run);
	secret_free(TAKE_PTR(job->key));
	secret_free(TAKE_PTR(job->passphrase));
	job->stage = JOB_HANDED_OUT;
}
