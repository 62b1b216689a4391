/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* status and config: what is, without side effects. */
#include <fcntl.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/crypttab.h"
#include "state/state.h"
#include "unlock/exitcode.h"

static void print_volume(const struct state_volume *v)
{
	printf("%-16s %-8s", v->name, v->state ? v->state : "?");
	if (text_eq(v->state, "open"))
		printf(" /dev/mapper/%s from %s by %s", v->name, v->device ? v->device : "?", v->source ? v->source : "?");
	if (v->reason_message && *v->reason_message)
		printf(" %s [%s]", v->reason_message, v->reason_id ? v->reason_id : "");
	putchar('\n');
	if (v->vk_id && *v->vk_id)
		printf("%-16s vk-id = %s\n", "", v->vk_id);
	if (v->header_id && *v->header_id)
		printf("%-16s header-id = %s\n", "", v->header_id);
}

int cmd_status(struct cli *cli)
{
	struct state *st = NULL;
	char *text = NULL;
	struct err *err = NULL;
	int code = EXIT_OK;

	if (state_load(cli->root_fd, &st, &err) < 0)
		return cli_fail(err);
	if (cli->opts.json) {
		if (state_json(st, &text, &err) < 0)
			code = cli_fail(err);
		else
			code = cli_put(text);
		free(text);
	} else if (!st->n_volumes && !st->result) {
		printf("nothing was unlocked by cryptattest in this boot\n");
	} else {
		printf("last run: %s (exit %d: %s), cap: %s\n", st->result ? st->result : "?", st->exit_code,
		       exit_code_text(st->exit_code) ? exit_code_text(st->exit_code) : "?", st->cap ? st->cap : "?");
		for (size_t i = 0; i < st->n_volumes; i++)
			print_volume(&st->volumes[i]);
	}
	state_free(st);
	return code;
}

#define CRYPTTAB_MAX (1 << 20)

static int check_crypttab(struct cli *cli, struct err **err)
{
	_cleanup_buf_ struct buf problems = BUF_INIT(CRYPTTAB_MAX);
	_cleanup_free_ char *text = NULL;
	size_t len;
	int rc;

	if (file_read(AT_FDCWD, cli->opts.crypttab, CRYPTTAB_MAX, ERR_CONFIG, &text, &len, err) < 0)
		return -1;
	rc = crypttab_check(cli->opts.crypttab, text, len, cli->config, &problems, err);
	if (problems.len)
		fputs(buf_cstr(&problems), stderr);
	return rc;
}

static int check(struct cli *cli)
{
	struct err *err = NULL;
	size_t n = 0;

	if (cli->opts.crypttab && check_crypttab(cli, &err) < 0)
		return cli_fail(err);
	for (struct config_volume **v = cli->config->volumes; *v; v++)
		n++;
	log_info("configuration is sound: %zu volume%s", n, n == 1 ? "" : "s");
	return EXIT_OK;
}

int cmd_config(struct cli *cli)
{
	_cleanup_buf_ struct buf out = BUF_INIT(4 << 20);
	struct err *err = NULL;

	if (cli->opts.check && cli->opts.show) {
		err_set(&err, ERR_CONFIG, "usage", "--check and --show exclude each other");
		return cli_fail(err);
	}
	if (cli_need_config(cli, &err) < 0)
		return cli_fail(err);
	if (!cli->opts.show)
		return check(cli);
	if (config_show(cli->config, cli->opts.json, &out, &err) < 0)
		return cli_fail(err);
	fputs(buf_cstr(&out) ? buf_cstr(&out) : "", stdout);
	return fflush(stdout) == 0 ? EXIT_OK : EXIT_INTERNAL;
}
