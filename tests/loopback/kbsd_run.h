/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Runs the real cryptattest-kbs: single commands, and servers in the background, each in a temporary directory. Also as
 * root, as which the server must not run: then its directory belongs to "nobody". Every failure ends the test program.
 */
#ifndef CRYPTATTEST_TESTS_KBSD_RUN_H
#define CRYPTATTEST_TESTS_KBSD_RUN_H

#include <stdbool.h>
#include <sys/types.h>

#include "tests/lib/testpki.h"

struct kbsd {
	char top[64];	/* temporary directory, everybody may pass */
	char dir[80];	/* top/kbs: the server's */
	char roots[80]; /* top/roots.pem: the test PKI's */
	char log[80];	/* top/log: standard error of the server */
	pid_t pid;	/* 0: not running */
	int port;
	struct testpki *pki;
};

/* Makes the directories, runs init, opens the test PKI. */
void kbsd_setup(struct kbsd *k);
void kbsd_teardown(struct kbsd *k); /* stops the server, removes everything */

/* One command with the text as standard input (NULL: none); "DIR" among the words becomes the server's directory and
 * "ROOTS" the file of test roots. Standard output and error go to out (4096 bytes; NULL: dropped). Returns its exit code. */
int kbsd_command(struct kbsd *k, const char *input, char *out, const char *const *words);
#define KBSD(k, input, out, ...) kbsd_command(k, input, out, (const char *const[]){ __VA_ARGS__, NULL })

/* serve on a free port of 127.0.0.1 with the test roots and these further options (NULL-terminated; NULL: none); returns
 * when it listens. */
void kbsd_start(struct kbsd *k, const char *const *options);
#define KBSD_START(k, ...) kbsd_start(k, (const char *const[]){ __VA_ARGS__, NULL })
int kbsd_stop(struct kbsd *k); /* SIGTERM; exit code, or 128 + signal */
/* Reload and wait until the log says that it is done. */
void kbsd_hup(struct kbsd *k);
/* Waits up to two seconds for text in the log. */
bool kbsd_log_has(struct kbsd *k, const char *text);
char *kbsd_log_read(struct kbsd *k); /* free() it */

/* A file in the server's directory, owned by the server. */
void kbsd_write(struct kbsd *k, const char *name, const char *text, mode_t mode);
/* Adds a secret, fails the test when that fails. */
void kbsd_add_secret(struct kbsd *k, const char *name, const char *text);

#endif
