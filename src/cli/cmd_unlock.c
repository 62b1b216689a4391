/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* unlock, recover, lock, cap: the verbs with effects. */
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/cli.h"
#include "keysrc/keysrc.h"
#include "push/push.h"
#include "unlock/exitcode.h"
#include "unlock/failure.h"
#include "unlock/guardian.h"
#include "unlock/handout.h"

/* Here, because the listener must have the configuration and nothing else: no key is being made yet, no passphrase was read. */
static int start_listener(struct cli *cli, const struct unlock_options *opt, struct err **err)
{
	const struct config_push *p = &cli->config->push;
	const struct push_listen l = { .host = p->host, .port = p->port, .pins = p->operators };

	if (opt->push && !p->present) {
		err_set(err, ERR_CONFIG, "push-off", "there is no [push] section: nobody may push a secret to this machine");
		return err_hint(err, "[push] names the operator's key, see cryptattest.conf(5)");
	}
	if (!unlock_may_be_pushed(cli->config, opt))
		return 0;
	/* The guardian has them already; what listens to the network must not write them. */
	return events_hide(cli->events, err) < 0 ? -1 : push_start(&l, &cli->push, err);
}

static int run(struct cli *cli, const struct unlock_options *opt)
{
	struct unlock_env env;
	struct err *err = NULL;

	if (cli_need_config(cli, &err) < 0 || start_listener(cli, opt, &err) < 0)
		return cli_fail(err);
	env = cli_env(cli);
	return unlock_run(&env, opt);
}

int cmd_unlock(struct cli *cli)
{
	struct unlock_options opt = { .names = cli->opts.args, .all = cli->opts.all, .boot = cli->opts.boot, .prepare = cli->opts.prepare };
	struct unlock_env env;
	struct failure_watch watch = { &env, &opt };
	struct err *err = NULL;

	if (cli->opts.all == (cli->opts.n_args > 0)) {
		err_set(&err, ERR_CONFIG, "usage", cli->opts.all ? "--all and volume names exclude each other" :
								   "which volume? name one, or say --all");
		return cli_fail(err);
	}
	/* The guardian reports in our place, and needs to know of what. */
	if (cli_need_config(cli, &err) < 0)
		return cli_fail(err);
	env = cli_env(cli);
	if (guardian_start(cli->platform->mapper, cli->root_fd, opt.boot ? failure_of_unfinished : NULL, &watch, &cli->guardian, &err) < 0)
		return cli_fail(err);
	return run(cli, &opt);
}

int cmd_key(struct cli *cli)
{
	char name[64];
	char *names[] = { name, NULL };
	struct unlock_options opt = { .names = cli->opts.n_args ? cli->opts.args : names, .key = true, .boot = cli->opts.boot, .peer = cli->opts.peer };
	struct err *err = NULL;

	if (cli->opts.peer == (cli->opts.n_args > 0)) {
		err_set(&err, ERR_CONFIG, "usage", cli->opts.peer ? "--peer and a volume name exclude each other" :
								    "which volume? name one, or say --peer");
		return cli_fail(err);
	}
	/* The trial mapping is private, and must not outlive us. */
	if (guardian_start(cli->platform->mapper, cli->root_fd, NULL, NULL, &cli->guardian, &err) < 0)
		return cli_fail(err);
	if (cli->opts.peer && handout_peer(STDOUT_FILENO, name, &err) < 0)
		return cli_fail(err);
	return run(cli, &opt);
}

int cmd_recover(struct cli *cli)
{
	struct unlock_options opt = { .names = cli->opts.args };
	_cleanup_secret_ struct secret *pass = NULL;
	const struct config_volume *v;
	struct err *err = NULL;

	/* Before the passphrase is read. */
	if (guardian_start(cli->platform->mapper, cli->root_fd, NULL, NULL, &cli->guardian, &err) < 0)
		return cli_fail(err);
	if (cli_need_config(cli, &err) < 0 || config_need_volume(cli->config, cli->opts.args[0], &v, &err) < 0)
		return cli_fail(err);
	if (cli->opts.push && cli->opts.key_file) {
		err_set(&err, ERR_CONFIG, "usage", "--push and --key-file exclude each other");
		return cli_fail(err);
	}
	opt.push = cli->opts.push;
	if (opt.push)
		return run(cli, &opt);
	if (keysrc_read_passphrase(cli->opts.key_file, cli->opts.args[0], &pass, &err) < 0)
		return cli_fail(err);
	opt.recover = pass;
	return run(cli, &opt);
}

int cmd_lock(struct cli *cli)
{
	struct unlock_env env = cli_env(cli);
	const char *name = cli->opts.args[0];
	const struct config_volume *v;
	struct err *err = NULL;
	bool closed = false;

	if (!text_is_volume_name(name)) {
		err_set(&err, ERR_CONFIG, "usage", "\"%s\" is not a volume name", name);
		return cli_fail(err);
	}
	if (unlock_lock_volume(&env, name, &closed, &err) < 0)
		return cli_fail(err);
	/* A misspelt name must not look like a closed volume; the configuration is read for that alone. */
	if (!closed && (cli_need_config(cli, &err) < 0 || config_need_volume(cli->config, name, &v, &err) < 0))
		return cli_fail(err);
	log_info("%s: %s", name, closed ? "closed" : "is not open");
	return EXIT_OK;
}

static const char *cap_words(const char *state, bool now)
{
	return text_eq(state, "off")  ? "off by configuration" :
	       text_eq(state, "unproven") && now ? "done, but nothing shows that the TPM which was told is this machine's" :
	       text_eq(state, "unproven") ? "was in place already, but nothing shows that the TPM which answers is this machine's" :
	       text_eq(state, "absent") ? "absent: the TPM that the configuration counts on is not there" :
	       text_eq(state, "none") ? "none: this machine has no run-time register that could be capped" :
	       now		      ? "done: no sealed secret can be unsealed until the next boot" :
					"was in place already";
}

/* A mistake in a file must not leave the door open: every register that the files can mean is closed, and the mistake is the result. Takes
 * why. A register that stays open is the graver of the two. */
static int cap_without_config(struct cli *cli, struct err *why)
{
	const struct config_options where = { .root_fd = cli->root_fd, .path = cli->opts.config };
	uint32_t pcrs = 0;
	const char *state = "";
	struct err *err = NULL;
	bool now = false, any = false;

	if (config_salvage(&where, &cli->config, &pcrs, &err) < 0) {
		cli_fail(err);
		return cli_fail(why);
	}
	for (int i = 0; i < 32; i++) {
		struct unlock_env env = cli_env(cli);

		if (!(pcrs >> i & 1))
			continue;
		cli->config->vtpm.cap_pcr = i;
		if (unlock_cap(&env, &state, &now, &err) < 0) {
			cli_fail(why);
			return cli_fail(err);
		}
		any |= now;
	}
	log_error("cap: the configuration cannot be read; capped without it: %s", cap_words(state, any));
	return cli_fail(why);
}

int cmd_cap(struct cli *cli)
{
	struct unlock_env env;
	const char *state = "";
	struct err *err = NULL;
	bool now = false;

	if (cli_need_config(cli, &err) < 0)
		return cap_without_config(cli, err);
	env = cli_env(cli);
	if (unlock_cap(&env, &state, &now, &err) < 0)
		return cli_fail(err);
	log_info("cap: %s", cap_words(state, now));
	return EXIT_OK;
}
