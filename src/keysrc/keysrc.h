/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Where a passphrase can come from: one file per source. keysrc/ includes kbs/, vtpm/ and base/; unlock/ and cli/ call it. It knows
 * nothing of volumes or devices; the engine hands it names.
 */
#ifndef CRYPTATTEST_KEYSRC_KEYSRC_H
#define CRYPTATTEST_KEYSRC_KEYSRC_H

#include "base/clock.h"
#include "base/secret.h"
#include "kbs/session.h"

struct key_source {
	const char *kind; /* "kbs", "file", "prompt": goes into the status record */
	/* The bytes as the source gives them (document or raw). Classes: contracts.md 4; file and prompt: ERR_CONFIG. */
	int (*fetch)(struct key_source *self, const char *path, struct secret **ret, struct err **err);
	/* Is this answer of the provisioner plugin (another outer format)? */
	bool (*provisioner)(struct key_source *self, const char *path);
	/* "kbs main at https://..., protocol 0.4.0" for the report; may be NULL. */
	char *(*describe)(struct key_source *self);
	void (*destroy)(struct key_source *self);
};

int keysrc_kbs_new(const struct kbs_params *params, struct key_source **ret, struct err **err);
struct kbs_session *keysrc_kbs_session(struct key_source *src); /* NULL when it is another kind */
/* A key file, whole content (contracts.md 2: nothing is stripped). Refuses a file that others may read. */
int keysrc_file_new(int root_fd, struct key_source **ret, struct err **err);
/* The terminal, echo off. Refuses when stdin is not a terminal. */
int keysrc_prompt_new(struct key_source **ret, struct err **err);
/* One line from the terminal with echo off, after "PROMPT: ". ERR_CONFIG "prompt" without a terminal or a line, and as keysrc_refuse_console(). */
int keysrc_ask(const char *prompt, struct secret **ret, struct err **err);
/*
 * D5: on a confidential VM nothing is typed on a console, which the host reads; a pseudo terminal (ssh) is none. Until it is said that this
 * machine's console is its owner's, nothing is asked on one: who asks need not think of it (cli_need_config() says it).
 */
void keysrc_trust_console(bool trusted);
/* For who would rather know before other work. ERR_CONFIG "prompt-on-console". 0 where there is no terminal to ask on. */
int keysrc_refuse_console(const char *what, struct err **err);
/* Of a boot nothing is asked at all, on whatever terminal. -1; ERR_CONFIG "prompt-at-boot". */
int keysrc_refuse_at_boot(struct err **err);
void keysrc_free(struct key_source *src);
/* Passphrase on stdin or from a key file, for `recover` and `document`: stdin loses one final newline, files lose nothing. */
int keysrc_read_passphrase(const char *key_file, const char *what, struct secret **ret, struct err **err);

#endif
