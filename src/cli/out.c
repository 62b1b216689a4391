/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/cli.h"
#include "keysrc/keysrc.h"
#include "unlock/exitcode.h"

int cli_fail(struct err *err)
{
	int code = exit_code_of(err_class(err));
	const char *id = err_id(err), *hint = err_hint_text(err);

	log_error("%s%s%s%s%s%s", err_message(err), *id ? " [" : "", id, *id ? "]" : "", *hint ? "; to do: " : "", hint);
	err_free(err);
	return code;
}

int cli_put(const char *text)
{
	if (fputs(text, stdout) == EOF || putchar('\n') == EOF || fflush(stdout) == EOF) {
		log_error("cannot write to standard output");
		return EXIT_INTERNAL;
	}
	return EXIT_OK;
}

int cli_put_json(json_t *root)
{
	char *text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
	int code = text ? cli_put(text) : EXIT_INTERNAL;

	free(text);
	json_decref(root);
	return code;
}

int cli_need_config(struct cli *cli, struct err **err)
{
	if (cli->config)
		return 0;
	if (config_load(&(struct config_options){ .root_fd = cli->root_fd,
						     .path = cli->opts.config,
						     .allow_http = cli->platform->allow_http },
			   &cli->config, err) < 0)
		return -1;
	/* A computer without any configuration is the desk of somebody who prepares a volume, and no confidential VM of ours. */
	keysrc_trust_console(cli->config->profile != PROFILE_CVM || !cli->config->files);
	return 0;
}

int cli_read_passphrase(struct cli *cli, const char *what, struct secret **ret, struct err **err)
{
	const char *key_file = cli->opts.key_file;
	_cleanup_err_ struct err *unread = NULL;

	/* With one that cannot be read nothing is asked on a console. */
	if ((!key_file || text_eq(key_file, "-")) && isatty(STDIN_FILENO))
		cli_need_config(cli, &unread);
	return keysrc_read_passphrase(key_file, what, ret, err);
}

struct unlock_env cli_env(const struct cli *cli)
{
	return (struct unlock_env){ .platform = cli->platform,
				    .root_fd = cli->root_fd,
				    .config = cli->config,
				    .transport = cli->transport,
				    .events = cli->events,
				    .guardian = cli->guardian,
				    .push = cli->push };
}
