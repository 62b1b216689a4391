/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/enroll_vtpm.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/hkdf.h"
#include "unlock/rules.h"
#include "unlock/sidecar.h"
#include "unlock/slot_mac.h"

#define SIDECAR_MS 5000
#define NEW ".new"
#define OLD ".old"

void enroll_sealed_clear(struct enroll_sealed *s)
{
	secret_free(s->bytes);
	secret_free(s->passphrase);
	luks_edit_free(s->edit);
	free(s->text);
	s->bytes = s->passphrase = NULL;
	s->edit = NULL;
	s->text = NULL;
}

/* --- the TPM */

static int name_needed(struct vtpm *v, struct err **err)
{
	char text[2 * TPM_NAME_MAX + 1];
	struct tpm_name name;

	if (vtpm_primary_name(v, &name, err) < 0)
		return -1;
	tpm_name_text(&name, text);
	err_set(err, ERR_CONFIG, "srk-name", "the configuration does not say which TPM is this machine's");
	return err_hint(err, "if the one that answers now is, put into [vtpm]: srk-name = %s", text);
}

/* What is sealed to a vTPM that starts with new seeds every time is lost with the next reset (tpm-sealing.md 4.3). */
static int remembers(const struct machine_tpm *m, struct err **err)
{
	if (m->binding.persistence != BINDING_FORGETS)
		return 0;
	err_set(err, ERR_TPM, "vtpm-forgets", "this vTPM forgets its keys at reset, as its hardware report says: nothing can be sealed to it");
	return err_hint(err, "create the machine with a vTPM whose state is kept, or use the key broker alone (mode = kbs)");
}

int enroll_trust(const struct unlock_env *env, struct machine_tpm *m, const struct secret *owner_auth, struct vtpm **ret, struct err **err)
{
	_cleanup_err_ struct err *why = NULL;
	bool nameless;

	if (machine_tpm_open(env, m, ret, err) < 0)
		return -1;
	if (machine_tpm_trust(env, m, ret, &why) == 0)
		return remembers(m, err) < 0 ? -1 : vtpm_provision(*ret, owner_auth, err);
	nameless = text_eq(err_id(why), "srk-name");
	if (!nameless && !(owner_auth && text_eq(err_id(why), "tpm-auth")))
		return err_propagate(err, TAKE_PTR(why));
	/* A TPM whose owner has an authorization shows no primary before one is persistent. */
	if (vtpm_provision(*ret, owner_auth, err) < 0)
		return -1;
	if (nameless)
		return name_needed(*ret, err);
	return machine_tpm_trust(env, m, ret, err) < 0 ? -1 : remembers(m, err);
}

/* --- the sealed file: in its place, and beside it while a keyslot is being added */

static struct config_volume beside(const struct config_volume *v, const char *suffix, char **ret_path)
{
	struct config_volume s = *v;

	*ret_path = text_printf("%s%s", v->sealed_path, suffix);
	s.sealed_path = *ret_path;
	return s;
}

static int write_beside(const struct unlock_env *env, const struct config_volume *v, const char *suffix, const char *text, struct err **err)
{
	_cleanup_free_ char *path = NULL;
	const struct config_volume b = beside(v, suffix, &path);

	return path ? sidecar_write(env, &b, text, err) : err_nomem(err);
}

static int remove_beside(const struct unlock_env *env, const struct config_volume *v, const char *suffix, struct err **err)
{
	_cleanup_free_ char *path = NULL;
	const struct config_volume b = beside(v, suffix, &path);

	return path ? sidecar_remove(env, &b, err) : err_nomem(err);
}

static int slot_of_file(const struct unlock_env *env, const struct config_volume *v, struct sealed_slot *ret, struct err **err)
{
	_cleanup_free_ char *text = NULL;
	struct sealed_blob b = { 0 };
	size_t len;

	*ret = (struct sealed_slot)SEALED_SLOT_NONE;
	if (sidecar_read(env, v, deadline_in_ms(SIDECAR_MS), &text, &len, err) < 0 || sealed_blob_parse(text, len, &b, err) < 0)
		return -1;
	/* One of another volume says nothing about this header. */
	if (text_eq(b.name, v->name)) {
		ret->number = b.keyslot;
		memcpy(ret->mac, b.slot_mac, sizeof(ret->mac));
	}
	sealed_blob_clear(&b);
	return 0;
}

int enroll_sealed_slot(const struct unlock_env *env, const struct config_volume *v, struct sealed_slot *ret, struct err **err)
{
	return slot_of_file(env, v, ret, err);
}

bool enroll_sealed_vouched(const struct enroll *e, const struct sealed_slot *s)
{
	return s->number >= 0 && slot_mac_holds(e->key, &e->h, s->number, e->conf->name, s->mac);
}

/* A file that cannot be read names nothing: it is about to be replaced or removed. */
static struct sealed_slot slot_or_none(const struct unlock_env *env, const struct config_volume *v)
{
	_cleanup_err_ struct err *why = NULL;
	struct sealed_slot slot;

	if (slot_of_file(env, v, &slot, &why) < 0)
		log_debug("%s: %s", v->name, err_message(why));
	return slot;
}

int enroll_sealed_remove(const struct unlock_env *env, const struct config_volume *v, struct err **err)
{
	if (sidecar_remove(env, v, err) < 0 || remove_beside(env, v, NEW, err) < 0)
		return -1;
	return remove_beside(env, v, OLD, err);
}

/* --- sealing */

static int make_secret(const struct enroll *e, struct enroll_sealed *s, struct err **err)
{
	_cleanup_secret_ struct secret *alone = NULL;

	if (enroll_secret(&s->bytes, &alone, err) < 0)
		return -1;
	if (s->kbs_part)
		return both_parts_passphrase(s->kbs_part, s->bytes, e->h.uuid, e->conf->name, &s->passphrase, err);
	s->passphrase = TAKE_PTR(alone);
	return 0;
}

static void blob_clear(struct sealed_blob *b)
{
	sealed_blob_clear(b);
}

static int seal(const struct enroll *e, struct vtpm *v, const struct vtpm_rules *r, struct enroll_sealed *s, struct err **err)
{
	struct sealed_payload p = { .secret = s->bytes };
	_cleanup_(blob_clear) struct sealed_blob b = { 0 };
	int slot = luks_edit_keyslot(s->edit);

	memcpy(p.vk_id, e->vk_id, sizeof(p.vk_id));
	if (luks_header_id(luks_edit_header(s->edit), slot, p.header_id, err) < 0 || vtpm_seal(v, r, &p, s->pin, s->next, NULL, &b, err) < 0)
		return -1;
	b.name = text_dup(e->conf->name);
	b.uuid = text_dup(e->h.uuid);
	b.sealed_at = text_dup("enroll");
	b.keyslot = slot;
	if (slot_mac(e->key, luks_edit_header(s->edit), slot, e->conf->name, b.slot_mac, err) < 0)
		return -1;
	/* Without creation data the state does not prove itself, and no NV pin was written either (vtpm_seal()). */
	s->proven = b.creation_data.len > 0;
	if (!b.name || !b.uuid || !b.sealed_at)
		return err_nomem(err);
	return sealed_blob_text(&b, &s->text, err);
}

int enroll_seal(const struct unlock_env *env, struct vtpm *vtpm, const struct enroll *e, int keyslot, struct enroll_sealed *s,
		struct err **err)
{
	_cleanup_rules_ struct rules rules = { 0 };

	if (rules_check_loader(env->config, env->root_fd, err) < 0)
		return -1;
	if (rules_load(env->config, env->root_fd, e->conf->pin, &rules, err) < 0 || make_secret(e, s, err) < 0 || enroll_add(e, s->passphrase, keyslot, &s->edit, err) < 0)
		return -1;
	s->superseded = slot_or_none(env, e->conf).number;
	return seal(e, vtpm, &rules.vtpm, s, err);
}

/* The older file's keyslot is to be found again after a kill. */
static int keep_old(const struct unlock_env *env, const struct config_volume *v, struct err **err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (sidecar_read(env, v, deadline_in_ms(SIDECAR_MS), &text, &len, err) < 0)
		return -1;
	return write_beside(env, v, OLD, text, err);
}

int enroll_sealed_write(const struct unlock_env *env, const struct enroll *e, struct enroll_sealed *s, struct err **err)
{
	_cleanup_err_ struct err *why = NULL;

	if (write_beside(env, e->conf, NEW, s->text, err) < 0)
		return -1;
	if (luks_edit_write(s->edit, err) < 0) {
		if (luks_edit_untouched(s->edit) && remove_beside(env, e->conf, NEW, &why) < 0)
			log_debug("%s: %s", e->conf->name, err_message(why));
		return -1;
	}
	if ((s->superseded >= 0 && keep_old(env, e->conf, err) < 0) || sidecar_write(env, e->conf, s->text, err) < 0)
		return err_wrap(err, "keyslot %d was added, but its sealed secret is not in place; enrolling again tidies up",
				luks_edit_keyslot(s->edit));
	return remove_beside(env, e->conf, NEW, err);
}

/* What the files say is the host's word, unless the volume key vouches for it: then the keyslot was made for a sealed secret. */
static int remove_slot(const struct unlock_env *env, const struct config_volume *conf, const struct secret *passphrase,
		       const struct sealed_slot *slot, bool *ret_changed, struct err **err)
{
	_cleanup_enroll_ struct enroll e = ENROLL_INIT;
	_cleanup_luks_edit_ struct luks_edit *edit = NULL;

	if (enroll_open(env, conf, passphrase, -1, &e, err) < 0)
		return -1;
	if (!enroll_has_slot(&e, slot->number) || slot->number == e.slot)
		return 0;
	if (!enroll_sealed_vouched(&e, slot)) {
		log_warning("%s: a sealed file that is not used any more names keyslot %d, but does not prove that the keyslot was made for it: it stays; "
			    "if it is of no use: cryptattest wipe %s --keyslot %d",
			    conf->name, slot->number, conf->name, slot->number);
		return 0;
	}
	if (enroll_wipe(&e, slot->number, &edit, err) < 0 || luks_edit_write(edit, err) < 0)
		return -1;
	log_info("%s: keyslot %d, of a sealed secret that is not used any more, is gone", conf->name, slot->number);
	*ret_changed = true;
	return 0;
}

int enroll_clean(const struct unlock_env *env, const struct config_volume *conf, const struct secret *passphrase, bool *ret_changed,
		 struct err **err)
{
	static const char *const suffixes[] = { NEW, OLD };
	const int current = slot_or_none(env, conf).number;

	*ret_changed = false;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		_cleanup_free_ char *path = NULL;
		const struct config_volume b = beside(conf, suffixes[i], &path);
		struct sealed_slot slot;

		if (!path)
			return err_nomem(err);
		slot = slot_or_none(env, &b);
		if (slot.number >= 0 && slot.number != current && remove_slot(env, conf, passphrase, &slot, ret_changed, err) < 0)
			return -1;
		if (slot.number >= 0 && sidecar_remove(env, &b, err) < 0)
			return -1;
	}
	return 0;
}

int enroll_finish(const struct unlock_env *env, const struct config_volume *conf, const struct secret *passphrase,
		  const struct enroll_sealed *s, struct err **err)
{
	bool changed;

	if (s->superseded < 0)
		return 0;
	return enroll_clean(env, conf, passphrase, &changed, err);
}
