/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"

static int dir = -1;
static char path[] = "/tmp/test_fileio.XXXXXX";

static int make_dir(void **state)
{
	if (!mkdtemp(path))
		return -1;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0;
}

static int remove_dir(void **state)
{
	static const char *const files[] = { "f", "d/e/g" }, *const dirs[] = { "d/e", "d" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		unlinkat(dir, files[i], 0);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		unlinkat(dir, dirs[i], AT_REMOVEDIR);
	close(dir);
	/* Fails when a temporary file was left behind. */
	return rmdir(path);
}

static void write_and_read(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t n;

	assert_int_equal(file_write_atomic(dir, "f", "one\0two", 7, 0640, NULL), 0);
	assert_int_equal(fstatat(dir, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(file_read(dir, "f", 7, ERR_CONFIG, &text, &n, NULL), 0);
	assert_int_equal(n, 7);
	assert_memory_equal(text, "one\0two", 8);
	free(text);
	assert_int_equal(file_write_atomic(dir, "f", "", 0, 0600, NULL), 0);
	assert_int_equal(file_read(dir, "f", 7, ERR_CONFIG, &text, &n, NULL), 0);
	assert_int_equal(n, 0);
	assert_string_equal(text, "");
}

static void limits(void **state)
{
	_cleanup_err_ struct err *e = NULL;
	char *text = NULL;
	size_t n = 9;

	assert_int_equal(file_write_atomic(dir, "f", "12345", 5, 0600, NULL), 0);
	assert_true(file_read(dir, "f", 4, ERR_DEVICE, &text, &n, &e) < 0);
	assert_int_equal(err_class(e), ERR_DEVICE);
	assert_int_equal(err_errno(e), EFBIG);
	assert_null(text);
	assert_int_equal(n, 9);
	err_clear(&e);
	assert_true(file_read(dir, "absent", 4, ERR_CONFIG, &text, &n, &e) < 0);
	assert_int_equal(err_class(e), ERR_CONFIG);
	assert_int_equal(err_errno(e), ENOENT);
	assert_string_equal(err_message(e), "absent: cannot open: No such file or directory");
	err_clear(&e);
	assert_true(file_read(dir, ".", 4, ERR_CONFIG, &text, &n, &e) < 0);
	assert_int_equal(err_errno(e), EISDIR);
}

static void exact(void **state)
{
	_cleanup_err_ struct err *e = NULL;
	_cleanup_close_ int fd = -1;
	char out[8] = "";

	assert_int_equal(file_write_atomic(dir, "f", "12345", 5, 0600, NULL), 0);
	fd = openat(dir, "f", O_RDONLY);
	assert_int_equal(fd_pread_exact(fd, out, 3, 2, NULL), 0);
	assert_string_equal(out, "345");
	assert_true(fd_pread_exact(fd, out, 3, 3, &e) < 0);
	assert_int_equal(err_class(e), ERR_DEVICE);
	err_clear(&e);
	assert_true(fd_pread_exact(fd, out, 1, UINT64_MAX, &e) < 0);
	assert_int_equal(err_class(e), ERR_DEVICE);
	err_clear(&e);
	assert_true(fd_write_all(fd, "x", 1, &e) < 0);
	assert_int_equal(err_class(e), ERR_INTERNAL);
	assert_int_equal(err_errno(e), EBADF);
}

static void directories(void **state)
{
	_cleanup_err_ struct err *e = NULL;
	struct stat st;

	assert_int_equal(dir_make(dir, "d/e", 0700, NULL), 0);
	assert_int_equal(dir_make(dir, "d/e", 0700, NULL), 0);
	assert_int_equal(fstatat(dir, "d/e", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(file_write_atomic(dir, "d/e/g", "x", 1, 0600, NULL), 0);
	assert_true(dir_make(dir, "d/e/g", 0700, &e) < 0);
	assert_int_equal(err_errno(e), ENOTDIR);
	err_clear(&e);
	assert_true(file_write_atomic(dir, "no/such", "x", 1, 0600, &e) < 0);
	assert_int_equal(err_errno(e), ENOENT);
	err_clear(&e);
	/* A directory in the way: the temporary file goes away again. */
	assert_true(file_write_atomic(dir, "d", "x", 1, 0600, &e) < 0);
	assert_int_equal(err_errno(e), EISDIR);
	err_clear(&e);
	assert_true(file_write_atomic(dir, "d/", "x", 1, 0600, &e) < 0);
	assert_int_equal(err_class(e), ERR_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(write_and_read),
		cmocka_unit_test(limits),
		cmocka_unit_test(exact),
		cmocka_unit_test(directories),
	};

	return cmocka_run_group_tests_name("fileio", tests, make_dir, remove_dir);
}
