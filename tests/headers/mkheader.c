/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* mkheader IMAGE OPERATION...: see edit.h for the operations. Edits the image in place. */
#include <stdio.h>

#include "tests/headers/edit.h"

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr,
			"usage: mkheader IMAGE {set PATH JSON | del PATH | dup PATH JSON | second | field NAME VALUE |\n"
			"                       tail TEXT | null-keyslot SLOT | raw OFFSET HEX}...\n");
		return 2;
	}
	edit_run(argv[1], (const char *const *)argv + 2);
	return 0;
}
