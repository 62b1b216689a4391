/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Runs one TEE request in a child process, so that a deadline holds although the kernel may block for a minute.
 *
 * A throttled SNP host keeps the caller inside the driver for up to 60 s, a silent TDX quoting service for 30 s, and
 * killing such a caller makes things worse: a fatal signal turns the driver's pauses into a busy loop against the host
 * (SNP) or leaves the quote buffer "in flight" (TDX). See tee-evidence.md 2.1, 2.2, 5. A thread would die with the process,
 * which is the same fatal signal; hence a process, which at the deadline is left alone, not killed:
 *
 * - it ignores every signal but SIGKILL, is in a session of its own, and holds none of our descriptors, so that
 *   nobody waits for it on a pipe and a terminal cannot stop it;
 * - it cleans up after itself (removes its configfs instance) whether or not somebody still waits;
 * - it holds the request lock, a flock on run/cryptattest/tee-request, for as long as its request is in the kernel: the
 *   next request, of this or another process, waits for that, and then for the pause since the end of the last one
 *   (>= 2 s for SNP). A request that nobody waits for any more when its turn comes is not made;
 * - it calls no allocator and takes no lock of ours: the parent may have threads. Its results are bytes in memory
 *   shared with the parent, its errors an errno and a step; the parent turns them into an error object.
 *
 * `struct secret` memory is wiped in a forked child by the kernel; the key pair of this attempt is in ordinary memory and
 * lives in the child until it ends (milliseconds, or a minute on a host that throttles; not dumpable either).
 */
#ifndef CRYPTATTEST_TEE_WORKER_H
#define CRYPTATTEST_TEE_WORKER_H

#include <stdatomic.h>

#include "tee/tee.h"

#define TEE_REQUEST_LOCK "run/cryptattest/tee-request"

/* First member of what parent and child share. */
struct tee_shared {
	size_t size;
	atomic_bool abandoned; /* by the parent: do not begin */
	atomic_bool begun, done;
};

struct tee_job {
	const char *what; /* for messages: "snp-configfs" */
	/* Runs in the child: only async-signal-safe calls; sees root_fd and the shared memory. */
	void (*run)(int root_fd, struct tee_shared *shared);
	bool exclusive;	      /* take the request lock */
	unsigned int pace_ms; /* pause since the end of the last exclusive request */
};

/* Zeroed memory (page aligned) of this size that a child shares; NULL when there is none. */
void *tee_shared_new(size_t size);
#define _cleanup_shared_ __attribute__((cleanup(tee_shared_freep)))
void tee_shared_freep(void *p);

/* 0 when run() has returned. ERR_TIMEOUT (id "tee-deadline") when the deadline passed or the user cancelled: the child may
 * still be at it, its results are lost. ERR_NOEVIDENCE (no right to make the lock file), ERR_INTERNAL. */
int tee_worker_run(const struct tee_env *env, const struct tee_job *job, struct tee_shared *shared, struct deadline d,
		   struct err **err);

/* For run(): milliseconds pause, unhurried by signals. */
void tee_worker_pause_ms(unsigned int ms);
/* For run(): decimal digits of v, NUL-terminated; returns the length. snprintf() may allocate. */
size_t tee_format_u64(uint64_t v, char out[static 21]);

#endif
