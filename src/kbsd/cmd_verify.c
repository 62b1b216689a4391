/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "kbsd/options.h"
#include "kbsd/statedir.h"
#include "kbsd/verbs.h"
#include "verify/verify_options.h"

static const char help_text[] =
	"Verifies the report or quote in FILE as serve would: signatures, certificate chain up\n"
	"to a built-in root, identities, consistency of the TCB. Prints the verdict as JSON.\n"
	"Exit code 0: verified; 4: refused, or not evidence at all; 2: a file cannot be read, or\n"
	"wrong usage. Nothing is fetched: the verdict names what is missing and the URL to get\n"
	"it from. Without --policy no measurement is judged. Evaluation of Intel's TCB\n"
	"collateral (--collateral) is not supported in this release.\n"
	"\n"
	"What was downloaded into the server's directory counts: DIR/ca.pem and DIR/kds-store,\n"
	"where --ca and --store do not name others.\n";

static int set(void *ctx, const char *name, const char *value, struct err **err)
{
	return verify_options_set(ctx, name, value, err);
}

static int no_collateral(void *ctx, const char *name, const char *value, struct err **err)
{
	(void)ctx, (void)name, (void)value;
	err_set(err, ERR_CONFIG, "usage", "not supported in this release");
	return err_hint(err, "without it the verdict says \"tcb\":\"unverified\" for TDX; signatures and identities are "
			     "verified all the same");
}

int cmd_verify(int n, char **args)
{
	struct verify_options o = { 0 };
	_cleanup_certs_ struct statedir_certs certs = { 0 };
	struct option_def defs[16] = { 0 };
	_cleanup_buf_ struct buf note = BUF_INIT(256 * 1024);
	_cleanup_free_ char *json = NULL;
	struct err *e = NULL;
	size_t d = 0;
	int code = 0;
	bool help;

	for (const struct verify_option_text *t = verify_option_texts; t->name; t++)
		defs[d++] = (struct option_def){ t->name, OPTION_CALL, &o, t->metavar, t->help, .call = set };
	defs[d++] = (struct option_def){ "collateral", OPTION_CALL, &o, "DIR", "not supported in this release",
					 .call = no_collateral };
	defs[d++] = (struct option_def){ "dir", OPTION_STRING, &certs.dir, "DIR", "ca.pem and kds-store of this server (" STATEDIR_DEFAULT ", if any)" };
	if (options_parse(defs, n, args, 0, 0, NULL, &help, &e) < 0)
		return verb_fail(e);
	if (help) {
		options_help(stdout, "verify --evidence FILE [--tee snp|tdx] [OPTIONS]", help_text, defs);
		return EXIT_DONE;
	}
	o.find = statedir_find_certs;
	o.find_ctx = &certs;
	if (verify_options_run(&o, &json, &code, &note, &e) < 0)
		return verb_fail(e);
	if (buf_cstr(&note))
		fputs(buf_cstr(&note), stderr);
	if (puts(json) < 0 || fflush(stdout) != 0)
		return EXIT_INTERNAL;
	return code;
}
