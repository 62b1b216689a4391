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
#include "keysrc/keysrc.h"
#include "state/state.h"
#include "unlock/exitcode.h"
#include "unlock/metrics.h"
#include "unlock/next_boot.h"
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

static void print_cap(const struct state *st)
{
	if (text_eq(st->cap, "unproven"))
		printf("cap: a TPM was told to cap, but nothing showed that it is this machine's: set srk-name in [vtpm], or cap = required\n");
	if (text_eq(st->cap, "absent"))
		printf("cap: the TPM that the configuration counts on was not there to be capped: cryptattest cap, now that it may be; cap = required "
		       "makes that an error\n");
	if (st->cap_event && !st->cap_outcome)
		printf("cap: the outcome was not measured, the run was killed before it: cryptattest cap\n");
	else if (text_eq(st->cap_outcome, "unknown"))
		printf("cap: whether the outcome was measured is not known: the register was extended by others since\n");
}

static void print_state(const struct state *st)
{
	if (!st->result)
		printf("nothing was unlocked by cryptattest in this boot\n");
	else
		printf("last run: %s (exit %d: %s), cap: %s\n", st->result, st->exit_code,
		       exit_code_text(st->exit_code) ? exit_code_text(st->exit_code) : "?", st->cap ? st->cap : "?");
	print_cap(st);
	for (size_t i = 0; i < st->n_volumes; i++)
		print_volume(&st->volumes[i]);
}

/* *ret: NULL or one of the two. */
static int last_next_boot(struct cli *cli, bool *ok, const bool **ret, struct err **err)
{
	_cleanup_err_ struct err *e = NULL;
	_cleanup_free_ char *text = NULL;
	size_t len = 0;

	*ret = NULL;
	if (state_file_read(cli->root_fd, NEXT_BOOT_FILE, &text, &len, &e) < 0)
		return err_class(e) == ERR_NOTHING ? 0 : err_propagate(err, TAKE_PTR(e));
	if (metrics_parse_next_boot(text, len, ok, err) < 0)
		return err_wrap(err, "/%s/%s", STATE_DIR, NEXT_BOOT_FILE);
	*ret = ok;
	return 0;
}

static int put_metrics(struct cli *cli, const struct state *st, const struct timeline *t, struct err **err)
{
	_cleanup_buf_ struct buf out = BUF_INIT(METRICS_MAX);
	const bool *next_boot;
	bool ok;

	if (last_next_boot(cli, &ok, &next_boot, err) < 0)
		return -1;
	metrics_text(st, t, next_boot, &out);
	if (buf_check(&out, err) < 0)
		return -1;
	if (fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout) != 0)
		return err_set(err, ERR_INTERNAL, "output", "cannot write to standard output");
	return 0;
}

static int put_svg(struct cli *cli, const struct timeline *t, struct err **err)
{
	_cleanup_buf_ struct buf out = BUF_INIT(TIMELINE_SVG_MAX + 4096);

	timeline_svg(t, &out);
	if (buf_check(&out, err) < 0)
		return -1;
	return file_write_atomic(AT_FDCWD, cli->opts.svg, out.data, out.len, 0644, err);
}

/* What was recorded alone: no configuration is needed, but one that was named must be sound. */
static int tell(struct cli *cli, struct state *st, struct err **err)
{
	_cleanup_timeline_ struct timeline t = { 0 };

	if (cli->opts.json || (cli->opts.metrics && cli->opts.svg))
		return err_set(err, ERR_CONFIG, "usage", "--metrics, --svg and --json exclude each other");
	if ((cli->opts.config && cli_need_config(cli, err) < 0) || timeline_load(cli->root_fd, st->boot_id, &t, err) < 0)
		return -1;
	return cli->opts.metrics ? put_metrics(cli, st, &t, err) : put_svg(cli, &t, err);
}

static int show(struct cli *cli, struct state *st, struct err **err)
{
	_cleanup_free_ char *text = NULL;

	if (add_untried(cli, st, err) < 0)
		return -1;
	if (!cli->opts.json) {
		print_state(st);
		return 0;
	}
	if (state_json(st, &text, err) < 0)
		return -1;
	return puts(text) != EOF && fflush(stdout) == 0 ? 0 : err_set(err, ERR_INTERNAL, "output", "cannot write to standard output");
}

int cmd_status(struct cli *cli)
{
	struct state *st = NULL;
	struct err *err = NULL;
	int rc;

	if (state_load(cli->root_fd, &st, &err) < 0)
		return cli_fail(err);
	rc = (cli->opts.metrics || cli->opts.svg ? tell : show)(cli, st, &err);
	state_free(st);
	return rc < 0 ? cli_fail(err) : EXIT_OK;
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

	for (const char *nl; p < end && (nl = memchr(p, '\n', (size_t)(end - p))); p = nl + 1)
		json_array_append_new(list, json_stringn(p, (size_t)(nl - p)));
	root = json_pack("{s:i, s:b, s:I, s:o, s:s?, s:s?, s:s?}", "version", 1, "ok", !err, "volumes", (json_int_t)volumes, "crypttab",
			 list, "id", err ? err_id(err) : NULL, "message", err ? err_message(err) : NULL, "hint",
			 err ? err_hint_text(err) : NULL);
	return cli_put_json(root) == EXIT_OK ? code : EXIT_INTERNAL;
}

/* Sound for `unlock` by hand, but no boot opens it. */
static void warn_prompt(const struct config_volume *v)
{
	_cleanup_err_ struct err *why = NULL;

	if (v->mode == MODE_MANUAL || v->phase != PHASE_INITRD || !text_eq(v->source_name, "prompt"))
		return;
	keysrc_refuse_at_boot(&why);
	log_warning("%s:%u: [volume %s] secret = prompt: no boot opens it: %s [%s]; to do: %s", v->file, v->line, v->name, err_message(why),
		    err_id(why), err_hint_text(why));
}

static int check(struct cli *cli)
{
	_cleanup_buf_ struct buf problems = BUF_INIT(CRYPTTAB_MAX);
	struct err *err = NULL;
	size_t n = 0;
	int code = EXIT_OK;

	if (cli_need_config(cli, &err) == 0 && cli->opts.crypttab)
		check_crypttab(cli, &problems, &err);
	for (struct config_volume **v = cli->config ? cli->config->volumes : NULL; v && *v; v++, n++)
		warn_prompt(*v);
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
