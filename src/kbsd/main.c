/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* cryptattest-kbs: a small key broker for confidential VMs. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "config.h"
#include "kbsd/verbs.h"
#include "wire/json.h"

static const struct verb {
	const char *name;
	int (*run)(int n, char **args);
	const char *help;
} verbs[] = {
	{ "init", cmd_init, "make the server's directory: keys, certificate, example policy; print the pins" },
	{ "serve", cmd_serve, "answer attestation requests" },
	{ "resource", cmd_resource, "add, list or remove secrets" },
	{ "policy", cmd_policy, "check a policy, or write a rule from a machine's evidence" },
	{ "push", cmd_push, "give a secret to a machine that waits for its owner" },
	{ "verify", cmd_verify, "verify a report or quote in a file" },
	{ NULL, NULL, NULL },
};

static void print_help(FILE *out)
{
	fputs("usage: cryptattest-kbs VERB ...\n\n"
	      "A key broker: releases secrets to confidential VMs (AMD SEV-SNP, Intel TDX) whose\n"
	      "evidence it has verified itself and whose measurements its policy names.\n\nverbs:\n",
	      out);
	for (const struct verb *v = verbs; v->name; v++)
		fprintf(out, "  %-10s %s\n", v->name, v->help);
	fputs("\n  VERB --help  tells more; --version prints the version.\n\n"
	      "first steps:\n"
	      "  cryptattest-kbs init --user cryptattest-kbs --name kbs.example /var/lib/cryptattest-kbs\n"
	      "  cryptattest document DEVICE --name root --key-file KEY |\n"
	      "      cryptattest-kbs resource add --document default/web-042/root\n"
	      "  cryptattest-kbs policy from-evidence REPORT --resource default/web-042/root\n"
	      "  systemctl start cryptattest-kbs\n",
	      out);
}

/* Secrets pass through here: no core dumps, no ptrace by the same user, nothing readable by others, fds 0-2 open. */
static void harden(void)
{
	const struct rlimit none = { 0, 0 };
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
	umask(077);
	if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		log_warning("cannot switch core dumps off");
	signal(SIGPIPE, SIG_IGN);
	json_use_wiping_allocator();
}

int verb_fail(struct err *e)
{
	int code = EXIT_INTERNAL;

	switch (err_class(e)) {
	case ERR_CONFIG:
		code = EXIT_USAGE;
		break;
	case ERR_REFUSED:
		code = EXIT_REFUSED;
		break;
	case ERR_UNREACHABLE:
	case ERR_TIMEOUT:
		code = EXIT_AWAY;
		break;
	case ERR_INTEGRITY:
		code = EXIT_WRONG;
		break;
	default:
		break;
	}
	log_error("%s%s%s%s%s%s", err_message(e), *err_id(e) ? " [" : "", err_id(e), *err_id(e) ? "]" : "",
		  *err_hint_text(e) ? "; to do: " : "", err_hint_text(e));
	err_free(e);
	return code;
}

int main(int argc, char **argv)
{
	const char *names[8];
	size_t n = 0;

	harden();
	log_init("cryptattest-kbs", LOGL_INFO, false);
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		print_help(stdout);
		return EXIT_DONE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("cryptattest-kbs %s\n", PACKAGE_VERSION);
		return EXIT_DONE;
	}
	for (const struct verb *v = verbs; v->name; v++) {
		if (strcmp(argv[1], v->name) == 0)
			return v->run(argc - 2, argv + 2);
		names[n++] = v->name;
	}
	names[n] = NULL;
	const char *near = text_nearest(argv[1], names);
	log_error("there is no verb \"%s\"%s%s%s", argv[1], near ? "; did you mean " : "", near ? near : "",
		  near ? "?" : "; see --help");
	return EXIT_USAGE;
}
