/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * opts_tool VERB OPTION[:VALUE]...: gives the verb each of these options, by the parser of the agent, and prints a line for each that is
 * not refused as one that the verb does not take. For test_cli.sh: five hundred programs less to start.
 */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/cli.h"

static void try_option(const struct verb *verb, char *word)
{
	char *value = strchr(word, ':'), option[64], expected[128];
	_cleanup_err_ struct err *e = NULL;
	struct cli_opts o;

	if (value)
		*value++ = 0;
	snprintf(option, sizeof(option), "--%s", word);
	snprintf(expected, sizeof(expected), "%s does not take %s", verb->name, option);
	char *argv[] = { (char *)verb->name, (char *)"word", option, value, NULL };
	if (opts_parse(verb, value ? 4 : 3, argv, &o, &e) != -1)
		printf("%s takes %s\n", verb->name, option);
	else if (err_class(e) != ERR_CONFIG || !text_eq(err_message(e), expected))
		printf("%s %s: %s\n", verb->name, option, err_message(e));
}

int main(int argc, char **argv)
{
	const struct verb *verb = argc > 2 ? verb_find(argv[1]) : NULL;

	if (!verb) {
		fprintf(stderr, "usage: opts_tool VERB OPTION[:VALUE]...\n");
		return 2;
	}
	for (int i = 2; i < argc; i++)
		try_option(verb, argv[i]);
	return 0;
}
