/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/loopback/kbsd_run.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fileio.h"

static const char *program(void)
{
	static char path[4096];
	const char *top = getenv("TOP_BUILDDIR");

	snprintf(path, sizeof(path), "%s/cryptattest-kbs", top ? top : ".");
	return path;
}

static void nap(void)
{
	const struct timespec ms5 = { .tv_nsec = 5000000 };

	nanosleep(&ms5, NULL);
}

static const char *expand(const struct kbsd *k, const char *word)
{
	if (strcmp(word, "DIR") == 0)
		return k->dir;
	return strcmp(word, "ROOTS") == 0 ? k->roots : word;
}

static pid_t spawn(const struct kbsd *k, const char *const *words, int in, int out)
{
	const char *argv[64] = { "cryptattest-kbs" };
	size_t n = 1;
	pid_t pid;

	for (; words[n - 1]; n++) {
		assert_true(n < 62);
		argv[n] = expand(k, words[n - 1]);
	}
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
			_exit(126);
		execv(program(), (char *const *)argv);
		_exit(127);
	}
	return pid;
}

static int reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int kbsd_command(struct kbsd *k, const char *input, char *out, const char *const *words)
{
	char in_path[96], out_path[96];
	int in, fd, code;

	snprintf(in_path, sizeof(in_path), "%s/in", k->top);
	snprintf(out_path, sizeof(out_path), "%s/out", k->top);
	assert_int_equal(file_write_atomic(AT_FDCWD, in_path, input ? input : "", input ? strlen(input) : 0, 0600, NULL), 0);
	in = open(in_path, O_RDONLY | O_CLOEXEC);
	fd = open(out_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(in >= 0 && fd >= 0);
	code = reap(spawn(k, words, in, fd));
	if (out) {
		ssize_t n = pread(fd, out, 4095, 0);

		assert_true(n >= 0);
		out[n] = '\0';
	}
	close(in);
	close(fd);
	return code;
}

void kbsd_setup(struct kbsd *k)
{
	char out[4096];

	*k = (struct kbsd){ 0 };
	snprintf(k->top, sizeof(k->top), "/tmp/kbsd-test-XXXXXX");
	assert_non_null(mkdtemp(k->top));
	assert_int_equal(chmod(k->top, 0755), 0);
	snprintf(k->dir, sizeof(k->dir), "%s/kbs", k->top);
	snprintf(k->roots, sizeof(k->roots), "%s/roots.pem", k->top);
	snprintf(k->log, sizeof(k->log), "%s/log", k->top);
	assert_int_equal(testpki_open(NULL, &k->pki, NULL), 0);
	const char *roots = testpki_roots(k->pki);
	assert_int_equal(file_write_atomic(AT_FDCWD, k->roots, roots, strlen(roots), 0644, NULL), 0);
	const char *const as_user[] = { "init", "--ip", "127.0.0.1", "DIR", NULL };
	const char *const as_root[] = { "init", "--ip", "127.0.0.1", "--user", "nobody", "DIR", NULL };
	if (kbsd_command(k, NULL, out, geteuid() == 0 ? as_root : as_user) != 0)
		fail_msg("init: %s", out);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

void kbsd_teardown(struct kbsd *k)
{
	if (k->pid)
		kbsd_stop(k);
	nftw(k->top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	testpki_free(k->pki);
}

/* Inlined, gcc 12 at -O2 takes the text for its local variable and warns of a dangling pointer. */
__attribute__((noinline)) char *kbsd_log_read(struct kbsd *k)
{
	char *text = NULL;
	size_t len;

	assert_int_equal(file_read(AT_FDCWD, k->log, 16 << 20, ERR_CONFIG, &text, &len, NULL), 0);
	return text;
}

bool kbsd_log_has(struct kbsd *k, const char *text)
{
	for (int i = 0; i < 400; i++) {
		_cleanup_free_ char *log = kbsd_log_read(k);

		if (strstr(log, text))
			return true;
		nap();
	}
	return false;
}

void kbsd_start(struct kbsd *k, const char *const *options)
{
	const char *words[48] = { "serve", "--dir", "DIR", "--listen", "127.0.0.1:0" };
	size_t n = 5;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC),
	    log = open(k->log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);

	assert_true(null >= 0 && log >= 0 && !k->pid);
	while (options && *options)
		words[n++] = *options++;
	k->pid = spawn(k, words, null, log);
	close(null);
	close(log);
	bool up = false;
	for (int i = 0; i < 10 && !up; i++) /* valgrind and sanitizers take their time */
		up = kbsd_log_has(k, "listening on https://127.0.0.1:");
	if (!up) {
		_cleanup_free_ char *text = kbsd_log_read(k);

		fail_msg("the server does not start: %s", text);
	}
	_cleanup_free_ char *text = kbsd_log_read(k);
	k->port = atoi(strstr(text, "https://127.0.0.1:") + strlen("https://127.0.0.1:"));
}

int kbsd_stop(struct kbsd *k)
{
	pid_t pid = k->pid;

	assert_true(pid > 0);
	k->pid = 0;
	kill(pid, SIGTERM);
	return reap(pid);
}

static unsigned int count(const char *text, const char *what)
{
	unsigned int n = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

void kbsd_hup(struct kbsd *k)
{
	_cleanup_free_ char *before = kbsd_log_read(k);

	assert_int_equal(kill(k->pid, SIGHUP), 0);
	for (int i = 0; i < 400; i++) {
		_cleanup_free_ char *now = kbsd_log_read(k);

		if (count(now, "reload: done") > count(before, "reload: done"))
			return;
		nap();
	}
	fail_msg("no reload");
}

void kbsd_write(struct kbsd *k, const char *name, const char *text, mode_t mode)
{
	char path[256];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", k->dir, name);
	assert_int_equal(file_write_atomic(AT_FDCWD, path, text, strlen(text), mode, NULL), 0);
	assert_int_equal(stat(k->dir, &st), 0);
	assert_int_equal(chown(path, st.st_uid, st.st_gid), 0);
}

void kbsd_add_secret(struct kbsd *k, const char *name, const char *text)
{
	char out[4096];

	if (KBSD(k, text, out, "resource", "add", "--dir", "DIR", "--replace", name) != 0)
		fail_msg("resource add %s: %s", name, out);
}
