/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Runs commands in turn, several times, and prints what each costs: CPU time of the whole process tree, wall time, largest process.
 *
 *   measure [--runs N] [--before 'SHELL COMMAND'] [--appear MS FILE] [--status] 'COMMAND WORD...' ...
 *
 * Commands take turns, so that a busy minute of the machine hits all of them. No shell runs them: its start would be counted. A word
 * "<FILE" is standard input. Standard output goes to /dev/null, standard error stays.
 *
 * --status reads, from what was given --status-fd 9, the time of every phase of contracts.md 5, summed over volumes; "key-wait" is the
 * time between the challenge and the request for evidence, "to-secret" that from the start to the first answer that holds a secret.
 * --appear renames FILE.away to FILE so long after the start.
 *
 * Output: "INDEX NAME MEDIAN MINIMUM", times in milliseconds, memory in KiB. Exit 1 when a command failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS_MAX 8
#define RUNS_MAX 101
#define WORDS_MAX 64
#define FIGURES_MAX 32
#define STATUS_FD 9

struct figure {
	char name[24];
	double value[RUNS_MAX];
	unsigned int n;
};

struct command {
	char *words[WORDS_MAX + 1];
	const char *input;
	struct figure figures[FIGURES_MAX];
	size_t n_figures;
};

struct options {
	unsigned int runs, appear_ms;
	const char *before, *appear;
	bool events;
};

static void die(const char *what)
{
	fprintf(stderr, "measure: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static double ms_of(struct timeval tv)
{
	return (double)tv.tv_sec * 1e3 + (double)tv.tv_usec / 1e3;
}

/* Adds to the figure of this run: a phase happens once per volume. */
static void figure_add(struct command *c, unsigned int run, const char *name, double value)
{
	size_t i = 0;

	while (i < c->n_figures && strcmp(c->figures[i].name, name) != 0)
		i++;
	if (i == FIGURES_MAX)
		return;
	if (i == c->n_figures)
		snprintf(c->figures[c->n_figures++].name, sizeof(c->figures[i].name), "%s", name);
	c->figures[i].value[run] += value;
	if (c->figures[i].n <= run)
		c->figures[i].n = run + 1;
}

/* --- phases --- */

struct phases {
	double start[16], begin, auth_end;
	bool secret;
	char name[16][24];
	size_t n;
};

static void note_peak(struct command *c, unsigned int run, const char *name, unsigned long pid)
{
	char path[64], line[256];
	unsigned long kib;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%lu/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmHWM: %lu", &kib) == 1)
			figure_add(c, run, name, (double)kib);
	if (f)
		fclose(f);
}

/* Each process by itself: what wait4() tells is the larger of the two. */
static void note_memory(struct command *c, unsigned int run, pid_t pid)
{
	unsigned long child = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	f = fopen(path, "re");
	if (f && fscanf(f, "%lu", &child) == 1)
		note_peak(c, run, "rss-child", child);
	if (f)
		fclose(f);
	note_peak(c, run, "rss-parent", (unsigned long)pid);
}

static void note_event(struct command *c, unsigned int run, struct phases *p, const char *line, pid_t pid)
{
	char phase[24], event[8];
	uint64_t ns;
	double ms;

	if (sscanf(line, "{\"v\":1,\"ns\":%" SCNu64 ",\"phase\":\"%23[a-z]\",\"event\":\"%7[a-z]\"", &ns, phase, event) != 3)
		return;
	ms = (double)ns / 1e6;
	if (strcmp(event, "start") == 0 && p->n < 16) {
		snprintf(p->name[p->n], sizeof(p->name[0]), "%s", phase);
		p->start[p->n++] = ms;
		if (strcmp(phase, "evidence") == 0 && p->auth_end > 0)
			figure_add(c, run, "key-wait", ms - p->auth_end);
		return;
	}
	for (size_t i = p->n; i-- > 0;) {
		if (strcmp(p->name[i], phase) != 0)
			continue;
		figure_add(c, run, phase, ms - p->start[i]);
		p->n = i;
		break;
	}
	if (strcmp(phase, "auth") == 0)
		p->auth_end = ms;
	if ((strcmp(phase, "get") == 0 || strcmp(phase, "unseal") == 0) && !p->secret) {
		p->secret = true;
		figure_add(c, run, "to-secret", ms - p->begin);
	}
	if (strcmp(phase, "open") == 0)
		figure_add(c, run, "to-open", ms - p->begin);
	/* The last request of the child is answered; it lives until the end. */
	if (strcmp(phase, "cap") == 0)
		note_memory(c, run, pid);
}

static void read_events(struct command *c, unsigned int run, int fd, pid_t pid, double begin)
{
	struct phases p = { .begin = begin };
	char line[1024];
	FILE *f = fdopen(fd, "r");

	if (!f)
		die("fdopen");
	while (fgets(line, sizeof(line), f))
		note_event(c, run, &p, line, pid);
	fclose(f);
}

/* --- one run --- */

static pid_t start_appearing(const struct options *o)
{
	char away[4096];
	pid_t pid;

	if (!o->appear)
		return -1;
	snprintf(away, sizeof(away), "%s.away", o->appear);
	if (rename(o->appear, away) < 0)
		die(o->appear);
	pid = fork();
	if (pid != 0)
		return pid;
	usleep(o->appear_ms * 1000);
	_exit(rename(away, o->appear) < 0);
}

static void child_exec(struct command *c, const int events[2])
{
	int null = open("/dev/null", O_RDWR);

	dup2(c->input ? open(c->input, O_RDONLY) : null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (events[1] >= 0)
		dup2(events[1], STATUS_FD);
	close_range(3, STATUS_FD - 1, 0);
	close_range(STATUS_FD + (events[1] >= 0), ~0U, 0);
	execvp(c->words[0], c->words);
	die(c->words[0]);
}

static bool run_once(struct command *c, const struct options *o, unsigned int run)
{
	int events[2] = { -1, -1 }, status;
	struct rusage ru;
	pid_t pid, helper;
	double start;

	if (o->before && system(o->before) != 0)
		die(o->before);
	if (o->events && pipe(events) < 0)
		die("pipe");
	helper = start_appearing(o);
	start = now_ms();
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0)
		child_exec(c, events);
	if (o->events) {
		close(events[1]);
		read_events(c, run, events[0], pid, start);
	}
	if (wait4(pid, &status, 0, &ru) != pid)
		die("wait4");
	figure_add(c, run, "wall", now_ms() - start);
	figure_add(c, run, "cpu", ms_of(ru.ru_utime) + ms_of(ru.ru_stime));
	figure_add(c, run, "rss", (double)ru.ru_maxrss);
	if (helper > 0)
		waitpid(helper, NULL, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	fprintf(stderr, "measure: %s %s: status 0x%x\n", c->words[0], c->words[1] ? c->words[1] : "", status);
	return false;
}

/* --- result --- */

static int by_value(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return d < 0 ? -1 : d > 0;
}

static void print(struct command *c, size_t index)
{
	for (size_t i = 0; i < c->n_figures; i++) {
		struct figure *f = &c->figures[i];

		qsort(f->value, f->n, sizeof(f->value[0]), by_value);
		printf("%zu %s %.3f %.3f\n", index, f->name, f->value[f->n / 2], f->value[0]);
	}
}

static void split(struct command *c, char *text)
{
	size_t n = 0;

	for (char *w = strtok(text, " "); w && n < WORDS_MAX; w = strtok(NULL, " ")) {
		if (*w == '<')
			c->input = w + 1;
		else
			c->words[n++] = w;
	}
	c->words[n] = NULL;
}

static int usage(void)
{
	fputs("usage: measure [--runs N] [--before SHELL] [--appear MS FILE] [--status] COMMAND...\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static struct command commands[COMMANDS_MAX];
	struct options o = { .runs = 1 };
	size_t n = 0;
	bool ok = true;
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc)
			o.runs = (unsigned int)atoi(argv[++i]);
		else if (strcmp(argv[i], "--before") == 0 && i + 1 < argc)
			o.before = argv[++i];
		else if (strcmp(argv[i], "--appear") == 0 && i + 2 < argc)
			o.appear_ms = (unsigned int)atoi(argv[++i]), o.appear = argv[++i];
		else if (strcmp(argv[i], "--status") == 0)
			o.events = true;
		else
			return usage();
	}
	if (i >= argc || argc - i > COMMANDS_MAX || o.runs < 1 || o.runs > RUNS_MAX)
		return usage();
	for (; i < argc; i++)
		split(&commands[n++], argv[i]);
	for (unsigned int run = 0; run < o.runs; run++)
		for (size_t k = 0; k < n; k++)
			ok &= run_once(&commands[k], &o, run);
	for (size_t k = 0; k < n; k++)
		print(&commands[k], k);
	return ok ? 0 : 1;
}
