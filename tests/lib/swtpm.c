/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/lib/swtpm.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/lib/tpm_swtpm.h"

#define START_MS 10000

struct swtpm {
	struct tpm_access access; /* first: tpm_access.open() gets it back */
	char dir[32], path[48], tcti[64];
	pid_t pid;
};

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "swtpm: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, ": %s\n", strerror(errno));
	va_end(ap);
	exit(99);
}

void swtpm_or_skip(void)
{
	if (access("/usr/bin/swtpm", X_OK) == 0)
		return;
	printf("1..0 # SKIP swtpm is not installed\n");
	exit(0);
}

static int access_open(const struct tpm_access *self, int root_fd, void **ret_tcti, struct err **err)
{
	return tpm_swtpm_connect(((const struct swtpm *)self)->path, ret_tcti, err);
}

static bool access_present(const struct tpm_access *self, int root_fd)
{
	return access(((const struct swtpm *)self)->path, F_OK) == 0;
}

/* In the child: becomes swtpm. */
static void run(const struct swtpm *s, pid_t parent)
{
	char state[64], server[80], ctrl[80], log[64], pid[64];
	int null = open("/dev/null", O_RDWR);

	snprintf(state, sizeof(state), "dir=%s", s->dir);
	snprintf(server, sizeof(server), "type=unixio,path=%s", s->path);
	snprintf(ctrl, sizeof(ctrl), "type=unixio,path=%s.ctrl", s->path);
	snprintf(log, sizeof(log), "file=%s/log", s->dir);
	snprintf(pid, sizeof(pid), "file=%s/pid", s->dir);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
		_exit(126);
	execl("/usr/bin/swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", state, "--server", server, "--ctrl", ctrl, "--log", log, "--pid",
	      pid, "--flags", "not-need-init,startup-clear", (char *)NULL);
	_exit(127);
}

/* swtpm writes its process id when both sockets listen. */
static bool listens(const struct swtpm *s)
{
	char pid[64];
	struct stat st;

	snprintf(pid, sizeof(pid), "%s/pid", s->dir);
	return stat(pid, &st) == 0 && st.st_size > 0;
}

static void spawn(struct swtpm *s)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	const pid_t parent = getpid();

	fflush(NULL);
	s->pid = fork();
	if (s->pid < 0)
		die("fork");
	if (s->pid == 0)
		run(s, parent);
	for (int ms = 0; ms < START_MS; ms += 2) {
		if (listens(s))
			return;
		if (waitpid(s->pid, NULL, WNOHANG) == s->pid)
			die("does not start, see %s/log", s->dir);
		nanosleep(&pause, NULL);
	}
	die("does not listen after %d ms", START_MS);
}

struct swtpm *swtpm_start(void)
{
	struct swtpm *s = calloc(1, sizeof(*s));

	if (!s)
		die("out of memory");
	strcpy(s->dir, "/tmp/swtpm-test-XXXXXX");
	if (!mkdtemp(s->dir))
		die("%s", s->dir);
	snprintf(s->path, sizeof(s->path), "%s/sock", s->dir);
	snprintf(s->tcti, sizeof(s->tcti), "swtpm:path=%s", s->path);
	s->access = (struct tpm_access){
		.name = s->tcti,
		.open = access_open,
		.close = tpm_swtpm_close,
		.present = access_present,
	};
	spawn(s);
	return s;
}

void swtpm_kill(struct swtpm *s)
{
	if (s->pid > 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
	}
	s->pid = 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void swtpm_stop(struct swtpm *s)
{
	if (!s)
		return;
	swtpm_kill(s);
	nftw(s->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	free(s);
}

/* Every command's effect on the state is on the disk before its answer: SIGKILL loses nothing that a TPM would keep. */
static void remove_file(const struct swtpm *s, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", s->dir, name);
	if (unlink(path) < 0 && errno != ENOENT)
		die("%s", path);
}

static void end(struct swtpm *s)
{
	swtpm_kill(s);
	remove_file(s, "sock");
	remove_file(s, "sock.ctrl");
	remove_file(s, "pid");
}

void swtpm_reboot(struct swtpm *s)
{
	end(s);
	spawn(s);
}

void swtpm_replace(struct swtpm *s)
{
	end(s);
	remove_file(s, "tpm2-00.permall");
	spawn(s);
}

const char *swtpm_path(const struct swtpm *s)
{
	return s->path;
}

const char *swtpm_tcti(const struct swtpm *s)
{
	return s->tcti;
}

const struct tpm_access *swtpm_access(struct swtpm *s)
{
	return &s->access;
}

int swtpm_sh(const struct swtpm *s, const char *command)
{
	_cleanup_free_ char *line = NULL;
	int status;

	if (asprintf(&line, "TPM2TOOLS_TCTI='%s'; export TPM2TOOLS_TCTI; { %s\n} >/dev/null 2>&1 </dev/null", s->tcti, command) < 0)
		die("out of memory");
	status = system(line);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
