/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tee/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/log.h"

/* Descriptors of the child, in this order from 3 on; all others are closed. */
enum { CHILD_ALIVE = 3, CHILD_ROOT, CHILD_LOCK, CHILD_FDS };

void *tee_shared_new(size_t size)
{
	struct tee_shared *s = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (s == MAP_FAILED)
		return NULL;
	(void)madvise(s, size, MADV_DONTDUMP);
	s->size = size;
	return s;
}

void tee_shared_freep(void *p)
{
	struct tee_shared *s = *(struct tee_shared **)p;

	if (s)
		munmap(s, s->size);
}

void tee_worker_pause_ms(unsigned int ms)
{
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

size_t tee_format_u64(uint64_t v, char out[static 21])
{
	char digits[20];
	size_t n = 0, i;

	do {
		digits[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	for (i = 0; i < n; i++)
		out[i] = digits[n - 1 - i];
	out[n] = 0;
	return n;
}

/* The lock file holds the time (CLOCK_BOOTTIME, ns) when the last request ended, as decimal text. Anything else, or a time
 * in the future, counts as "long ago": /run is ours alone and empty at boot. */
static void wait_for_pace(int fd, unsigned int pace_ms)
{
	char text[21] = "";
	uint64_t last = 0, now = clock_ns(), gone_ms;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	for (ssize_t i = 0; i < n && text[i] >= '0' && text[i] <= '9'; i++)
		last = last * 10 + (uint64_t)(text[i] - '0');
	if (last == 0 || last > now)
		return;
	gone_ms = (now - last) / NSEC_PER_MSEC;
	if (gone_ms < pace_ms)
		tee_worker_pause_ms(pace_ms - (unsigned int)gone_ms);
}

static void stamp(int fd)
{
	char text[21];
	size_t n = tee_format_u64(clock_ns(), text);
	ssize_t done = ftruncate(fd, 0) == 0 ? pwrite(fd, text, n, 0) : -1;

	(void)done; /* a full /run costs us the pause, not the report */
}

/* dup2() to fixed numbers, from sources moved out of the way first; then everything else is closed. */
static bool child_descriptors(const int from[static 3], bool exclusive)
{
	int high[3], null;

	for (int i = 0; i < 3; i++) {
		high[i] = from[i] < 0 ? -1 : fcntl(from[i], F_DUPFD_CLOEXEC, CHILD_FDS);
		if (high[i] < 0 && (i < 2 || exclusive))
			return false;
	}
	for (int i = 0; i < 3; i++) {
		if (high[i] >= 0 && dup2(high[i], CHILD_ALIVE + i) < 0)
			return false;
	}
	close_range(exclusive ? CHILD_FDS : CHILD_LOCK, ~0U, 0);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < 3; i++) {
		if (null < 0 || dup2(null, i) < 0)
			close(i);
	}
	if (null > 2)
		close(null);
	return true;
}

static void child_main(const struct tee_job *job, struct tee_shared *s, const int from[static 3], pid_t parent)
{
	setsid();
	prctl(PR_SET_NAME, "cryptattest-tee");
	/* Before the request nothing is lost with this process; after it has begun it must end by itself (the VMPCK rule). */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!child_descriptors(from, job->exclusive))
		_exit(1);
	if (job->exclusive) {
		if (flock(CHILD_LOCK, LOCK_EX) < 0)
			_exit(1);
		wait_for_pace(CHILD_LOCK, job->pace_ms);
	}
	/* Nobody waits any more: a request now would only be one more that the host counts. */
	prctl(PR_SET_PDEATHSIG, 0);
	if (atomic_load(&s->abandoned) || getppid() != parent)
		_exit(0);
	atomic_store(&s->begun, true);
	job->run(CHILD_ROOT, s);
	if (job->exclusive)
		stamp(CHILD_LOCK);
	atomic_store(&s->done, true);
	_exit(0);
}

/* Signals stay blocked in the child for good: a read of outblob that a signal interrupts loses the report (EINTR). */
static pid_t spawn(const struct tee_job *job, struct tee_shared *s, const int from[static 3])
{
	sigset_t all, saved;
	pid_t pid, parent = getpid();

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	pid = fork();
	if (pid == 0)
		child_main(job, s, from, parent);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	return pid;
}

/* True at the end of the child, false at the deadline or when the user cancelled. */
static bool wait_for_child(int alive, struct deadline d)
{
	struct pollfd p[2] = { { .fd = alive, .events = POLLIN }, { .fd = clock_cancel_fd(), .events = POLLIN } };

	while (!clock_cancelled()) {
		int left = deadline_poll_ms(d), n;

		/* poll(2) stands still during a suspend; a slice bounds the difference. */
		n = poll(p, 2, left < 0 || left > 1000 ? 1000 : left);
		if (n > 0 && p[0].revents)
			return true;
		if (deadline_passed(d))
			return false;
	}
	return false;
}

static int open_lock(const struct tee_env *env, int *ret_fd, struct err **err)
{
	int fd;

	(void)dir_make(env->root_fd, "run/cryptattest", 0700, NULL); /* opening the file says what is wrong */
	fd = openat(env->root_fd, TEE_REQUEST_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EACCES || errno == EPERM)) {
		err_set_errno(err, ERR_NOEVIDENCE, "tee-permission", errno, "/" TEE_REQUEST_LOCK);
		return err_hint(err, "only root may ask the TEE for evidence");
	}
	if (fd < 0)
		return err_set_errno(err, ERR_INTERNAL, "tee-lock", errno, "/" TEE_REQUEST_LOCK);
	*ret_fd = fd;
	return 0;
}

static int reap(pid_t pid, const struct tee_job *job, const struct tee_shared *s, struct err **err)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (atomic_load(&s->done))
		return 0;
	if (WIFSIGNALED(status))
		return err_set(err, ERR_INTERNAL, "tee-worker", "%s: collector process killed by signal %d", job->what,
			       WTERMSIG(status));
	return err_set(err, ERR_INTERNAL, "tee-worker", "%s: collector process failed", job->what);
}

int tee_worker_run(const struct tee_env *env, const struct tee_job *job, struct tee_shared *shared, struct deadline d,
		   struct err **err)
{
	_cleanup_close_ int lock = -1, alive_r = -1, alive_w = -1;
	int pipefd[2];
	pid_t pid;

	if (job->exclusive && open_lock(env, &lock, err) < 0)
		return -1;
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_set_errno(err, ERR_INTERNAL, "tee-worker", errno, "%s: pipe", job->what);
	alive_r = pipefd[0];
	alive_w = pipefd[1];
	pid = spawn(job, shared, (const int[3]){ alive_w, env->root_fd, lock });
	if (pid < 0)
		return err_set_errno(err, ERR_INTERNAL, "tee-worker", errno, "%s: fork", job->what);
	close(TAKE_FD(alive_w));
	if (wait_for_child(alive_r, d))
		return reap(pid, job, shared, err);
	atomic_store(&shared->abandoned, true);
	log_debug("%s: %s, collector process %d is left to finish", job->what,
		  clock_cancelled() ? "cancelled" : "deadline", (int)pid);
	err_set(err, ERR_TIMEOUT, "tee-deadline", "%s: %s", job->what,
		clock_cancelled() ? "cancelled" : atomic_load(&shared->begun) ?
			"no answer from the TEE within the deadline" :
			"another request to the TEE is still under way at the deadline");
	return err_hint(err, "the host may be throttling attestation requests; one can take a minute");
}
