/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Prints the KEYS part of cryptattest.conf(5) from the parser's own table; tests/unit/test_man.sh compares it with the page. */
#include <stdio.h>

#include "config/keywords.h"

static void roff(const char *s)
{
	for (; *s; s++) {
		if (*s == '-')
			putchar('\\');
		putchar(*s);
	}
}

int main(void)
{
	static const char *const headings[] = { "[agent]", "[kbs NAME]", "[vtpm]", "[push]", "[volume NAME]" };
	int scope = -1;

	for (const struct keyword *kw = config_keywords; kw->name; kw++) {
		if ((int)kw->scope != scope) {
			scope = (int)kw->scope;
			printf(".SS \"%s\"\n", headings[scope]);
		}
		printf(".TP\n.B ");
		roff(kw->name);
		putchar('\n');
		roff(kw->doc);
		printf("\n.br\n");
		printf("%s: ", kw->type == KW_LIST ? "May be repeated" : "Value");
		roff(kw->allowed);
		if (kw->def) {
			printf(". Default: ");
			roff(kw->def);
		}
		printf(".\n");
	}
	return 0;
}
