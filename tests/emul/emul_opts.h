/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What tee_signer and cuse_sev_guest are told about the report they sign. */
#ifndef CRYPTATTEST_TESTS_EMUL_OPTS_H
#define CRYPTATTEST_TESTS_EMUL_OPTS_H

#include "tests/lib/tee_testpki.h"

#define EMUL_SETS_MAX 64

struct emul_opts {
	const char *program, *pki_dir;
	char *sets[EMUL_SETS_MAX + 1];
	size_t sets_n;
	struct testpki *pki;
	struct tee_testpki sign;
};

/* --pki DIR, --set FIELD=VALUE, --no-certs, --flip OFFSET: true when the option (getopt_long's character) was one of these. */
#define EMUL_LONG_OPTIONS                                                                                    \
	{ "pki", 1, NULL, 'p' }, { "set", 1, NULL, 's' }, { "no-certs", 0, NULL, 'n' }, { "flip", 1, NULL, 'f' }
#define EMUL_USAGE "--pki DIR [--set FIELD=VALUE]... [--no-certs] [--flip OFFSET]"
bool emul_option(struct emul_opts *o, int c, const char *arg);
/* Loads the PKI and signs once, so that a wrong field is an error now and not in the guest's log later. Exits on failure. */
void emul_ready(struct emul_opts *o, enum tee_kind kind);
_Noreturn void emul_die(const struct emul_opts *o, const char *what);
/* Decimal number, or exits with a usage message. */
unsigned long emul_number(const struct emul_opts *o, const char *text, unsigned long max);

#endif
