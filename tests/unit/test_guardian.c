/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What a killed agent leaves is removed by its guardian, under the lock, and only what is the agent's. The agent is a process that
 * talks to its guardian and then sleeps until it is killed; mappings are the recorder's files, as a killed activation leaves them.
 */
#include "tests/lib/check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "state/state.h"
#include "tests/lib/mapper_recorder.h"
#include "unlock/guardian.h"

#define UUID "6f1c2d3e-0000-4000-8000-00000000000a"
#define OF_ROOT "CRYPT-LUKS2-6f1c2d3e00004000800000000000000a-root"
#define PRIVATE "cryptattest-0123456789abcdef"
#define WAIT_MS 10000

static char top[] = "/tmp/test_guardian.XXXXXX";
static int root = -1;
static struct mapper_recorder recorder;
static struct mapper mapper;

static void nap_ms(long ms)
{
	const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static void put(const char *path, const char *text)
{
	int fd = openat(root, "new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	assert_int_equal(renameat(root, "new", root, path), 0);
}

static void map(const char *name, const char *uuid, int open_count)
{
	char path[128], text[256];

	snprintf(path, sizeof(path), "mapper/%s", name);
	snprintf(text, sizeof(text), "uuid %s\ndev 254:0\nopen %d\nro 0\n", uuid, open_count);
	put(path, text);
}

static bool mapped(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "mapper/%s", name);
	return faccessat(root, path, F_OK, 0) == 0;
}

static bool console_says(const char *what)
{
	char text[4096] = "";
	int fd = openat(root, "dev/kmsg", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) >= 0);
	close(fd);
	return strstr(text, what) != NULL;
}

/* A record as it stands between the name's being given and its being said to be open. */
static void write_record(const char *volume_state)
{
	struct state *st = NULL;
	struct state_volume *sv;

	assert_ok(state_load(root, &st, &_err));
	sv = state_volume_get(st, "root", true);
	assert_non_null(sv);
	assert_ok(state_set(&st->result, "running", &_err));
	assert_ok(state_set(&st->cap, "none", &_err));
	assert_ok(state_set(&sv->state, volume_state, &_err));
	assert_ok(state_set(&sv->uuid, UUID, &_err));
	assert_ok(state_save(root, st, &_err));
	state_free(st);
}

static void assert_record(const char *result, const char *volume_state, const char *reason)
{
	struct state *st = NULL;
	struct state_volume *sv;

	assert_ok(state_load(root, &st, &_err));
	sv = state_volume_get(st, "root", false);
	assert_non_null(sv);
	assert_string_equal(st->result, result);
	assert_string_equal(sv->state, volume_state);
	if (reason)
		assert_string_equal(sv->reason_id, reason);
	state_free(st);
}

/* How far the agent gets. */
enum { STARTS, HOLDS, EXPECTS, RELEASES };

static void agent(int ready, int how_far)
{
	struct guardian *g = NULL;
	int lock = -1;

	if (guardian_start(&mapper, root, NULL, NULL, &g, NULL) < 0)
		_exit(1);
	if (how_far >= HOLDS && (state_lock(root, deadline_in_ms(WAIT_MS), &lock, NULL) < 0 || guardian_hold(g, lock, NULL) < 0))
		_exit(2);
	if (how_far >= EXPECTS && guardian_expect(g, "root", UUID, NULL) < 0)
		_exit(3);
	if (how_far >= RELEASES)
		guardian_release(g);
	if (write(ready, "r", 1) != 1)
		_exit(4);
	for (;;)
		pause();
}

/* ret_out: read end of what the agent has as output. */
static pid_t start_agent(int how_far, int *ret_out)
{
	int fds[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fds[0]);
		dup2(fds[1], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		agent(fds[1], how_far);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &c, 1), 1);
	*ret_out = fds[0];
	return pid;
}

static pid_t guardian_of(pid_t agent_pid)
{
	char path[64], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)agent_pid, (int)agent_pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return (pid_t)atol(text);
}

static void kill_agent(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* The guardian has become our child. */
static void wait_for_guardian(void)
{
	for (int i = 0; waitpid(-1, NULL, WNOHANG) == 0; i++) {
		assert_true(i < WAIT_MS / 5);
		nap_ms(5);
	}
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static bool lock_is_free(void)
{
	int fd = openat(root, STATE_DIR "/lock", O_RDWR | O_CLOEXEC);
	bool is_free = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;

	close(fd);
	return is_free;
}

static void run_and_kill(int how_far)
{
	int out;
	pid_t pid = start_agent(how_far, &out);

	kill_agent(pid);
	wait_for_guardian();
	close(out);
}

static void test_unfinished_name(void **state)
{
	map("root", OF_ROOT, 0);
	map("root_dif", "CRYPT-INTEGRITY-6f1c2d3e00004000800000000000000a-root_dif", 0);
	write_record("private");
	run_and_kill(EXPECTS);
	assert_false(mapped("root"));
	assert_false(mapped("root_dif"));
	assert_true(console_says("root: not finished, so /dev/mapper/root is taken back"));
	assert_record("failed", "failed", "killed");
	assert_true(lock_is_free());
}

/* Recorded as open, but by a run that did not come to its end. */
static void test_recorded_open(void **state)
{
	map("root", OF_ROOT, 0);
	write_record("open");
	run_and_kill(EXPECTS);
	assert_false(mapped("root"));
	assert_record("failed", "failed", "killed");
}

static void test_private_name(void **state)
{
	map(PRIVATE, "CRYPT-LUKS2-6f1c2d3e00004000800000000000000a-" PRIVATE, 0);
	map("root", OF_ROOT, 0); /* opened by an earlier run: not expected by this one */
	write_record("open");
	run_and_kill(HOLDS);
	assert_false(mapped(PRIVATE));
	assert_true(mapped("root"));
	assert_true(console_says("removed 1 private mapping"));
	assert_record("failed", "open", NULL);
}

/* Without the lock nothing is ours: the private mapping belongs to the run that holds it. */
static void test_before_the_lock(void **state)
{
	map(PRIVATE, "CRYPT-LUKS2-6f1c2d3e00004000800000000000000a-" PRIVATE, 0);
	run_and_kill(STARTS);
	assert_true(mapped(PRIVATE));
	assert_false(console_says("cryptattest"));
}

static void test_run_that_ended(void **state)
{
	map("root", OF_ROOT, 0);
	write_record("open");
	run_and_kill(RELEASES);
	assert_true(mapped("root"));
	assert_false(console_says("cryptattest"));
	assert_record("running", "open", NULL);
}

/* While udev's blkid has it open. Until it is gone nobody else gets the lock, and nobody waits for our output. */
static void test_in_use_for_a_moment(void **state)
{
	struct pollfd p = { .events = POLLIN };
	pid_t pid;
	char c;

	map("root", OF_ROOT, 1);
	write_record("private");
	pid = start_agent(EXPECTS, &p.fd);
	kill_agent(pid);
	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_int_equal(read(p.fd, &c, 1), 0);
	close(p.fd);
	nap_ms(100);
	assert_true(mapped("root"));
	assert_false(lock_is_free());
	map("root", OF_ROOT, 0);
	wait_for_guardian();
	assert_false(mapped("root"));
	assert_true(lock_is_free());
}

static void test_somebody_elses(void **state)
{
	map("root", "LVM-root", 0);
	write_record("private");
	run_and_kill(EXPECTS);
	assert_true(mapped("root"));
	assert_true(console_says("root: not finished, but /dev/mapper/root stays"));
	assert_record("failed", "private", NULL);
}

/* A service manager or a terminal signals every process of the run. */
static void test_signals(void **state)
{
	static const int all[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGALRM, SIGUSR1, SIGPIPE };
	int out;
	pid_t pid, g;

	map("root", OF_ROOT, 0);
	write_record("private");
	pid = start_agent(EXPECTS, &out);
	g = guardian_of(pid);
	for (int i = 0; getsid(g) == getsid(0); i++) {
		assert_true(i < WAIT_MS / 5);
		nap_ms(5);
	}
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		assert_int_equal(kill(g, all[i]), 0);
	nap_ms(50);
	assert_true(mapped("root"));
	kill_agent(pid);
	wait_for_guardian();
	close(out);
	assert_false(mapped("root"));
}

/* Without a guardian nothing is made public. */
static void test_guardian_gone(void **state)
{
	struct guardian *g = NULL;
	pid_t pid;

	assert_fails(guardian_expect(NULL, "root", UUID, &_err), ERR_INTERNAL, "guardian");
	assert_ok(guardian_start(&mapper, root, NULL, NULL, &g, &_err));
	assert_ok(guardian_expect(g, "root", UUID, &_err));
	pid = guardian_of(getpid());
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_fails(guardian_expect(g, "root", UUID, &_err), ERR_INTERNAL, "guardian");
	guardian_stop(g);
}

static void report_and_hang(void *ctx, enum guardian_cause cause, guardian_say *say, void *say_ctx)
{
	say(say_ctx, cause == GUARDIAN_OVERDUE ? "what the report says" : "another cause");
	for (;;)
		pause();
}

/* The run that is out of time waits for its report, but not for ever; one that hangs keeps nothing mapped, and is not made a second time. */
static void test_overdue(void **state)
{
	struct guardian *g = NULL;
	struct deadline limit;
	int lock = -1;

	map("root", OF_ROOT, 0);
	write_record("private");
	guardian_overdue(NULL);
	assert_ok(guardian_start(&mapper, root, report_and_hang, NULL, &g, &_err));
	guardian_overdue(g); /* nothing was begun: nothing to report */
	assert_false(console_says("cryptattest"));
	assert_ok(state_lock(root, deadline_in_ms(WAIT_MS), &lock, &_err));
	assert_ok(guardian_hold(g, lock, &_err));
	close(lock);
	assert_ok(guardian_expect(g, "root", UUID, &_err));
	limit = deadline_in_ms(WAIT_MS);
	guardian_overdue(g);
	assert_false(deadline_passed(limit));
	assert_true(console_says("the agent is out of time"));
	assert_true(console_says("what the report says"));
	assert_true(mapped("root"));
	guardian_stop(g);
	assert_false(mapped("root"));
	assert_false(console_says("another cause"));
	assert_record("failed", "failed", "killed");
}

static int fresh(void **state)
{
	char command[128];

	/* Fixed words and a name of mkdtemp(): nothing to quote. */
	snprintf(command, sizeof(command), "cd %s && rm -rf ./* && mkdir mapper run dev && : >dev/kmsg", top);
	return system(command);
}

static int make_root(void **state)
{
	char dir[64];

	if (!mkdtemp(top) || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return -1;
	snprintf(dir, sizeof(dir), "%s/mapper", top);
	root = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mapper_recorder_init(&recorder, dir);
	mapper = mapper_recorder_get(&recorder);
	return root < 0 ? -1 : 0;
}

static int remove_root(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_unfinished_name, fresh),
		cmocka_unit_test_setup(test_recorded_open, fresh),
		cmocka_unit_test_setup(test_private_name, fresh),
		cmocka_unit_test_setup(test_before_the_lock, fresh),
		cmocka_unit_test_setup(test_run_that_ended, fresh),
		cmocka_unit_test_setup(test_in_use_for_a_moment, fresh),
		cmocka_unit_test_setup(test_somebody_elses, fresh),
		cmocka_unit_test_setup(test_signals, fresh),
		cmocka_unit_test_setup(test_guardian_gone, fresh),
		cmocka_unit_test_setup(test_overdue, fresh),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
