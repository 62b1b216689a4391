/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* enroll --source=vtpm: a keyslot whose secret is sealed to this machine's TPM, alone or as one of two parts. */
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/enroll_verb.h"
#include "keysrc/keysrc.h"
#include "state/state.h"
#include "unlock/enroll_vtpm.h"
#include "unlock/predict_env.h"
#include "vtpm/pcr.h"

#define LOCK_WAIT_MS 60000 /* for an unlock that is under way: it has the TPM */
#define PCR_PHASES 11 /* systemd goes on measuring words into it all through the boot */

/* What came from files, beside the volume's passphrase. */
struct words {
	struct secret *owner_auth, *pin, *kbs_part;
	struct secret_document doc; /* that the broker holds; passphrase NULL: none was named */
	bool want_document;
};

static void words_clear(struct words *w)
{
	secret_free(w->owner_auth);
	secret_free(w->pin);
	secret_free(w->kbs_part);
	secret_document_clear(&w->doc);
}

static int wrong(struct err **err, const char *what, const char *hint)
{
	err_set(err, ERR_CONFIG, "usage", "%s", what);
	return hint ? err_hint(err, "%s", hint) : -1;
}

static int check_mode(const struct cli_opts *o, const struct config *c, const struct config_volume *v, struct err **err)
{
	if (!c->vtpm.present || !v->sealed) {
		err_set(err, ERR_CONFIG, "enroll-mode", "[volume %s] has no sealed file, or there is no [vtpm] section", v->name);
		return err_hint(err, "cryptattest.conf(5) says what a sealed secret depends on");
	}
	if (config_mode_uses_vtpm(v->mode) || o->force)
		return 0;
	err_set(err, ERR_CONFIG, "enroll-mode", "mode = %s never asks the TPM", config_mode_name(v->mode));
	return err_hint(err, "change the mode first, or say --force");
}

int enroll_vtpm_check(const struct cli_opts *o, const struct config *c, const struct config_volume *v, struct err **err)
{
	bool both = v->mode == MODE_KBS_AND_VTPM;

	if (check_mode(o, c, v, err) < 0)
		return -1;
	if (o->kbs_part && !both)
		return wrong(err, "--kbs-part is for mode = kbs+vtpm", NULL);
	if (o->document && v->mode != MODE_KBS_OR_VTPM)
		return wrong(err, "--document is for mode = kbs-or-vtpm, whose broker may have secrets sealed anew", both ? "--kbs-part takes a document, too" : NULL);
	if (o->output && !o->document && !both)
		return wrong(err, "--output without --document: there is nothing to give out", NULL);
	if (!o->predicted && (o->kernel || o->initrd || o->cmdline || o->uki))
		return wrong(err, "--kernel, --initrd, --cmdline and --uki tell --predicted what will boot", NULL);
	if (o->predicted && !c->vtpm.pcrs)
		return wrong(err, "--predicted, but [vtpm] names no literal PCRs", "signed PCRs need no new sealing: cryptattest predict --sign");
	if (o->pin_file && !v->pin)
		return wrong(err, "--pin-file, but pin = no for this volume", NULL);
	if (text_eq(o->kbs_part, "-") || text_eq(o->document, "-") || text_eq(o->pin_file, "-") || text_eq(o->owner_auth_file, "-"))
		return wrong(err, "only --key-file takes \"-\": standard input is for the volume's passphrase", NULL);
	return o->document || o->output || (both && !o->kbs_part) ? secret_out_check(o->output, err) : 0;
}

static int read_document(const char *path, struct secret_document *ret, struct err **err)
{
	_cleanup_secret_ struct secret *text = NULL;

	if (keysrc_read_passphrase(path, path, &text, err) < 0)
		return -1;
	return secret_document_parse(text, FORM_AUTO, false, ret, err) < 0 ? err_wrap(err, "%s", path) : 0;
}

static int new_pin(const char *name, struct secret **ret, struct err **err)
{
	_cleanup_secret_ struct secret *once = NULL, *again = NULL;
	_cleanup_free_ char *prompt = text_printf("New PIN for %s", name), *repeat = text_printf("The same again");

	if (!prompt || !repeat)
		return err_nomem(err);
	if (keysrc_ask(prompt, &once, err) < 0 || keysrc_ask(repeat, &again, err) < 0)
		return err && text_eq(err_id(*err), "prompt") ? err_hint(err, "or name a file: --pin-file") : -1;
	if (!secret_equal(once, again))
		return wrong(err, "the two are not the same", NULL);
	*ret = TAKE_PTR(once);
	return 0;
}

/* The broker's part of kbs+vtpm: what it holds already, or a fresh one. */
static int take_part(struct words *w, struct err **err)
{
	if (!w->doc.passphrase)
		return enroll_secret(NULL, &w->kbs_part, err);
	return secret_from(secret_cdata(w->doc.passphrase), secret_len(w->doc.passphrase), &w->kbs_part, err);
}

static int read_words(const struct cli_opts *o, const struct config_volume *v, struct words *w, struct err **err)
{
	const char *doc = o->kbs_part ? o->kbs_part : o->document;

	if (doc && read_document(doc, &w->doc, err) < 0)
		return -1;
	if (v->mode == MODE_KBS_AND_VTPM && take_part(w, err) < 0)
		return -1;
	w->want_document = o->document || o->output || (w->kbs_part && (!doc || w->doc.is_document));
	if (o->owner_auth_file && keysrc_read_passphrase(o->owner_auth_file, "the TPM's owner", &w->owner_auth, err) < 0)
		return -1;
	if (!v->pin)
		return 0;
	return o->pin_file ? keysrc_read_passphrase(o->pin_file, "PIN", &w->pin, err) : new_pin(v->name, &w->pin, err);
}

/* Document, ".new", header, sealed file; without the header, nothing of it. */
static int commit(const struct unlock_env *env, const struct enroll *e, struct enroll_sealed *s, struct words *w, const char *output,
		  struct err **err)
{
	struct secret_out out;
	int rc;

	if (!w->want_document)
		return enroll_sealed_write(env, e, s, err);
	if (enroll_extend(e, s, &w->doc, err) < 0 || secret_out_open(output, &out, err) < 0)
		return -1;
	rc = enroll_put_document(&out, &w->doc, err);
	if (rc == 0)
		rc = enroll_sealed_write(env, e, s, err);
	if (rc < 0 && luks_edit_untouched(s->edit))
		secret_out_undo(&out);
	else if (rc < 0)
		log_warning("keep the document: its keyslot may be in the header");
	secret_out_close(&out);
	return rc;
}

/* The literal PCRs of the boot to come; an unknown one is an error, because the secret would open in no boot at all. */
static int predict_next(const struct unlock_env *env, const struct cli_opts *o, struct pcr_values *ret, struct err **err)
{
	const struct predict_input next = { .kernel = o->kernel, .initrd = o->initrd, .cmdline = o->cmdline, .uki = o->uki };
	const uint32_t mask = env->config->vtpm.pcrs;
	struct prediction p;

	if (predict_here(env, &next, mask, &p, err) < 0 || predict_values(&p, mask, ret, err) < 0)
		return -1;
	for (unsigned int i = 0; i < PCR_COUNT; i++)
		if (mask >> i & 1 && p.pcr[i].state == PREDICT_CHANGES)
			log_info("PCR %u %s", i, p.pcr[i].why);
	return 0;
}

static void tell(const struct unlock_env *env, const struct enroll *e, const struct enroll_sealed *s, const struct words *w)
{
	const struct config_vtpm *t = &env->config->vtpm;
	const char *name = e->conf->name;
	char list[3 * PCR_COUNT + 1];

	pcr_mask_text(t->pcrs, list, sizeof(list));
	log_info("%s: keyslot %d: %s sealed to this machine's TPM, for PCR %s as %s", name, luks_edit_keyslot(s->edit),
		 s->kbs_part ? "one of two parts" : "its secret is", *list ? list : "values that the signer signs,",
		 s->next ? "predicted" : *list ? "they are now" : "signed now");
	if (s->next)
		log_warning("%s: the sealed file before this one is gone: if something else boots, only the broker or a passphrase opens the volume",
			    name);
	if (!s->next && t->pcrs & 1u << PCR_PHASES)
		log_warning("%s: pcrs holds 11, which systemd extends after the initramfs: the values of now are not those of the next boot; use "
			    "signer and signed-pcrs for it", name);
	if (w->want_document)
		log_info("%s: next, before a restart: give the document to the key broker in place of the one it holds", name);
	if (!e->conf->vk_id && !s->proven)
		log_warning("%s: the sealed secret is used only when the configuration names the volume: put into [volume %s]: vk-id = %s (in the "
			    "initramfs, too; where the PCRs measure that, start it once and enroll again)", name, name, e->vk_id);
}

/* A volume that comes from mode kbs: the broker's part alone must not go on opening it. */
static void warn_alone(const struct enroll *e, const struct words *w)
{
	_cleanup_secret_ struct secret *key = NULL;
	int slot;

	if (!w->kbs_part || !w->doc.passphrase || luks_volume_unlock(e->v, w->kbs_part, 1, -1, &key, &slot, NULL) < 0)
		return;
	log_warning("%s: the broker's part alone opens keyslot %d: both are needed only when that is gone (cryptattest wipe %s --keyslot %d)",
		    e->conf->name, slot, e->conf->name, slot);
}

int enroll_vtpm(struct cli *cli, struct enroll *e, const struct secret *passphrase, struct err **err)
{
	_cleanup_(words_clear) struct words w = { .doc = { .keyslot = -1, .sealed_keyslot = -1 } };
	_cleanup_(machine_tpm_close) struct machine_tpm tpm = { 0 };
	_cleanup_enroll_sealed_ struct enroll_sealed s = { .superseded = -1 };
	const struct unlock_env env = cli_env(cli);
	const struct config_volume *v = e->conf;
	_cleanup_close_ int lock = -1;
	struct pcr_values next;
	struct vtpm *vtpm;
	bool changed;

	if (read_words(&cli->opts, v, &w, err) < 0 || state_lock(cli->root_fd, deadline_in_ms(LOCK_WAIT_MS), &lock, err) < 0 ||
	    (cli->opts.predicted && predict_next(&env, &cli->opts, &next, err) < 0) ||
	    enroll_clean(&env, v, passphrase, &changed, err) < 0)
		return -1;
	if (changed) {
		enroll_clear(e);
		if (enroll_open(&env, v, passphrase, -1, e, err) < 0)
			return -1;
	}
	if (enroll_trust(&env, &tpm, w.owner_auth, &vtpm, err) < 0) {
		/* One new initramfs instead of two. */
		if (!v->vk_id && err && text_eq(err_id(*err), "srk-name"))
			log_warning("%s: while you are there, put into [volume %s]: vk-id = %s", v->name, v->name, e->vk_id);
		return -1;
	}
	s.next = cli->opts.predicted ? &next : NULL;
	s.owner_auth = w.owner_auth;
	s.pin = w.pin;
	s.kbs_part = w.kbs_part;
	if (enroll_seal(&env, vtpm, e, cli->opts.keyslot, &s, err) < 0 || commit(&env, e, &s, &w, cli->opts.output, err) < 0)
		return -1;
	tell(&env, e, &s, &w);
	warn_alone(e, &w);
	enroll_warn_pins(e, s.edit);
	/* The lock of the first change goes before the next one takes it. */
	luks_edit_free(TAKE_PTR(s.edit));
	return enroll_finish(&env, v, passphrase, &s, err);
}
