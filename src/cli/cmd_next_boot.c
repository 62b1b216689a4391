/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* next-boot: the table, and one line that sums it up. The last answer of this boot is kept for `status --metrics`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/explain.h"
#include "state/state.h"
#include "unlock/exitcode.h"
#include "unlock/next_boot.h"
#include "wire/json.h"

struct answer {
	struct doctor d;
	bool covered; /* the initrd, for every volume */
	int code;
};

static const char *verdict(const struct answer *a)
{
	const struct doctor_check *c = doctor_first_failure(&a->d);

	return a->code == EXIT_OK ? "yes" : c && c->status == DOCTOR_UNKNOWN ? "unknown" : "no";
}

/* Only what this machine sees; never more than `explain --remits` says. */
static void add_covers(struct cli *cli, struct answer *a)
{
	a->covered = cli->config != NULL;
	for (struct config_volume **v = cli->config ? cli->config->volumes : NULL; v && *v; v++) {
		_cleanup_buf_ struct buf text = BUF_INIT(1024);
		bool covered;

		if ((*v)->phase != PHASE_INITRD || (*v)->mode == MODE_MANUAL)
			continue;
		covered = explain_covers(cli, *v, &text);
		a->covered = a->covered && covered;
		doctor_add(&a->d, "covers-initrd", (*v)->name, covered ? DOCTOR_OK : DOCTOR_WARN, NULL, "%s",
			   buf_cstr(&text) ? buf_cstr(&text) : "NOTHING is known");
	}
}

static void sum_up(const struct answer *a, char *out, size_t cap)
{
	const struct doctor_check *c = doctor_first_failure(&a->d);
	const char *initrd = a->covered ? "" : "; nothing covers the initrd";

	if (a->code == EXIT_OK)
		snprintf(out, cap, "yes: the next boot will unlock, as far as can be known from here%s", initrd);
	else if (!c)
		snprintf(out, cap, "no: out of memory");
	else
		snprintf(out, cap, "%s: %s%s%s: %s%s",
			 c->status == DOCTOR_UNKNOWN ? "cannot be known" : "no: the next boot will not unlock", c->id,
			 *c->subject ? " " : "", c->subject, c->text, c->status == DOCTOR_UNKNOWN ? initrd : "");
}

static char *json_text(const struct answer *a, const char *summary)
{
	json_t *list = json_array(), *root;
	char *text;

	for (size_t i = 0; i < a->d.n; i++) {
		const struct doctor_check *c = &a->d.checks[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", c->id, "subject", c->subject, "status",
						      doctor_status_name(c->status), "text", c->text, "hint", c->hint));
	}
	root = json_pack("{s:i, s:b, s:s, s:i, s:b, s:s, s:o}", "version", 1, "ok", a->code == EXIT_OK, "verdict", verdict(a), "exit", a->code,
			 "initrd_covered", a->covered, "summary", summary, "checks", list);
	text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
	json_decref(root);
	return text;
}

static void print_text(const struct answer *a, const char *summary)
{
	for (size_t i = 0; i < a->d.n; i++) {
		const struct doctor_check *c = &a->d.checks[i];

		printf("%-7s  %-13s  %s%s%s%s%s\n", doctor_status_name(c->status), c->id, c->subject, *c->subject ? ": " : "", c->text,
		       *c->hint ? "; to do: " : "", c->hint);
	}
	printf("%s\n", summary);
}

/* Without the right to write there, an older answer of somebody who had it stays: that is not ours to decide. */
static void keep(const struct cli *cli, const char *text)
{
	_cleanup_err_ struct err *err = NULL;
	_cleanup_free_ char *line = text_printf("%s\n", text);

	if (line && state_file_write(cli->root_fd, NEXT_BOOT_FILE, line, strlen(line), &err) == 0)
		return;
	if (geteuid() == 0)
		log_warning("the answer is not kept for status --metrics: %s", err_message(err));
	else
		log_debug("the answer is not kept: %s", err_message(err));
}

int cmd_next_boot(struct cli *cli)
{
	const struct cli_opts *o = &cli->opts;
	const struct predict_input next = { .kernel = o->kernel, .initrd = o->initrd, .cmdline = o->cmdline, .uki = o->uki };
	_cleanup_free_ char *text = NULL;
	struct answer a = { 0 };
	char summary[900];
	struct unlock_env env;
	struct err *err = NULL;

	if (o->uki && (o->kernel || o->initrd || o->cmdline)) {
		err_set(&err, ERR_CONFIG, "usage", "a unified kernel image holds kernel, initrd and command line: --uki goes alone");
		return cli_fail(err);
	}
	cli_need_config(cli, &err); /* a failure is the first finding */
	env = cli_env(cli);
	next_boot_run(&env, err, &next, &a.d);
	err_free(err);
	add_covers(cli, &a);
	a.code = doctor_exit_code(&a.d);
	sum_up(&a, summary, sizeof(summary));
	text = json_text(&a, summary);
	if (text)
		keep(cli, text);
	if (!text || (o->json && cli_put(text) != EXIT_OK))
		a.code = EXIT_INTERNAL;
	if (!o->json)
		print_text(&a, summary);
	doctor_clear(&a.d);
	return fflush(stdout) == 0 ? a.code : EXIT_INTERNAL;
}
