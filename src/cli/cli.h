/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Verbs, options and output of the command line (architecture.md 6). Nobody includes cli/. */
#ifndef CRYPTATTEST_CLI_CLI_H
#define CRYPTATTEST_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "config/config.h"
#include "unlock/unlock.h"
#include "wire/json.h"

/* Which options a verb takes; parsed by opts.c from one table. */
enum {
	OPT_JSON = 1 << 0,
	OPT_ALL = 1 << 1,
	OPT_BOOT = 1 << 2,
	OPT_STATUS_FD = 1 << 3,
	OPT_TIMINGS = 1 << 4,
	OPT_NAME = 1 << 5,
	OPT_KEY_FILE = 1 << 6,
	OPT_PINS = 1 << 7,
	OPT_KEYSLOT = 1 << 8,
	OPT_PROFILE = 1 << 9,
	OPT_SOURCE = 1 << 10,
	OPT_DECODE = 1 << 11,
	OPT_FORMAT = 1 << 12,
	OPT_REPORT_DATA = 1 << 13,
	OPT_OUTPUT = 1 << 14,
	OPT_CHECK = 1 << 15,
	OPT_SHOW = 1 << 16,
	OPT_CRYPTTAB = 1 << 17,
	OPT_CONFIG = 1 << 18,
	OPT_VERIFY = 1 << 19,
	OPT_ENROLL_SOURCE = 1 << 20,
	OPT_FORCE = 1 << 21,
	OPT_SEALING = 1 << 22, /* from, document, kbs-part, pin-file, owner-auth-file */
	OPT_NV = 1 << 23,      /* nv-indices, owner-auth-file */
	OPT_NEXT = 1 << 24, /* kernel, initrd, cmdline, uki */
	OPT_SIGN = 1 << 25, /* sign, version */
	OPT_REMITS = 1 << 26,
	OPT_PREPARE = 1 << 27,
	OPT_PEER = 1 << 28,
	OPT_PREDICTED = 1 << 29,
	OPT_TELL = 1 << 30, /* metrics, svg */
	OPT_PUSH = 1U << 31,
};

struct cli_opts {
	bool json, all, boot, timings, pins, check, show, force, nv_indices, remits, predicted, prepare, metrics, peer, push, debug, quiet;
	const char *config, *name, *key_file, *profile, *source, *decode, *verify, *format, *report_data, *output, *crypttab, *svg;
	const char *kernel, *initrd, *cmdline, *uki, *sign, *version;
	const char *document, *kbs_part, *owner_auth_file, *pin_file, *from;
	int status_fd, keyslot; /* -1 */
	char **args;		/* positional, NULL-terminated */
	int n_args;
	int argc;   /* everything after the verb, for verbs that hand their options on */
	char **argv;
};

struct cli {
	const struct platform *platform;
	struct cli_opts opts;
	int root_fd;
	struct config *config; /* NULL until cli_need_config() */
	struct events *events;
	struct transport *transport;
	struct guardian *guardian; /* of verbs that map */
	struct push *push;	   /* of those, when an operator may be waited for */
};

struct verb {
	const char *name, *args, *summary;
	const char *help; /* paragraphs with an example */
	unsigned int options;
	int min_args, max_args;
	bool network; /* the transport child is forked before anything else */
	bool raw;     /* takes its own options (`evidence --verify`) */
	int (*run)(struct cli *cli);
};

extern const struct verb *const verbs[]; /* NULL-terminated */
const struct verb *verb_find(const char *name);

/* Returns 0, or -1 with a usage error, or 1 when --help was asked for. */
int opts_parse(const struct verb *verb, int argc, char **argv, struct cli_opts *ret, struct err **err);
void opts_help(FILE *out, const struct verb *verb);
void cli_help(FILE *out);

/* Prints `error [id]; to do: hint` and returns the exit code. Frees err. */
int cli_fail(struct err *err);
int cli_need_config(struct cli *cli, struct err **err);
/* keysrc_read_passphrase() by --key-file, for verbs that need no configuration: it is read all the same before a console is asked. */
int cli_read_passphrase(struct cli *cli, const char *what, struct secret **ret, struct err **err);
struct unlock_env cli_env(const struct cli *cli);
/* Prints text and a newline; EXIT_INTERNAL when stdout is full or closed. */
int cli_put(const char *text);
/* The same for a value, which it takes; NULL (no memory) is EXIT_INTERNAL. */
int cli_put_json(json_t *root);

int cmd_unlock(struct cli *cli);
int cmd_key(struct cli *cli);
int cmd_lock(struct cli *cli);
int cmd_recover(struct cli *cli);
int cmd_cap(struct cli *cli);
int cmd_check(struct cli *cli);
int cmd_document(struct cli *cli);
int cmd_enroll(struct cli *cli);
int cmd_wipe(struct cli *cli);
int cmd_attest(struct cli *cli);
int cmd_evidence(struct cli *cli);
int cmd_doctor(struct cli *cli);
int cmd_explain(struct cli *cli);
int cmd_predict(struct cli *cli);
int cmd_next_boot(struct cli *cli);
int cmd_status(struct cli *cli);
int cmd_config(struct cli *cli);

#endif
