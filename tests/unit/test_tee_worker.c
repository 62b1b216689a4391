/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The promises of src/tee/worker.h: the deadline holds, the child is not killed, requests are serialised and paced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/secret.h"
#include "tee/worker.h"
#include "tee_root.h"

struct probe {
	struct tee_shared shared;
	unsigned int sleep_ms;
	const uint8_t *secret;
	/* out */
	uint64_t ran_at, ended_at;
	unsigned int open_fds, highest_fd;
	bool null_fds, session_leader, secret_gone;
	int dumpable_value;
};

static void inspect(int root_fd, struct tee_shared *shared)
{
	struct probe *p = (struct probe *)shared;
	struct stat null, st;

	p->ran_at = clock_ns();
	p->session_leader = getsid(0) == getpid();
	p->null_fds = stat("/dev/null", &null) == 0;
	for (int fd = 0; fd < 256; fd++) {
		if (fstat(fd, &st) < 0)
			continue;
		p->open_fds++;
		p->highest_fd = (unsigned int)fd;
		if (fd < 3 && st.st_rdev != null.st_rdev)
			p->null_fds = false;
	}
	if (p->secret)
		p->secret_gone = p->secret[0] == 0;
	raise(SIGTERM);
	raise(SIGINT);
	raise(SIGHUP);
	tee_worker_pause_ms(p->sleep_ms);
	p->ended_at = clock_ns();
	close(openat(root_fd, "ran", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

static void die(int root_fd, struct tee_shared *shared)
{
	kill(getpid(), SIGKILL);
}

static const struct tee_job plain = { .what = "plain", .run = inspect };
static const struct tee_job exclusive = { .what = "exclusive", .run = inspect, .exclusive = true };
static const struct tee_job paced = { .what = "paced", .run = inspect, .exclusive = true, .pace_ms = 300 };

static bool appears(struct tee_root *t, const char *path, unsigned int ms)
{
	for (unsigned int i = 0; i < ms / 20; i++) {
		if (tee_root_has(t, path))
			return true;
		clock_sleep_ms(20, (struct deadline){ UINT64_MAX });
	}
	return tee_root_has(t, path);
}

static void isolation(void **state)
{
	struct tee_root *t = *state;
	struct probe *p _cleanup_shared_ = tee_shared_new(sizeof(*p));
	_cleanup_secret_ struct secret *s = NULL;
	int leak = open("/dev/zero", O_RDONLY);

	assert_non_null(p);
	assert_int_equal(secret_from("k", 1, &s, NULL), 0);
	p->secret = secret_cdata(s);
	assert_int_equal(tee_worker_run(&t->env, &plain, &p->shared, deadline_in_ms(5000), NULL), 0);
	assert_true(p->null_fds);
	assert_int_equal(p->open_fds, 5); /* 0-2, the life line, the root */
	assert_int_equal(p->highest_fd, 4);
	assert_true(p->session_leader);
	assert_true(p->secret_gone);
	assert_true(tee_root_has(t, "ran"));
	assert_false(tee_root_has(t, TEE_REQUEST_LOCK)); /* not exclusive */
	close(leak);
}

/* A caller that closed its standard streams gets low numbers for everything. */
static void low_descriptors(void **state)
{
	struct tee_root *t = *state;
	struct probe *p _cleanup_shared_ = tee_shared_new(sizeof(*p));
	int saved = dup(0), root = t->env.root_fd, r;
	struct tee_env env = { .root_fd = 0 };

	assert_non_null(p);
	dup2(root, 0);
	r = tee_worker_run(&env, &exclusive, &p->shared, deadline_in_ms(5000), NULL);
	dup2(saved, 0);
	close(saved);
	assert_int_equal(r, 0);
	assert_true(tee_root_has(t, "ran"));
	assert_int_equal(p->open_fds, 6);
}

static void deadline_leaves_the_child_alone(void **state)
{
	struct tee_root *t = *state;
	struct probe *p _cleanup_shared_ = tee_shared_new(sizeof(*p)), *q _cleanup_shared_ = tee_shared_new(sizeof(*q));
	_cleanup_err_ struct err *e = NULL, *e2 = NULL;
	uint64_t begin = clock_ns();

	assert_non_null(p);
	assert_non_null(q);
	p->sleep_ms = 700;
	assert_true(tee_worker_run(&t->env, &exclusive, &p->shared, deadline_in_ms(100), &e) < 0);
	assert_true(clock_ns() - begin < 600 * NSEC_PER_MSEC);
	assert_int_equal(err_class(e), ERR_TIMEOUT);
	assert_string_equal(err_id(e), "tee-deadline");
	assert_non_null(strstr(err_message(e), "no answer from the TEE"));
	assert_false(tee_root_has(t, "ran"));

	/* The second one waits for the first, in vain, and is never made. */
	assert_true(tee_worker_run(&t->env, &exclusive, &q->shared, deadline_in_ms(100), &e2) < 0);
	assert_int_equal(err_class(e2), ERR_TIMEOUT);
	assert_non_null(strstr(err_message(e2), "another request"));

	assert_true(appears(t, "ran", 5000));
	unlinkat(t->env.root_fd, "ran", 0);
	assert_false(appears(t, "ran", 200));
	assert_int_equal(q->ran_at, 0);
}

static void serialised(void **state)
{
	struct tee_root *t = *state;
	struct probe *p _cleanup_shared_ = tee_shared_new(sizeof(*p)), *q _cleanup_shared_ = tee_shared_new(sizeof(*q));

	assert_non_null(p);
	assert_non_null(q);
	p->sleep_ms = 400;
	assert_true(tee_worker_run(&t->env, &exclusive, &p->shared, deadline_in_ms(100), NULL) < 0);
	assert_int_equal(tee_worker_run(&t->env, &exclusive, &q->shared, deadline_in_ms(5000), NULL), 0);
	assert_true(q->ran_at >= p->ended_at);
	assert_true(p->ended_at > 0);
}

static void pacing(void **state)
{
	struct tee_root *t = *state;
	struct probe *p _cleanup_shared_ = tee_shared_new(sizeof(*p)), *q _cleanup_shared_ = tee_shared_new(sizeof(*q));

	assert_non_null(p);
	assert_non_null(q);
	assert_int_equal(tee_worker_run(&t->env, &paced, &p->shared, deadline_in_ms(5000), NULL), 0);
	assert_int_equal(tee_worker_run(&t->env, &paced, &q->shared, deadline_in_ms(5000), NULL), 0);
	assert_true(q->ran_at - p->ended_at >= 295 * NSEC_PER_MSEC);
}

/* A stamp from another boot, or garbage, must not hold up this one. */
static void strange_stamps(void **state)
{
	static const char *const stamps[] = { "99999999999999999999", "18446744073709551615", "x", "", "-1" };
	struct tee_root *t = *state;

	tee_root_dir(t, "run/cryptattest");
	for (size_t i = 0; i < ARRAY_SIZE(stamps); i++) {
		struct probe *p _cleanup_shared_ = tee_shared_new(sizeof(*p));
		uint64_t begin = clock_ns();

		assert_non_null(p);
		tee_root_file(t, TEE_REQUEST_LOCK, stamps[i], strlen(stamps[i]));
		assert_int_equal(tee_worker_run(&t->env, &paced, &p->shared, deadline_in_ms(5000), NULL), 0);
		assert_true(p->ran_at - begin < 250 * NSEC_PER_MSEC);
	}
}

static void killed_child(void **state)
{
	static const struct tee_job job = { .what = "dying", .run = die, .exclusive = true };
	struct tee_root *t = *state;
	struct probe *p _cleanup_shared_ = tee_shared_new(sizeof(*p));
	_cleanup_err_ struct err *e = NULL;

	assert_non_null(p);
	assert_true(tee_worker_run(&t->env, &job, &p->shared, deadline_in_ms(5000), &e) < 0);
	assert_int_equal(err_class(e), ERR_INTERNAL);
	assert_non_null(strstr(err_message(e), "signal 9"));
	/* and the lock died with it */
	assert_int_equal(tee_worker_run(&t->env, &exclusive, &p->shared, deadline_in_ms(5000), NULL), 0);
}

static void cancelled(void **state)
{
	struct tee_root *t = *state;
	struct probe *p _cleanup_shared_ = tee_shared_new(sizeof(*p));
	_cleanup_err_ struct err *e = NULL;

	assert_non_null(p);
	p->sleep_ms = 300;
	clock_cancel();
	assert_true(tee_worker_run(&t->env, &plain, &p->shared, (struct deadline){ UINT64_MAX }, &e) < 0);
	clock_cancel_reset();
	assert_int_equal(err_class(e), ERR_TIMEOUT);
	assert_non_null(strstr(err_message(e), "cancelled"));
	clock_sleep_ms(500, (struct deadline){ UINT64_MAX }); /* it may still write below our root */
}

static void lock_file_faults(void **state)
{
	struct tee_root *t = *state;
	struct probe *p _cleanup_shared_ = tee_shared_new(sizeof(*p));
	_cleanup_err_ struct err *e = NULL, *e2 = NULL;

	assert_non_null(p);
	tee_root_dir(t, "run/cryptattest");
	assert_int_equal(symlinkat("/etc/hostname", t->env.root_fd, TEE_REQUEST_LOCK), 0);
	assert_true(tee_worker_run(&t->env, &exclusive, &p->shared, deadline_in_ms(5000), &e) < 0);
	assert_int_equal(err_class(e), ERR_INTERNAL);
	assert_int_equal(err_errno(e), ELOOP);
	assert_int_equal(p->ran_at, 0);
	unlinkat(t->env.root_fd, TEE_REQUEST_LOCK, 0);
	if (geteuid() == 0)
		return; /* root may write anywhere: the rest is for ordinary users */
	assert_int_equal(fchmodat(t->env.root_fd, "run/cryptattest", 0500, 0), 0);
	assert_true(tee_worker_run(&t->env, &exclusive, &p->shared, deadline_in_ms(5000), &e2) < 0);
	assert_int_equal(err_class(e2), ERR_NOEVIDENCE);
	assert_string_equal(err_id(e2), "tee-permission");
	assert_int_equal(fchmodat(t->env.root_fd, "run/cryptattest", 0700, 0), 0);
}

static void numbers(void **state)
{
	char s[21];

	assert_int_equal(tee_format_u64(0, s), 1);
	assert_string_equal(s, "0");
	assert_int_equal(tee_format_u64(4194304, s), 7);
	assert_string_equal(s, "4194304");
	assert_int_equal(tee_format_u64(UINT64_MAX, s), 20);
	assert_string_equal(s, "18446744073709551615");
}

/* The agent is killed while its request waits for another's to end: nothing waits on after it. */
static void killed_before_its_turn(void **state)
{
	struct tee_root *t = *state;
	struct probe *p = tee_shared_new(sizeof(*p));
	_cleanup_close_ int lock = -1;
	pid_t agent;

	assert_non_null(p);
	while (waitpid(-1, NULL, 0) > 0) /* what earlier tests left to finish */
		;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(dir_make(t->env.root_fd, "run/cryptattest", 0700, NULL), 0);
	lock = openat(t->env.root_fd, TEE_REQUEST_LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(lock >= 0 && flock(lock, LOCK_EX) == 0);
	agent = fork();
	assert_true(agent >= 0);
	if (agent == 0) {
		close(lock);
		tee_worker_run(&t->env, &exclusive, &p->shared, deadline_in_ms(60000), NULL);
		_exit(1);
	}
	clock_sleep_ms(200, (struct deadline){ UINT64_MAX });
	assert_int_equal(kill(agent, SIGKILL), 0);
	assert_int_equal(waitpid(agent, NULL, 0), agent);
	for (int i = 0; waitpid(-1, NULL, WNOHANG) >= 0; i++) {
		assert_true(i < 250);
		clock_sleep_ms(20, (struct deadline){ UINT64_MAX });
	}
	assert_false(p->shared.begun);
	tee_shared_freep(&p);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tee_root_setup, tee_root_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(isolation), TEST(low_descriptors), TEST(deadline_leaves_the_child_alone),
		TEST(serialised), TEST(pacing),		TEST(strange_stamps),
		TEST(killed_child), TEST(cancelled),	TEST(lock_file_faults),
		TEST(numbers),	TEST(killed_before_its_turn),
	};

	return cmocka_run_group_tests_name("tee_worker", tests, NULL, NULL);
}
