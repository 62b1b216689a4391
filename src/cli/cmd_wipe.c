/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * wipe: removes a keyslot. As with `cryptsetup luksKillSlot`, the passphrase that is asked for must be one of a keyslot that stays, which
 * proves that the owner can still get in; the last keyslot stays in any case.
 */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/cli.h"
#include "keysrc/keysrc.h"
#include "unlock/enroll.h"
#include "unlock/exitcode.h"

static int check_words(struct cli *cli, const struct config_volume **ret, struct err **err)
{
	const struct cli_opts *o = &cli->opts;

	if (o->keyslot < 0)
		return err_set(err, ERR_CONFIG, "usage", "wipe needs --keyslot N");
	return cli_need_config(cli, err) < 0 ? -1 : config_need_volume(cli->config, o->args[0], ret, err);
}

/* A passphrase of another keyslot; with --force also one of the keyslot that goes. */
static int open_volume(struct cli *cli, const struct config_volume *v, int keyslot, struct enroll *e, struct err **err)
{
	_cleanup_secret_ struct secret *pass = NULL;
	const struct unlock_env env = cli_env(cli);

	if (keysrc_read_passphrase(cli->opts.key_file, v->name, &pass, err) < 0)
		return -1;
	if (enroll_open(&env, v, pass, cli->opts.force ? -1 : keyslot, e, err) == 0)
		return 0;
	if (err && err_class(*err) == ERR_BADKEY && !cli->opts.force)
		err_hint(err, "give a passphrase of a keyslot that stays, as a proof that one opens; --force takes that of keyslot %d too", keyslot);
	return -1;
}

static int wipe_keyslot(const struct enroll *e, int keyslot, struct err **err)
{
	_cleanup_luks_edit_ struct luks_edit *edit = NULL;

	if (enroll_wipe(e, keyslot, &edit, err) < 0 || luks_edit_write(edit, err) < 0)
		return -1;
	log_info("%s: keyslot %d is gone", e->conf->name, keyslot);
	if (e->conf->keyslot == keyslot)
		log_warning("%s: keyslot = %d of the configuration names it", e->conf->name, keyslot);
	return 0;
}

int cmd_wipe(struct cli *cli)
{
	_cleanup_enroll_ struct enroll e = ENROLL_INIT;
	const struct config_volume *v = NULL;
	struct err *err = NULL;

	if (check_words(cli, &v, &err) == 0 && open_volume(cli, v, cli->opts.keyslot, &e, &err) == 0 &&
	    wipe_keyslot(&e, cli->opts.keyslot, &err) == 0)
		return EXIT_OK;
	if (v)
		err_wrap(&err, "%s", v->name);
	return cli_fail(err);
}
