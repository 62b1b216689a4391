/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/emul/emul_opts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

_Noreturn void emul_die(const struct emul_opts *o, const char *what)
{
	fprintf(stderr, "%s: %s\n", o->program, what);
	exit(2);
}

unsigned long emul_number(const struct emul_opts *o, const char *text, unsigned long max)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || *end || end == text || text[0] == '-' || v > max)
		emul_die(o, "a number was expected");
	return v;
}

bool emul_option(struct emul_opts *o, int c, const char *arg)
{
	switch (c) {
	case 'p':
		o->pki_dir = arg;
		return true;
	case 's':
		if (o->sets_n == EMUL_SETS_MAX)
			emul_die(o, "too many --set");
		o->sets[o->sets_n++] = (char *)arg;
		return true;
	case 'n':
		o->sign.no_certs = true;
		return true;
	case 'f':
		o->sign.flip = emul_number(o, arg, TDX_QUOTE_MAX) + 1;
		return true;
	default:
		return false;
	}
}

void emul_ready(struct emul_opts *o, enum tee_kind kind)
{
	_cleanup_err_ struct err *e = NULL;
	uint8_t data[TEE_REPORT_DATA] = { 0 };
	struct evidence ev = { 0 };

	if (!o->pki_dir)
		emul_die(o, "--pki DIR is needed");
	if (testpki_open(o->pki_dir, &o->pki, &e) < 0)
		emul_die(o, err_message(e));
	o->sign.pki = o->pki;
	o->sign.kind = kind;
	o->sign.sets = o->sets;
	o->sign.vmpl = -1;
	if (tee_testpki_sign(&o->sign, data, &ev, &e) < 0)
		emul_die(o, err_message(e));
	evidence_clear(&ev);
}
