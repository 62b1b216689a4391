/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "kbsd/options.h"
#include "kbsd/statedir.h"
#include "kbsd/store.h"
#include "kbsd/verbs.h"
#include "wire/document.h"

static const char help_text[] =
	"NAME is repository/type/tag, for example default/web-042/root. `add` takes the\n"
	"secret from standard input or --file, never from the command line: a passphrase of\n"
	"at least 16 bytes, without a newline at its end, or the secret document that\n"
	"`cryptattest document` prints. `list` shows names and kinds, never a secret.\n"
	"\n"
	"A running server takes the change over when it is told to: systemctl reload\n"
	"cryptattest-kbs, or SIGHUP.\n";

struct resource_options {
	const char *dir, *file;
	struct store_rules rules;
};

static int open_resources(const struct resource_options *o, struct statedir *d, int *ret_fd, struct err **err)
{
	if (statedir_open(o->dir ? o->dir : STATEDIR_DEFAULT, d, err) < 0 || statedir_become_owner(d, false, err) < 0)
		return -1;
	*ret_fd = openat(d->fd, DIR_RESOURCES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_fd < 0)
		return err_set_errno(err, ERR_CONFIG, "resource", errno, "%s/" DIR_RESOURCES, d->path);
	return 0;
}

/* Before root becomes the directory's owner, who may not be allowed to read the file. */
static int read_content(const struct resource_options *o, struct secret **ret, struct err **err)
{
	_cleanup_close_ int fd = -1;

	if (!o->file) {
		if (isatty(STDIN_FILENO))
			return err_set(err, ERR_CONFIG, "usage", "standard input is a terminal, which would show the secret");
		return secret_read_fd(STDIN_FILENO, RESOURCE_SIZE_MAX, ret, err);
	}
	fd = open(o->file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_set_errno(err, ERR_CONFIG, "open", errno, "%s", o->file);
	return secret_read_fd(fd, RESOURCE_SIZE_MAX, ret, err);
}

static int add(const struct resource_options *o, const char *name, struct err **err)
{
	_cleanup_statedir_ struct statedir d = STATEDIR_INIT;
	_cleanup_secret_ struct secret *content = NULL;
	_cleanup_close_ int fd = -1;

	if (o->rules.document && o->rules.binary)
		return err_set(err, ERR_CONFIG, "usage", "--document and --binary exclude each other");
	if (read_content(o, &content, err) < 0 || open_resources(o, &d, &fd, err) < 0)
		return -1;
	return store_add(fd, name, content, &o->rules, err);
}

static int list(const struct resource_options *o, struct err **err)
{
	_cleanup_statedir_ struct statedir d = STATEDIR_INIT;
	_cleanup_close_ int fd = -1;
	struct store *s;
	size_t bad;

	if (open_resources(o, &d, &fd, err) < 0 || store_load(fd, NULL, &s, &bad, err) < 0)
		return -1;
	for (size_t i = 0; i < store_count(s); i++) {
		const struct resource *r = store_at(s, i);

		printf("%s\t%s\t%zu bytes\n", r->name, r->document ? "document" : "raw", secret_len(r->content));
	}
	store_free(s);
	if (fflush(stdout) != 0)
		return err_set_errno(err, ERR_INTERNAL, "write", errno, "standard output");
	if (bad)
		return err_set(err, ERR_INTEGRITY, "resource", "%zu files in the directory are bad", bad);
	return 0;
}

static int rm(const struct resource_options *o, const char *name, struct err **err)
{
	_cleanup_statedir_ struct statedir d = STATEDIR_INIT;
	_cleanup_close_ int fd = -1;

	if (open_resources(o, &d, &fd, err) < 0)
		return -1;
	return store_remove(fd, name, err);
}

static int run(const struct resource_options *o, const char *const *words, size_t n, struct err **err)
{
	bool plain = !o->file && !o->rules.document && !o->rules.binary && !o->rules.replace;

	if (n == 2 && strcmp(words[0], "add") == 0)
		return add(o, words[1], err);
	if (n == 1 && plain && strcmp(words[0], "list") == 0)
		return list(o, err);
	if (n == 2 && plain && strcmp(words[0], "rm") == 0)
		return rm(o, words[1], err);
	return err_set(err, ERR_CONFIG, "usage", "resource add [OPTIONS] NAME, resource list, or resource rm NAME");
}

int cmd_resource(int n, char **args)
{
	struct resource_options o = { 0 };
	const struct option_def defs[] = {
		{ "dir", OPTION_STRING, &o.dir, "DIR", "the server's directory (" STATEDIR_DEFAULT ")" },
		{ "file", OPTION_STRING, &o.file, "FILE", "add: read the secret from FILE, not standard input" },
		{ "document", OPTION_FLAG, &o.rules.document, NULL, "add: it must be a valid secret document" },
		{ "binary", OPTION_FLAG, &o.rules.binary, NULL, "add: any bytes, a final newline included" },
		{ "replace", OPTION_FLAG, &o.rules.replace, NULL, "add: take the place of a resource that exists" },
		{ NULL },
	};
	const char *words[2] = { NULL };
	struct err *e = NULL;
	size_t count = 0;
	bool help;

	if (options_parse(defs, n, args, 1, 2, words, &help, &e) < 0)
		return verb_fail(e);
	if (help) {
		options_help(stdout, "resource add [--document] [--binary] [--replace] [--file FILE] NAME\n"
				     "       cryptattest-kbs resource list\n"
				     "       cryptattest-kbs resource rm NAME", help_text, defs);
		return EXIT_DONE;
	}
	while (count < 2 && words[count])
		count++;
	return run(&o, words, count, &e) < 0 ? verb_fail(e) : EXIT_DONE;
}
