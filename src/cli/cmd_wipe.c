/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * wipe: removes a keyslot. As with `cryptsetup luksKillSlot`, the passphrase that is asked for must be one of a keyslot that stays, which
 * proves that the owner can still get in; the last keyslot stays in any case.
 */
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/cli.h"
#include "keysrc/keysrc.h"
#include "state/state.h"
#include "unlock/enroll_vtpm.h"
#include "unlock/exitcode.h"
#include "unlock/rules.h"

#define LOCK_WAIT_MS 60000 /* for an unlock that is under way: it has the TPM */

/* The indices are the machine's: those of other volumes count on them as well. */
static int check_shared(const struct config *c, const struct config_volume *v, struct err **err)
{
	for (struct config_volume *const *o = c->volumes; *o; o++)
		if (*o != v && config_mode_uses_vtpm((*o)->mode)) {
			err_set(err, ERR_CONFIG, "nv-shared", "--nv-indices: volume %s depends on the same indices", (*o)->name);
			return err_hint(err, "leave the option out, or say --force and enrol %s again", (*o)->name);
		}
	return 0;
}

static int check_words(struct cli *cli, const struct config_volume **ret, struct err **err)
{
	const struct cli_opts *o = &cli->opts;
	bool vtpm = text_eq(o->source, "vtpm");

	if (o->source ? !vtpm : o->keyslot < 0)
		return err_set(err, ERR_CONFIG, "usage", "wipe needs --keyslot N or --source=vtpm");
	if ((o->nv_indices && !vtpm) || (o->owner_auth_file && !o->nv_indices))
		return err_set(err, ERR_CONFIG, "usage", "--nv-indices is for --source=vtpm, and --owner-auth-file for --nv-indices");
	if (text_eq(o->owner_auth_file, "-"))
		return err_set(err, ERR_CONFIG, "usage", "only --key-file takes \"-\": standard input is for the volume's passphrase");
	if (cli_need_config(cli, err) < 0 || config_need_volume(cli->config, o->args[0], ret, err) < 0)
		return -1;
	return o->nv_indices && !o->force ? check_shared(cli->config, *ret, err) : 0;
}

/* Of --source=vtpm: what the sealed file says, or what the owner says. The file is the host's to write. */
static int find_keyslot(struct cli *cli, const struct config_volume *v, struct sealed_slot *ret, struct err **err)
{
	const struct unlock_env env = cli_env(cli);
	struct sealed_slot named = SEALED_SLOT_NONE;
	const int asked = cli->opts.keyslot;
	_cleanup_err_ struct err *why = NULL;

	*ret = (struct sealed_slot){ .number = asked };
	if (!cli->opts.source)
		return 0;
	if (enroll_sealed_slot(&env, v, &named, &why) < 0 && asked < 0) {
		if (!text_eq(err_id(why), "sealed-absent"))
			return err_propagate(err, TAKE_PTR(why));
		err_set(err, ERR_TPM, "sealed-absent", "sealed = %s: no such file, which would name the keyslot", v->sealed ? v->sealed : "(not set)");
		return err_hint(err, "name it: --keyslot N (`cryptsetup luksDump` lists them), or leave all as it is if none is left");
	}
	if (asked < 0 && named.number < 0)
		return err_set(err, ERR_CONFIG, "usage", "the sealed file does not name its keyslot: say --keyslot N");
	if (asked >= 0 && named.number >= 0 && asked != named.number)
		return err_set(err, ERR_CONFIG, "usage", "--keyslot %d, but the sealed file names keyslot %d", asked, named.number);
	if (asked < 0)
		*ret = named;
	return 0;
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

static int forget_indices(struct cli *cli, const struct config_volume *v, struct err **err)
{
	_cleanup_(machine_tpm_close) struct machine_tpm tpm = { 0 };
	_cleanup_rules_ struct rules rules = { 0 };
	_cleanup_secret_ struct secret *owner = NULL;
	const struct unlock_env env = cli_env(cli);
	_cleanup_close_ int lock = -1;
	unsigned int removed = 0;
	struct vtpm *vtpm;

	if (state_lock(cli->root_fd, deadline_in_ms(LOCK_WAIT_MS), &lock, err) < 0)
		return -1;
	if (cli->opts.owner_auth_file && keysrc_read_passphrase(cli->opts.owner_auth_file, "the TPM's owner", &owner, err) < 0)
		return -1;
	if (enroll_trust(&env, &tpm, owner, &vtpm, err) < 0 || rules_load(cli->config, cli->root_fd, v->pin, &rules, err) < 0 ||
	    vtpm_forget(vtpm, &rules.vtpm, owner, &removed, err) < 0)
		return -1;
	log_info("%s: %u indices of the TPM removed", v->name, removed);
	return 0;
}

/* Keyslot first: a sealed file without one opens nothing, and a call that was killed is made again. */
static int wipe_sealed(struct cli *cli, const struct enroll *e, const struct sealed_slot *slot, struct err **err)
{
	const struct unlock_env env = cli_env(cli);
	const bool by_owner = cli->opts.keyslot >= 0;

	if (enroll_has_slot(e, slot->number)) {
		if (!cli->opts.force && !(by_owner ? enroll_made_slot(e, slot->number) : enroll_sealed_vouched(e, slot))) {
			err_set(err, ERR_CONFIG, "keyslot-foreign", "nothing proves that keyslot %d was made for a sealed secret: the sealed file, which "
				"the host can write, is not to be trusted", slot->number);
			return err_hint(err, "see `cryptattest check %s`, then wipe --keyslot N", e->conf->name);
		}
		if (wipe_keyslot(e, slot->number, err) < 0)
			return -1;
	}
	if (enroll_sealed_remove(&env, e->conf, err) < 0)
		return -1;
	log_info("%s: the sealed secret is gone", e->conf->name);
	return cli->opts.nv_indices ? forget_indices(cli, e->conf, err) : 0;
}

int cmd_wipe(struct cli *cli)
{
	_cleanup_enroll_ struct enroll e = ENROLL_INIT;
	const struct config_volume *v = NULL;
	struct err *err = NULL;
	struct sealed_slot slot;

	if (check_words(cli, &v, &err) == 0 && find_keyslot(cli, v, &slot, &err) == 0 && open_volume(cli, v, slot.number, &e, &err) == 0 &&
	    (cli->opts.source ? wipe_sealed(cli, &e, &slot, &err) : wipe_keyslot(&e, slot.number, &err)) == 0)
		return EXIT_OK;
	if (v)
		err_wrap(&err, "%s", v->name);
	return cli_fail(err);
}
