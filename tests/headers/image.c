/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/headers/image.h"

#include <err.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/headers/edit.h"

#define COPY_SIZE (1024 * 1024) /* header and the first keyslots; the data is never looked at */
#define WORDS_MAX 40

static char dir[64];
static pid_t owner;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	return remove(path);
}

static void remove_dir(void)
{
	if (getpid() == owner)
		nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *image_path(const char *name)
{
	static char path[4][256];
	static unsigned int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", image_dir(), name);
	return path[turn];
}

static void put_file(const char *name, const char *text)
{
	FILE *f = fopen(image_path(name), "we");

	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		err(99, "%s", name);
}

const char *image_dir(void)
{
	if (*dir)
		return dir;
	snprintf(dir, sizeof(dir), "%s/cryptattest-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(dir))
		err(99, "%s", dir);
	owner = getpid();
	atexit(remove_dir);
	put_file("pass", IMAGE_PASS);
	put_file("pass2", IMAGE_PASS2);
	return dir;
}

void image_tool_or_skip(void)
{
	/* An ordinary user's PATH may lack it. */
	const char *path = getenv("PATH");
	char both[4096];

	snprintf(both, sizeof(both), "%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin");
	setenv("PATH", both, 1);
	if (system("cryptsetup --version >/dev/null 2>&1") == 0)
		return;
	printf("1..0 # SKIP no cryptsetup program (package cryptsetup-bin)\n");
	exit(0);
}

void image_new(const char *name, size_t size)
{
	int fd = open(image_path(name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		err(99, "%s", name);
	close(fd);
}

static const char *expand(const char *word, const char *name)
{
	if (strcmp(word, "%P") == 0)
		return image_path("pass");
	if (strcmp(word, "%Q") == 0)
		return image_path("pass2");
	return strcmp(word, "%NAME") == 0 ? image_path(name) : word;
}

void image_cryptsetup(const char *words, const char *name)
{
	char *copy = strdup(words), *save = NULL, *argv[WORDS_MAX] = { NULL };
	int n = 0, status;
	pid_t pid;

	argv[n++] = strdup("cryptsetup");
	argv[n++] = strdup("--batch-mode");
	for (char *w = strtok_r(copy, " ", &save); w && n < WORDS_MAX - 1; w = strtok_r(NULL, " ", &save))
		argv[n++] = strdup(expand(w, name));
	pid = fork();
	if (pid == 0) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		errx(99, "cryptsetup %s (%s) failed", words, name);
	while (n > 0)
		free(argv[--n]);
	free(copy);
}

void image_format(const char *name, const char *words)
{
	char all[512];

	image_new(name, IMAGE_SIZE);
	snprintf(all, sizeof(all),
		 "luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file %%P %s %%NAME", words);
	image_cryptsetup(all, name);
}

void image_copy(const char *from, const char *to)
{
	int in = open(image_path(from), O_RDONLY | O_CLOEXEC);
	char *buf = malloc(COPY_SIZE);
	struct stat st;
	ssize_t n;
	int out;

	if (in < 0 || !buf || fstat(in, &st) < 0 || (n = pread(in, buf, COPY_SIZE, 0)) < 0)
		err(99, "%s", from);
	image_new(to, (size_t)st.st_size);
	out = open(image_path(to), O_WRONLY | O_CLOEXEC);
	if (out < 0 || pwrite(out, buf, (size_t)n, 0) != n)
		err(99, "%s", to);
	close(in);
	close(out);
	free(buf);
}

void image_integrity(const char *name, const char *words)
{
	static const char *const bind[] = {
		"del", "keyslots.0", "del", "digests.0", "set", "digests.1.segments", "[\"0\"]", "set", "segments.0.integrity",
		"{\"type\":\"hmac(sha256)\",\"journal_encryption\":\"none\",\"journal_integrity\":\"none\"}", NULL
	};

	image_format(name, words);
	image_cryptsetup("luksAddKey --key-file %P --unbound --key-size 768 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 %NAME %P",
			 name);
	edit_run(image_path(name), bind);
}

void image_device(const char *name, struct luks_device *ret)
{
	struct err *e = NULL;

	if (device_find(AT_FDCWD, image_path(name), true, ret, &e) < 0)
		errx(99, "%s", err_message(e));
}
