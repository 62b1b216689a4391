/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* status and config: what is, without side effects. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/crypttab.h"
#include "state/state.h"
#include "unlock/exitcode.h"
#include "wire/json.h"

static void print_volume(const struct state_volume *v)
{
	printf("%-16s %-8s", v->name, v->state ? v->state : "?");
	if (text_eq(v->state, "open"))
		printf(" /dev/mapper/%s from %s by %s", v->name, v->device ? v->device : "?", v->source ? v->source : "?");
	if (v->reason_message && *v->reason_message)
		printf(text_eq(v->state, "open") ? " (%s) [%s]" : " %s [%s]", v->reason_message, v->reason_id ? v->reason_id : "");
	putchar('\n');
	if (v->sealed && *v->sealed)
		printf("%-16s sealed secret: %s\n", "", v->sealed);
	if (v->vk_id && *v->vk_id)
		printf("%-16s vk-id = %s\n", "", v->vk_id);
	if (v->header_id && *v->header_id)
		printf("%-16s header-id = %s\n", "", v->header_id);
}

/* The installed configuration may be broken: what happened in this boot is told nevertheless. One that was named must be sound. */
static int add_untried(struct cli *cli, struct state *st, struct err **err)
{
	_cleanup_err_ struct err *e = NULL;

	if (cli_need_config(cli, &e) < 0) {
		if (cli->opts.config)
			return err_propagate(err, TAKE_PTR(e));
		log_warning("volumes that were not tried are not listed: %s", err_message(e));
		return 0;
	}
	for (struct config_volume **v = cli->config->volumes; *v; v++) {
		struct state_volume *sv = state_volume_get(st, (*v)->name, false);

		if (sv)
			continue;
		sv = state_volume_get(st, (*v)->name, true);
		if (!sv)
			return err_nomem(err);
		if (state_set(&sv->state, "absent", err) < 0 || state_set(&sv->reason_id, "not-tried", err) < 0 ||
		    state_set(&sv->phase, (*v)->phase == PHASE_INITRD ? "initrd" : "system", err) < 0 ||
		    state_set(&sv->reason_class, err_class_name(ERR_NOTHING), err) < 0 ||
		    state_set(&sv->reason_message,
			      (*v)->mode == MODE_MANUAL ? "not tried in this boot, mode = manual" : "not tried in this boot", err) < 0)
			return -1;
	}
	return 0;
}

static void print_state(const struct state *st)
{
	if (!st->result)
		printf("nothing was unlocked by cryptattest in this boot\n");
	else
		printf("last run: %s (exit %d: %s), cap: %s\n", st->result, st->exit_code,
		       exit_code_text(st->exit_code) ? exit_code_text(st->exit_code) : "?", st->cap ? st->cap : "?");
	for (size_t i = 0; i < st->n_volumes; i++)
		print_volume(&st->volumes[i]);
}

int cmd_status(struct cli *cli)
{
	struct state *st = NULL;
	char *text = NULL;
	struct err *err = NULL;
	int code = EXIT_OK;

	if (state_load(cli->root_fd, &st, &err) < 0)
		return cli_fail(err);
	if (add_untried(cli, st, &err) < 0 || (cli->opts.json && state_json(st, &text, &err) < 0))
		code = cli_fail(err);
	else if (cli->opts.json)
		code = cli_put(text);
	else
		print_state(st);
	free(text);
	state_free(st);
	return code;
}

#define CRYPTTAB_MAX (1 << 20)

/* Appends one line per problem. */
static int check_crypttab(struct cli *cli, struct buf *problems, struct err **err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (file_read(AT_FDCWD, cli->opts.crypttab, CRYPTTAB_MAX, ERR_CONFIG, &text, &len, err) < 0)
		return -1;
	return crypttab_check(cli->opts.crypttab, text, len, cli->config, problems, err);
}

static int check_json(size_t volumes, const struct buf *problems, struct err *err)
{
	json_t *list = json_array(), *root;
	const char *p = problems->len ? (const char *)problems->data : "";
	const char *const end = p + problems->len;
	int code = err ? exit_code_of(err_class(err)) : EXIT_OK;
	char *text;

	for (const char *nl; p < end && (nl = memchr(p, '\n', (size_t)(end - p))); p = nl + 1)
		json_array_append_new(list, json_stringn(p, (size_t)(nl - p)));
	root = json_pack("{s:i, s:b, s:I, s:o, s:s?, s:s?, s:s?}", "version", 1, "ok", !err, "volumes", (json_int_t)volumes, "crypttab",
			 list, "id", err ? err_id(err) : NULL, "message", err ? err_message(err) : NULL, "hint",
			 err ? err_hint_text(err) : NULL);
	text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
	if (!text || cli_put(text) != EXIT_OK)
		code = EXIT_INTERNAL;
	free(text);
	json_decref(root);
	return code;
}

static int check(struct cli *cli)
{
	_cleanup_buf_ struct buf problems = BUF_INIT(CRYPTTAB_MAX);
	struct err *err = NULL;
	size_t n = 0;
	int code = EXIT_OK;

	if (cli_need_config(cli, &err) == 0 && cli->opts.crypttab)
		check_crypttab(cli, &problems, &err);
	for (struct config_volume **v = cli->config ? cli->config->volumes : NULL; v && *v; v++)
		n++;
	if (cli->opts.json)
		code = check_json(n, &problems, err);
	else if (problems.len)
		fputs(buf_cstr(&problems), stderr);
	if (err)
		return cli_fail(err);
	if (!n)
		log_warning("the configuration is sound, but names no volume: nothing will be opened");
	else if (!cli->opts.json)
		log_info("configuration is sound: %zu volume%s", n, n == 1 ? "" : "s");
	return code;
}

int cmd_config(struct cli *cli)
{
	_cleanup_buf_ struct buf out = BUF_INIT(4 << 20);
	struct err *err = NULL;

	if (cli->opts.show && (cli->opts.check || cli->opts.crypttab)) {
		err_set(&err, ERR_CONFIG, "usage", "--show and --%s exclude each other", cli->opts.check ? "check" : "crypttab");
		return cli_fail(err);
	}
	if (!cli->opts.show)
		return check(cli);
	if (cli_need_config(cli, &err) < 0 || config_show(cli->config, cli->opts.json, &out, &err) < 0)
		return cli_fail(err);
	fputs(buf_cstr(&out) ? buf_cstr(&out) : "", stdout);
	return fflush(stdout) == 0 ? EXIT_OK : EXIT_INTERNAL;
}
