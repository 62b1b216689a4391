/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Ends a program at one of the events that it announces: killat N SIGNAL at-once|settled|MICROSECONDS PROGRAM ARGUMENT...
 *
 * The program gets --status-fd. Its events go through a pipe that holds one of them, so a program whose event N has not been
 * read cannot get beyond event N + 1: where the signal strikes does not hang on who is faster. "at-once" sends it when event N
 * is there, "settled" when the program has slept for a while after that; a number of microseconds is the time after event N has been read, in which
 * the program gets further. Whatever the program leaves behind is waited for.
 *
 * Prints one line: at=PHASE.start|PHASE.end|end exit=CODE (128 + signal). Exit 0, or 1 when something hangs.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANGS_S 60
#define SETTLED 4 /* looks in a row, 5 ms apart */

static void die(const char *what)
{
	fprintf(stderr, "killat: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void on_alarm(int sig)
{
	static const char text[] = "killat: the program or a child of it hangs\n";

	(void)sig;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(1);
}

static pid_t start(char **program, int in, int status)
{
	char option[32], *argv[64];
	int n = 0;
	pid_t pid;

	while (program[n] && n < 62) {
		argv[n] = program[n];
		n++;
	}
	snprintf(option, sizeof(option), "--status-fd=%d", status);
	argv[n++] = option;
	argv[n] = NULL;
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		close(in);
		fcntl(status, F_SETFD, 0);
		execv(argv[0], argv);
		_exit(127);
	}
	return pid;
}

/* One event; false at the end. In packet mode a read is one write. */
static int next(int fd, char *line, size_t cap)
{
	ssize_t n;

	do
		n = read(fd, line, cap - 1);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return 0;
	line[n] = 0;
	return 1;
}

/* The value of a member that is a word. */
static void word(const char *line, const char *member, char *out, size_t cap)
{
	const char *p = strstr(line, member);
	size_t n = p ? strcspn(p + strlen(member), "\"") : 0;

	snprintf(out, cap, "%.*s", (int)n, p ? p + strlen(member) : "");
}

static int sleeping(pid_t pid)
{
	char path[64], text[256] = "", *state;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		die(path);
	close(fd);
	state = strrchr(text, ')');
	return state && (state[2] == 'S' || state[2] == 'Z');
}

static void settle(pid_t pid)
{
	for (int seen = 0; seen < SETTLED; usleep(5000))
		seen = sleeping(pid) ? seen + 1 : 0;
}

/* Children of the dead program have become ours: all must end. */
static int reap_all(pid_t pid)
{
	int status, result = -1;
	pid_t p;

	while ((p = waitpid(-1, &status, 0)) > 0 || errno == EINTR)
		if (p == pid)
			result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return result;
}

int main(int argc, char **argv)
{
	char line[4096], phase[32] = "", event[16] = "", *digits_end;
	int fds[2], sig, more = 1, have = 0;
	unsigned long delay;
	struct pollfd p;
	long n;
	pid_t pid;

	if (argc < 5)
		return 2;
	n = atol(argv[1]);
	sig = atoi(argv[2]);
	signal(SIGALRM, on_alarm);
	alarm(HANGS_S);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		die("PR_SET_CHILD_SUBREAPER");
	if (pipe2(fds, O_DIRECT | O_CLOEXEC) < 0 || fcntl(fds[1], F_SETPIPE_SZ, 4096) != 4096)
		die("pipe");
	pid = start(argv + 4, fds[0], fds[1]);
	close(fds[1]);
	while (more && n-- > 0)
		more = next(fds[0], line, sizeof(line));
	p = (struct pollfd){ .fd = fds[0], .events = POLLIN };
	while (more && poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	delay = strtoul(argv[3], &digits_end, 10);
	if (strcmp(argv[3], "settled") == 0)
		settle(pid);
	if (more && digits_end != argv[3]) {
		have = next(fds[0], line, sizeof(line));
		usleep((useconds_t)delay);
	}
	kill(pid, sig);
	if (have || (more && next(fds[0], line, sizeof(line)))) {
		word(line, "\"phase\":\"", phase, sizeof(phase));
		word(line, "\"event\":\"", event, sizeof(event));
		while (next(fds[0], line, sizeof(line)))
			;
		printf("at=%s.%s", phase, event);
	} else {
		printf("at=end");
	}
	printf(" exit=%d\n", reap_all(pid));
	return 0;
}
