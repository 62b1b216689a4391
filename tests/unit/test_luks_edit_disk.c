/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Header changes and everybody else on the disk: locks of others, cryptsetup at the same time, disks that take no writes. */
#include "tests/unit/luks_edit.h"

#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"

#define HEADERS 32768

static void test_lock(void **state)
{
	_cleanup_luks_edit_ struct luks_edit *e = NULL;
	_cleanup_close_ int other = -1;
	struct opened o;
	pid_t pid;

	image_copy("base", "lock");
	opened_volume(&o, "lock");
	assert_ok(add(&o, &strict, -1, &e, &_err));
	other = open(image_path("lock"), O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(other, LOCK_EX), 0);
	clock_cancel(); /* else it would wait */
	assert_fails(luks_edit_hold(e, &_err), ERR_BUSY, "header-lock");
	clock_cancel_reset();
	pid = fork();
	if (pid == 0) {
		usleep(150000);
		flock(other, LOCK_UN);
		_exit(0);
	}
	assert_ok(luks_edit_hold(e, &_err)); /* waits for the other to end */
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), -1);
	opened_close(&o);
}

/* cryptsetup waits for us, and then finds our keyslot. */
static void test_lock_cryptsetup(void **state)
{
	struct luks_edit *e = NULL;
	struct opened o;
	int status;
	pid_t pid;

	image_copy("base", "both");
	opened_volume(&o, "both");
	assert_ok(add(&o, &strict, -1, &e, &_err));
	assert_ok(luks_edit_hold(e, &_err));
	pid = fork();
	if (pid == 0) {
		luks_edit_free(e); /* the lock lives as long as any copy of the descriptor */
		image_cryptsetup("luksAddKey --key-file %P --pbkdf pbkdf2 --pbkdf-force-iterations 1000 %NAME %Q", "both");
		_exit(0);
	}
	usleep(300000);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	assert_ok(luks_edit_write(e, &_err));
	luks_edit_free(e);
	opened_close(&o);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(opens("both", NEW_PASS), 1);
	assert_int_equal(opens("both", IMAGE_PASS2), 2);
	assert_int_equal(opens("both", IMAGE_PASS), 0);
}

/* The lock file of a block device: somebody else holds it, and it is removed while we wait. */
static void test_lock_block(void **state)
{
	_cleanup_close_ int held = -1, got = -1, second = -1;
	char dir[256], path[300];
	struct stat a, b;
	pid_t pid;

	snprintf(dir, sizeof(dir), "%s", image_path("locks"));
	snprintf(path, sizeof(path), "%s/L_254:3", dir);
	assert_ok(edit_lock_block(dir, 0xfe03, &held, &_err));
	assert_int_equal(access(path, F_OK), 0);
	clock_cancel();
	assert_fails(edit_lock_block(dir, 0xfe03, &second, &_err), ERR_BUSY, "header-lock");
	clock_cancel_reset();
	pid = fork();
	if (pid == 0) {
		usleep(150000);
		unlink(path);
		close(held);
		_exit(0);
	}
	close(held); /* the child has it now */
	held = -1;
	assert_ok(edit_lock_block(dir, 0xfe03, &got, &_err));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(fstat(got, &a), 0);
	assert_int_equal(stat(path, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
}

static void test_read_only(void **state)
{
	_cleanup_luks_edit_ struct luks_edit *e = NULL;
	bool root = geteuid() == 0;
	struct opened o;

	image_copy("base", "ro");
	opened_volume(&o, "ro");
	assert_ok(add(&o, &strict, -1, &e, &_err));
	assert_int_equal(chmod(image_dir(), 0755), 0);
	assert_int_equal(chmod(image_path("ro"), 0444), 0);
	assert_true(!root || seteuid(65534) == 0);
	assert_fails(luks_edit_hold(e, &_err), ERR_DEVICE, "device-read-only");
	assert_true(!root || seteuid(0) == 0);
	assert_true(luks_edit_untouched(e));
	opened_close(&o);
}

/* The file system ends before the new area: nothing points there yet. */
static void test_no_space(void **state)
{
	_cleanup_luks_edit_ struct luks_edit *e = NULL;
	_cleanup_free_ uint8_t *before = NULL, *after = NULL;
	struct rlimit old, small;
	struct opened o;

	image_copy("base", "space");
	before = whole("space");
	opened_volume(&o, "space");
	assert_ok(add(&o, &strict, -1, &e, &_err));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 300000;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_fails(luks_edit_write(e, &_err), ERR_DEVICE, "header-write");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_true(luks_edit_untouched(e));
	after = whole("space");
	assert_memory_equal(before, after, HEADERS);
	opened_close(&o);
}

static int make_images(void **state)
{
	image_format("base", "--sector-size 512");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lock),	  cmocka_unit_test(test_lock_cryptsetup), cmocka_unit_test(test_lock_block),
		cmocka_unit_test(test_read_only), cmocka_unit_test(test_no_space),
	};

	image_tool_or_skip();
	return cmocka_run_group_tests(tests, make_images, NULL);
}
