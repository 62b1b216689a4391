/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Between cmd_enroll.c (words, passphrase, the broker's keyslot) and cmd_enroll_vtpm.c. */
#ifndef CRYPTATTEST_CLI_ENROLL_VERB_H
#define CRYPTATTEST_CLI_ENROLL_VERB_H

#include "cli/cli.h"
#include "cli/secret_out.h"
#include "unlock/enroll.h"

/* The document as text, on the disk when this returns. */
int enroll_put_document(struct secret_out *out, const struct secret_document *doc, struct err **err);
/* What can be wrong with the words for this source. */
int enroll_vtpm_check(const struct cli_opts *o, const struct config *c, const struct config_volume *v, struct err **err);
/* passphrase: the one that opened e. */
int enroll_vtpm(struct cli *cli, struct enroll *e, const struct secret *passphrase, struct err **err);

/* --from: the words; the lines for the configuration, on standard output; the passphrase that authorizes. */
int enroll_from_check(const struct cli_opts *o, struct err **err);
int enroll_from_print(const struct unlock_env *env, const struct config_volume *v, const char *from, struct err **err);
int enroll_from_passphrase(const struct unlock_env *env, const struct config_volume *v, const char *from, struct secret **ret, struct err **err);

#endif
