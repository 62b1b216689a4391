/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* doctor: the table of checks. */
#include "unlock/doctor.h"

#include <stdlib.h>

#include "cli/cli.h"
#include "unlock/exitcode.h"
#include "wire/json.h"

static int print_json(const struct doctor *d, int code)
{
	json_t *list = json_array(), *root;

	for (size_t i = 0; i < d->n; i++) {
		const struct doctor_check *c = &d->checks[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", c->id, "subject", c->subject, "status",
						      doctor_status_name(c->status), "text", c->text, "hint", c->hint));
	}
	root = json_pack("{s:i, s:b, s:i, s:o}", "version", 1, "ok", code == EXIT_OK, "exit", code, "checks", list);
	return cli_put_json(root) == EXIT_OK ? code : EXIT_INTERNAL;
}

static int print_text(const struct doctor *d, int code)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct doctor_check *c = &d->checks[i];

		printf("%-4s  %-12s  %s%s%s%s%s\n", doctor_status_name(c->status), c->id, c->subject, *c->subject ? ": " : "", c->text,
		       *c->hint ? "; to do: " : "", c->hint);
	}
	return fflush(stdout) == 0 ? code : EXIT_INTERNAL;
}

int cmd_doctor(struct cli *cli)
{
	struct err *err = NULL;
	struct unlock_env env;
	struct doctor d;
	int code;

	cli_need_config(cli, &err); /* a failure is the first finding */
	env = cli_env(cli);
	doctor_run(&env, err, &d);
	err_free(err);
	code = doctor_exit_code(&d);
	code = cli->opts.json ? print_json(&d, code) : print_text(&d, code);
	doctor_clear(&d);
	return code;
}
