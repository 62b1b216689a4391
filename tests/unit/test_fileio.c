/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

static size_t entries(const char *sub)
{
	int fd = openat(dir, sub, O_RDONLY | O_DIRECTORY);
	DIR *d = fdopendir(fd);
	size_t n = 0;

	assert_non_null(d);
	for (const struct dirent *e; (e = readdir(d));)
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(d);
	return n;
}

/* A writer that ends in the middle, as by a power cut: the kernel kills it over a file that becomes too long. */
static void cut_off(const char *name)
{
	const pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
		signal(SIGXFSZ, SIG_DFL);
		setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 4, 4 });
		file_write_atomic(dir, name, "12345678", 8, 0600, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
}

static void left_behind(void **state)
{
	static const char *const others[] = {
		"d/.g.0123456789abcde.tmp",   "d/.g.0123456789abcdef0.tmp", "d/.g.0123456789ABCDEF.tmp",  "d/.gg.0123456789abcdef.tmp",
		"d/.g.0123456789abcdef.tmp~", "d/g.0123456789abcdef.tmp",   "d/.g.0123456789abcdeg.tmp",
	};

	assert_int_equal(dir_make(dir, "d", 0700, NULL), 0);
	for (int i = 0; i < 3; i++)
		cut_off("d/g");
	cut_off("f");
	const size_t before = entries("d");
	assert_true(before >= 3);
	file_clear_temporaries(dir, "d/g");
	assert_int_equal(entries("d"), before - 3);
	/* What only looks like one stays: another number of digits, other digits, another file's, a directory, a link. */
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(file_write_atomic(dir, others[i], "x", 1, 0600, NULL), 0);
	assert_int_equal(mkdirat(dir, "d/.g.0000000000000000.tmp", 0700), 0);
	assert_int_equal(symlinkat("g", dir, "d/.g.0000000000000001.tmp"), 0);
	file_clear_temporaries(dir, "d/g");
	assert_int_equal(entries("d"), before - 3 + ARRAY_SIZE(others) + 2);
	file_clear_temporaries(dir, "f");
	file_clear_temporaries(dir, "no/such");
	file_clear_temporaries(dir, "d/");
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(unlinkat(dir, others[i], 0), 0);
	assert_int_equal(unlinkat(dir, "d/.g.0000000000000000.tmp", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(dir, "d/.g.0000000000000001.tmp", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(write_and_read),
		cmocka_unit_test(limits),
		cmocka_unit_test(exact),
		cmocka_unit_test(directories),
		cmocka_unit_test(left_behind),
	};

	return cmocka_run_group_tests_name("fileio", tests, make_dir, remove_dir);
}
