/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * enroll: a keyslot with a fresh secret, for the key broker or for this machine's TPM. What holds the secret (document, sealed file) is on
 * the disk before the header names its keyslot, so that no moment leaves a keyslot whose secret is lost.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/enroll_verb.h"
#include "keysrc/keysrc.h"
#include "unlock/exitcode.h"

int enroll_put_document(struct secret_out *out, const struct secret_document *doc, struct err **err)
{
	_cleanup_secret_ struct secret *text = NULL;

	return secret_document_text(doc, &text, err) < 0 ? -1 : secret_out_write(out, text, err);
}

/* Document first, then header; when the header stays as it was, no document stays either. */
static int commit(struct luks_edit *edit, struct secret_out *out, const struct secret_document *doc, struct err **err)
{
	if (enroll_put_document(out, doc, err) == 0 && luks_edit_write(edit, err) == 0)
		return 0;
	if (luks_edit_untouched(edit))
		secret_out_undo(out);
	else
		log_warning("keep the document: its keyslot may be in the header");
	return -1;
}

static int enroll_kbs(struct cli *cli, const struct enroll *e, struct err **err)
{
	_cleanup_luks_edit_ struct luks_edit *edit = NULL;
	_cleanup_secret_ struct secret *passphrase = NULL;
	struct secret_document doc = { .keyslot = -1, .sealed_keyslot = -1 };
	struct secret_out out;
	int rc;

	if (enroll_secret(NULL, &passphrase, err) < 0 || enroll_add(e, passphrase, cli->opts.keyslot, &edit, err) < 0 ||
	    enroll_document(e, edit, passphrase, &doc, err) < 0)
		return -1;
	rc = secret_out_open(cli->opts.output, &out, err);
	if (rc == 0) {
		rc = commit(edit, &out, &doc, err);
		secret_out_close(&out);
	}
	secret_document_clear(&doc);
	if (rc < 0)
		return -1;
	log_info("%s: keyslot %d holds a new secret for the key broker; older keyslots still open the volume", e->conf->name,
		 luks_edit_keyslot(edit));
	log_info("%s: next: cryptattest-kbs resource add --document, unlock once with it, then cryptattest wipe %s --keyslot N", e->conf->name,
		 e->conf->name);
	enroll_warn_pins(e, edit);
	return 0;
}

static int need_kbs(const struct cli_opts *o, const struct config_volume *v, struct err **err)
{
	if (v->mode == MODE_KBS_AND_VTPM && !o->force) {
		err_set(err, ERR_CONFIG, "enroll-mode", "mode = kbs+vtpm: a secret of the broker that opens the volume alone would undo it");
		return err_hint(err, "--source=vtpm makes both parts; --force adds the keyslot all the same");
	}
	if (v->mode == MODE_VTPM && !o->force) {
		err_set(err, ERR_CONFIG, "enroll-mode", "mode = vtpm never asks a key broker");
		return err_hint(err, "change the mode first, or say --force");
	}
	return 0;
}

/* Everything that can be wrong with the words, before a passphrase is asked for. */
static int check_words(struct cli *cli, const struct config_volume **ret, struct err **err)
{
	const struct cli_opts *o = &cli->opts;

	bool prints = o->from && !o->source;

	if (!prints && !text_eq(o->source, "kbs") && !text_eq(o->source, "vtpm"))
		return err_set(err, ERR_CONFIG, "usage", "enroll needs --source=kbs or --source=vtpm, or --from alone, which prints");
	if (enroll_from_check(o, err) < 0)
		return -1;
	if (cli_need_config(cli, err) < 0 || config_need_volume(cli->config, o->args[0], ret, err) < 0)
		return -1;
	if (prints)
		return 0;
	if (text_eq(o->source, "vtpm"))
		return enroll_vtpm_check(o, cli->config, *ret, err);
	if (o->document || o->kbs_part || o->pin_file || o->owner_auth_file)
		return err_set(err, ERR_CONFIG, "usage", "--document, --kbs-part, --pin-file and --owner-auth-file are for --source=vtpm");
	if (o->predicted || o->kernel || o->initrd || o->cmdline || o->uki)
		return err_set(err, ERR_CONFIG, "usage", "--predicted and what tells it the next boot are for --source=vtpm");
	return need_kbs(o, *ret, err) < 0 ? -1 : secret_out_check(o->output, err);
}

static int enroll(struct cli *cli, const struct config_volume *v, struct err **err)
{
	_cleanup_enroll_ struct enroll e = ENROLL_INIT;
	_cleanup_secret_ struct secret *pass = NULL;
	const struct unlock_env env = cli_env(cli);
	const struct cli_opts *o = &cli->opts;

	if (o->from && !o->source)
		return enroll_from_print(&env, v, o->from, err);
	if ((o->from ? enroll_from_passphrase(&env, v, o->from, &pass, err) : keysrc_read_passphrase(o->key_file, v->name, &pass, err)) < 0)
		return -1;
	if (enroll_open(&env, v, pass, -1, &e, err) < 0)
		return -1;
	return text_eq(o->source, "vtpm") ? enroll_vtpm(cli, &e, pass, err) : enroll_kbs(cli, &e, err);
}

int cmd_enroll(struct cli *cli)
{
	const struct config_volume *v = NULL;
	struct err *err = NULL;

	if (check_words(cli, &v, &err) == 0 && enroll(cli, v, &err) == 0)
		return EXIT_OK;
	if (v)
		err_wrap(&err, "%s", v->name);
	return cli_fail(err);
}
