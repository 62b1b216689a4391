/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* cryptattest: start-up hygiene (S1, S2, architecture.md 3 step 1), then one verb. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/cli.h"
#include "kbs/session.h"
#include "push/push.h"
#include "unlock/exitcode.h"
#include "unlock/guardian.h"
#include "wire/json.h"

#define HEAP_STEP (512 * 1024) /* address space; only what is used becomes resident */

/*
 * The kernel hands unknown NAME=VALUE words of its command line to init as environment, and the host may write that line: nothing
 * of it reaches OpenSSL, libcurl (proxies) or libdevmapper.
 */
static int clean_environment(void)
{
	_cleanup_free_ char *term = NULL;

	if (getenv("TERM"))
		term = text_dup(getenv("TERM"));
	/* The TPM library would write to stderr by itself. */
	if (clearenv() != 0 || setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1) != 0 || setenv("TSS2_LOG", "all+none", 1) != 0)
		return -1;
	return term && strlen(term) < 64 ? setenv("TERM", term, 1) : 0;
}

/* A descriptor below 3 that is free would be given to the header copy or the socket, and messages would be written into it. */
static int open_standard_fds(void)
{
	struct pollfd p[] = { { .fd = STDIN_FILENO }, { .fd = STDOUT_FILENO }, { .fd = STDERR_FILENO } };

	if (poll(p, ARRAY_SIZE(p), 0) < 0)
		return -1;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if ((p[fd].revents & POLLNVAL) && open("/dev/null", O_RDWR) != fd)
			return -1;
	return 0;
}

static int harden_process(void)
{
	const struct rlimit no_core = { 0, 0 };
	struct rlimit mem = { 64UL << 20, 64UL << 20 };

	umask(077);
#ifdef M_TOP_PAD
	mallopt(M_TOP_PAD, HEAP_STEP); /* the heap grows in few steps, and does not shrink and grow again */
	mallopt(M_TRIM_THRESHOLD, 2 * HEAP_STEP);
#endif
	signal(SIGPIPE, SIG_IGN); /* a reader of --status-fd that went away never stops an unlock */
	if (open_standard_fds() < 0 || clean_environment() < 0)
		return -1;
	if (setrlimit(RLIMIT_CORE, &no_core) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -1;
	setrlimit(RLIMIT_MEMLOCK, &mem); /* may be refused to users; `check` and `document` work with less */
	return 0;
}

static void print_version(void)
{
	printf("cryptattest %s\n", PACKAGE_VERSION);
	printf("evidence: snp-configfs snp-ioctl tdx-configfs; kbs protocol: 0.4.0 0.2.0 0.1.1 0.1.0; vtpm: yes\n");
}

static int usage_error(const char *what)
{
	log_error("%s; `cryptattest --help` lists the commands", what);
	return EXIT_USAGE;
}

static int no_command(const char *word)
{
	const char *names[32] = { NULL };
	struct err *err = NULL;
	const char *nearest;

	for (size_t i = 0; verbs[i] && i + 1 < ARRAY_SIZE(names); i++)
		names[i] = verbs[i]->name;
	nearest = text_nearest(word, names);
	err_set(&err, ERR_CONFIG, "usage", "no command \"%s\"", word);
	if (nearest)
		err_hint(&err, "did you mean %s?", nearest);
	else
		err_hint(&err, "`cryptattest --help` lists the commands");
	return cli_fail(err);
}

static int flushed(void)
{
	return fflush(stdout) == 0 ? EXIT_OK : EXIT_INTERNAL;
}

static int run_verb(const struct verb *verb, struct cli *cli)
{
	struct err *err = NULL;
	int code;

	/* A number that is free now would be given to the disk or to a socket, and events would be written there. */
	if (cli->opts.status_fd >= 0 && fcntl(cli->opts.status_fd, F_GETFD) < 0) {
		err_set_errno(&err, ERR_CONFIG, "usage", errno, "--status-fd %d", cli->opts.status_fd);
		return cli_fail(err);
	}
	if (verb->network && transport_start(kbs_reduce, &cli->transport, &err) < 0)
		return cli_fail(err);
	cli->root_fd = open(cli->platform->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cli->root_fd < 0) {
		err_set_errno(&err, ERR_INTERNAL, "root", errno, "cannot open %s", cli->platform->root);
		return cli_fail(err);
	}
	if (events_new(cli->opts.status_fd, &cli->events, &err) < 0)
		return cli_fail(err);
	code = verb->run(cli);
	if (cli->opts.timings)
		events_print_timings(cli->events, stderr);
	events_free(cli->events);
	transport_stop(cli->transport);
	push_stop(cli->push);
	guardian_stop(cli->guardian);
	config_free(cli->config);
	close(cli->root_fd);
	return code;
}

int main(int argc, char **argv)
{
	struct cli cli = { .platform = &platform, .root_fd = -1 };
	struct err *err = NULL;
	const struct verb *verb;
	int rc;

	log_init("cryptattest", LOGL_INFO, false);
	if (harden_process() < 0)
		return usage_error("cannot set up a safe process");
	json_use_wiping_allocator();
	if (argc < 2)
		return usage_error("no command given");
	if (text_eq(argv[1], "--version") || text_eq(argv[1], "-V")) {
		print_version();
		return flushed();
	}
	if (text_eq(argv[1], "--help") || text_eq(argv[1], "-h") || text_eq(argv[1], "help")) {
		if (argc == 2) {
			cli_help(stdout);
			return flushed();
		}
		verb = verb_find(argv[2]);
		if (!verb)
			return no_command(argv[2]);
		opts_help(stdout, verb);
		return flushed();
	}
	verb = verb_find(argv[1]);
	if (!verb)
		return no_command(argv[1]);
	rc = opts_parse(verb, argc - 1, argv + 1, &cli.opts, &err);
	if (rc < 0)
		return cli_fail(err);
	if (rc > 0) {
		opts_help(stdout, verb);
		return flushed();
	}
	log_init("cryptattest", cli.opts.debug ? LOGL_DEBUG : cli.opts.quiet ? LOGL_WARNING : LOGL_INFO, cli.opts.boot);
	return run_verb(verb, &cli);
}
