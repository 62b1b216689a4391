/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/log.h"
#include "state/record.h"
#include "tests/lib/mutate.h"

static const char boot_a[] = "11111111-2222-3333-4444-555555555555\n", boot_b[] = "99999999-2222-3333-4444-555555555555\n";
static char path[] = "/tmp/test_state.XXXXXX";
static int root = -1;

static void set_boot(const char *id)
{
	assert_int_equal(dir_make(root, "proc/sys/kernel/random", 0755, NULL), 0);
	assert_int_equal(file_write_atomic(root, "proc/sys/kernel/random/boot_id", id, strlen(id), 0444, NULL), 0);
}

static int make_root(void **state)
{
	log_init("test", LOGL_ERROR, false);
	if (!mkdtemp(path))
		return -1;
	root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root < 0;
}

static int remove_root(void **state)
{
	static const char *const files[] = { "run/cryptattest/status.json", "run/cryptattest/lock",
					     "proc/sys/kernel/random/boot_id" };
	static const char *const dirs[] = { "run/cryptattest",	     "run",	 "proc/sys/kernel/random",
					    "proc/sys/kernel", "proc/sys", "proc" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		unlinkat(root, files[i], 0);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		unlinkat(root, dirs[i], AT_REMOVEDIR);
	close(root);
	return rmdir(path);
}

static struct state *load(void)
{
	struct state *s = NULL;
	_cleanup_err_ struct err *e = NULL;

	if (state_load(root, &s, &e) < 0)
		fail_msg("%s", err_message(e));
	return s;
}

static void save_sample(void)
{
	struct state *s = load();
	struct state_volume *v;

	assert_int_equal(state_set(&s->result, "ok", NULL), 0);
	assert_int_equal(state_set(&s->cap, "none", NULL), 0);
	s->exit_code = 4;
	v = state_volume_get(s, "root", true);
	assert_non_null(v);
	state_set(&v->uuid, "6f1c1d2e-aaaa-bbbb-cccc-0123456789ab", NULL);
	state_set(&v->state, "open", NULL);
	v = state_volume_get(s, "data", true);
	state_set(&v->state, "refused", NULL);
	state_set(&v->reason_id, "kbs-policy-deny", NULL);
	state_set(&v->reason_class, "refused", NULL);
	state_set(&v->reason_message, "broker said no", NULL);
	assert_int_equal(state_save(root, s, NULL), 0);
	state_free(s);
}

/* Byte for byte the form of contracts.md 5. */
static void exact_form(void **state)
{
	static const char want[] =
		"{\"version\":1,\"boot_id\":\"11111111-2222-3333-4444-555555555555\",\"result\":\"ok\",\"exit\":4,\"cap\":\"none\",\"cap_event\":null,\"cap_outcome\":null,"
		"\"volumes\":[{\"name\":\"root\",\"uuid\":\"6f1c1d2e-aaaa-bbbb-cccc-0123456789ab\",\"device\":null,\"dm_uuid\":null,"
		"\"phase\":null,\"state\":\"open\",\"source\":null,\"vk_id\":null,\"header_id\":null,\"sealed\":null,\"reason\":null},"
		"{\"name\":\"data\",\"uuid\":null,\"device\":null,\"dm_uuid\":null,\"phase\":null,\"state\":\"refused\","
		"\"source\":null,\"vk_id\":null,\"header_id\":null,\"sealed\":null,\"reason\":{\"id\":\"kbs-policy-deny\",\"class\":\"refused\","
		"\"message\":\"broker said no\",\"hint\":null}}]}";
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t n;

	set_boot(boot_a);
	save_sample();
	assert_int_equal(file_read(root, "run/cryptattest/status.json", 4096, ERR_INTERNAL, &text, &n, NULL), 0);
	assert_string_equal(text, want);
	assert_int_equal(fstatat(root, "run/cryptattest/status.json", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(fstatat(root, "run/cryptattest", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void round_trip(void **state)
{
	struct state *s;
	struct state_volume *v;
	_cleanup_free_ char *a = NULL, *b = NULL;
	size_t n;

	set_boot(boot_a);
	save_sample();
	s = load();
	assert_string_equal(s->result, "ok");
	assert_string_equal(s->cap, "none");
	assert_int_equal(s->exit_code, 4);
	assert_int_equal(s->n_volumes, 2);
	assert_null(state_volume_get(s, "other", false));
	v = state_volume_get(s, "data", false);
	assert_string_equal(v->reason_id, "kbs-policy-deny");
	assert_null(v->reason_hint);
	assert_null(v->uuid);
	assert_ptr_equal(state_volume_get(s, "data", true), v);
	assert_int_equal(file_read(root, "run/cryptattest/status.json", 4096, ERR_INTERNAL, &a, &n, NULL), 0);
	assert_int_equal(state_json(s, &b, NULL), 0);
	assert_string_equal(a, b);
	assert_null(s->cap_event);
	assert_null(s->cap_outcome);
	assert_int_equal(state_set(&s->cap_event, "cryptattest:cap:v1\n-\n", NULL), 0);
	assert_int_equal(state_set(&s->cap_outcome, "kbs+vtpm", NULL), 0);
	assert_int_equal(state_save(root, s, NULL), 0);
	state_free(s);
	s = load();
	assert_string_equal(s->cap_event, "cryptattest:cap:v1\n-\n");
	assert_string_equal(s->cap_outcome, "kbs+vtpm");
	state_free(s);
}

static void expect_empty(void)
{
	struct state *s = load();

	assert_null(s->result);
	assert_null(s->cap);
	assert_int_equal(s->exit_code, 0);
	assert_int_equal(s->n_volumes, 0);
	assert_string_equal(s->boot_id, "11111111-2222-3333-4444-555555555555");
	state_free(s);
}

static void not_ours(void **state)
{
	static const char file[] = "run/cryptattest/status.json";

	set_boot(boot_a);
	unlinkat(root, file, 0);
	expect_empty();

	set_boot(boot_b);
	save_sample();
	set_boot(boot_a);
	expect_empty();

	save_sample();
	assert_int_equal(fchmodat(root, file, 0620, 0), 0);
	expect_empty();
	assert_int_equal(fchmodat(root, file, 0602, 0), 0);
	expect_empty();
	assert_int_equal(fchmodat(root, file, 0600, 0), 0);
	assert_int_equal(fchmodat(root, "run/cryptattest", 0720, 0), 0);
	expect_empty();
	assert_int_equal(fchmodat(root, "run/cryptattest", 0700, 0), 0);
	if (geteuid() == 0) {
		assert_int_equal(fchownat(root, file, 12345, 0, 0), 0);
		expect_empty();
		assert_int_equal(fchownat(root, file, 0, 0, 0), 0);
		assert_int_equal(fchownat(root, "run/cryptattest", 12345, 0, 0), 0);
		expect_empty();
		assert_int_equal(fchownat(root, "run/cryptattest", 0, 0, 0), 0);
	}
	/* A link to a good record is not a record; a FIFO must not make us wait. */
	assert_int_equal(renameat(root, file, root, "elsewhere"), 0);
	assert_int_equal(symlinkat("../../elsewhere", root, file), 0);
	expect_empty();
	unlinkat(root, file, 0);
	assert_int_equal(mkfifoat(root, file, 0600), 0);
	expect_empty();
	unlinkat(root, file, 0);
	assert_int_equal(renameat(root, "elsewhere", root, file), 0);
	{
		struct state *s = load();

		assert_int_equal(s->n_volumes, 2);
		state_free(s);
	}
}

static void foreign_directory(void **state)
{
	_cleanup_err_ struct err *e = NULL;
	struct state *s;
	int fd = -1;

	set_boot(boot_a);
	s = load();
	assert_int_equal(fchmodat(root, "run/cryptattest", 0777, 0), 0);
	assert_true(state_save(root, s, &e) < 0);
	assert_int_equal(err_class(e), ERR_INTERNAL);
	assert_string_equal(err_id(e), "state-dir");
	assert_true(state_lock(root, deadline_in_ms(10), &fd, NULL) < 0);
	assert_int_equal(fd, -1);
	assert_int_equal(fchmodat(root, "run/cryptattest", 0700, 0), 0);
	state_free(s);
}

static void wrong_records(void **state)
{
	static const char *const bad[] = {
		"", "[]", "{}", "null",
		"{\"version\":2,\"boot_id\":\"a\",\"result\":\"ok\",\"exit\":0,\"cap\":\"none\",\"volumes\":[]}",
		"{\"version\":1,\"boot_id\":\"a\",\"result\":\"ok\",\"exit\":-1,\"cap\":\"none\",\"volumes\":[]}",
		"{\"version\":1,\"boot_id\":\"a\",\"result\":\"ok\",\"exit\":256,\"cap\":\"none\",\"volumes\":[]}",
		"{\"version\":1,\"boot_id\":7,\"result\":\"ok\",\"exit\":0,\"cap\":\"none\",\"volumes\":[]}",
		"{\"version\":1,\"boot_id\":\"a\",\"result\":\"ok\",\"exit\":0,\"cap\":\"none\"}",
		"{\"version\":1,\"boot_id\":\"a\",\"result\":\"ok\",\"exit\":0,\"cap\":\"none\",\"volumes\":[1]}",
		"{\"version\":1,\"boot_id\":\"a\",\"result\":\"ok\",\"exit\":0,\"cap\":\"none\",\"volumes\":[{}]}",
		"{\"version\":1,\"boot_id\":\"a\",\"result\":\"ok\",\"exit\":0,\"cap\":\"none\",\"volumes\":[{\"name\":\"a\",\"state\":1}]}",
		"{\"version\":1,\"boot_id\":\"a\",\"result\":\"ok\",\"exit\":0,\"cap\":\"none\",\"volumes\":[{\"name\":\"a\"},{\"name\":\"a\"}]}",
		"{\"version\":1,\"version\":1,\"boot_id\":\"a\",\"result\":\"ok\",\"exit\":0,\"cap\":\"none\",\"volumes\":[]}",
	};
	static const char good[] = "{\"version\":1,\"boot_id\":\"a\",\"result\":\"ok\",\"exit\":0,\"cap\":\"none\",\"volumes\":[{\"name\":\"a\","
				   "\"reason\":{\"id\":\"x\"},\"later\":1}],\"later\":{}}";
	struct state *s = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_err_ struct err *e = NULL;

		if (state_parse(bad[i], strlen(bad[i]), &s, &e) == 0)
			fail_msg("accepted %s", bad[i]);
		assert_int_equal(err_class(e), ERR_INTEGRITY);
	}
	assert_int_equal(state_parse(good, strlen(good), &s, NULL), 0);
	assert_string_equal(s->volumes[0].reason_id, "x");
	state_free(s);
}

static void no_crash(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	struct state *s = NULL;

	if (state_parse((const char *)data, len, &s, NULL) == 0)
		++*(int *)ctx;
	state_free(s);
}

static void mutations(void **state)
{
	static const char text[] = "{\"version\":1,\"boot_id\":\"a\",\"result\":\"ok\",\"exit\":0,\"cap\":\"none\",\"volumes\":[{\"name\":\"a\","
				   "\"uuid\":null,\"reason\":{\"id\":\"x\"}}]}";
	size_t len = strlen(text);
	int accepted = 0;

	mutate_truncations((const uint8_t *)text, len, 1, no_crash, &accepted);
	assert_int_equal(accepted, 0);
	mutate_bit_flips((const uint8_t *)text, 0, len, len, no_crash, &accepted);
	assert_true(accepted > 0); /* a flip in the text of a name stays a record */
}

static void on_alarm(int sig)
{
	clock_cancel();
}

static void locking(void **state)
{
	_cleanup_err_ struct err *e = NULL;
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval t = { .it_value = { .tv_usec = 60000 } };
	int a = -1, b = -1;

	assert_int_equal(state_lock(root, deadline_in_ms(1000), &a, NULL), 0);
	assert_true(fcntl(a, F_GETFD) & FD_CLOEXEC);
	assert_true(state_lock(root, deadline_in_ms(120), &b, &e) < 0);
	assert_int_equal(err_class(e), ERR_BUSY);
	assert_int_equal(b, -1);
	err_clear(&e);

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
	assert_true(state_lock(root, deadline_in_ms(10000), &b, &e) < 0);
	assert_int_equal(err_class(e), ERR_TIMEOUT);
	clock_cancel_reset();
	close(a);
	assert_int_equal(state_lock(root, deadline_in_ms(1000), &b, NULL), 0);
	close(b);
}

/* A holder that is killed leaves nothing behind. */
static void lock_of_the_dead(void **state)
{
	int p[2], fd = -1, status;
	pid_t pid;
	char c;

	assert_int_equal(pipe(p), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (state_lock(root, deadline_in_ms(1000), &fd, NULL) < 0 || write(p[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(p[0], &c, 1), 1);
	assert_true(state_lock(root, deadline_in_ms(60), &fd, NULL) < 0);
	kill(pid, SIGKILL);
	assert_int_equal(state_lock(root, deadline_in_ms(5000), &fd, NULL), 0);
	waitpid(pid, &status, 0);
	close(fd);
	close(p[0]);
	close(p[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exact_form),	 cmocka_unit_test(round_trip), cmocka_unit_test(not_ours),
		cmocka_unit_test(foreign_directory), cmocka_unit_test(wrong_records), cmocka_unit_test(mutations),
		cmocka_unit_test(locking),	 cmocka_unit_test(lock_of_the_dead),
	};

	return cmocka_run_group_tests_name("state", tests, make_root, remove_root);
}
