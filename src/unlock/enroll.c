/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/enroll.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/hkdf.h"
#include "unlock/header_policy.h"

#define SECRET_BYTES 32
#define PASSPHRASE_MIN 1 /* of a person: as `recover` */

void enroll_clear(struct enroll *e)
{
	luks_volume_free(e->v);
	luks_header_clear(&e->h);
	secret_free(e->key);
	device_close(&e->dev);
	*e = (struct enroll)ENROLL_INIT;
}

/* Every keyslot but one, each by its number: the library has no such call. */
static int unlock_other(struct enroll *e, const struct secret *passphrase, int except, struct err **err)
{
	json_t *slots = json_object_get(e->h.json, "keyslots"), *slot;
	const char *name;

	if (json_object_size(slots) < 2 && enroll_has_slot(e, except))
		return err_set(err, ERR_CONFIG, "keyslot-last", "keyslot %d is the last one: without it nothing opens the volume", except);
	json_object_foreach(slots, name, slot) {
		_cleanup_err_ struct err *why = NULL;
		uint64_t n;

		if (text_u64(name, 0, LUKS_KEYSLOTS_MAX - 1, &n, err) < 0)
			return -1;
		if ((int)n == except)
			continue;
		if (luks_volume_unlock(e->v, passphrase, PASSPHRASE_MIN, (int)n, &e->key, &e->slot, &why) == 0)
			return 0;
		if (err_class(why) != ERR_BADKEY)
			return err_propagate(err, TAKE_PTR(why));
	}
	return err_set(err, ERR_BADKEY, "badkey", "no keyslot but %d takes the passphrase", except);
}

int enroll_open(const struct unlock_env *env, const struct config_volume *conf, const struct secret *passphrase, int except,
		struct enroll *ret, struct err **err)
{
	struct luks_findings findings = { 0 };
	struct enroll *e = ret;
	int r;

	*e = (struct enroll)ENROLL_INIT;
	e->conf = conf;
	e->policy = header_policy_of(conf);
	if (device_find(env->root_fd, conf->device, true, &e->dev, err) < 0)
		return -1;
	r = luks_volume_open(&e->dev, &e->policy, &e->h, &findings, &e->v, err);
	luks_findings_clear(&findings);
	if (r < 0)
		return err_hint(err, "nothing was changed; `cryptattest check %s` lists every finding", conf->name);
	if (except >= 0)
		r = unlock_other(e, passphrase, except, err);
	else
		r = luks_volume_unlock(e->v, passphrase, PASSPHRASE_MIN, -1, &e->key, &e->slot, err);
	if (r < 0 || luks_vk_id(e->key, e->h.uuid, conf->name, e->vk_id, err) < 0)
		return -1;
	if (!conf->vk_id || text_eq(conf->vk_id, e->vk_id))
		return 0;
	err_set(err, ERR_INTEGRITY, "K4", "this volume has vk-id %s, the configuration names %s", e->vk_id, conf->vk_id);
	return err_hint(err, "this is not the volume of the configuration, or its vk-id line is of another one");
}

int enroll_secret(struct secret **ret_bytes, struct secret **ret_passphrase, struct err **err)
{
	_cleanup_secret_ struct secret *bytes = NULL;

	if (secret_new(SECRET_BYTES, &bytes, err) < 0 || random_bytes(secret_data(bytes), SECRET_BYTES, err) < 0)
		return -1;
	secret_set_len(bytes, SECRET_BYTES);
	if (secret_base64(bytes, ret_passphrase, err) < 0)
		return -1;
	if (ret_bytes)
		*ret_bytes = TAKE_PTR(bytes);
	return 0;
}

static struct luks_edit_params params(const struct enroll *e)
{
	return (struct luks_edit_params){ .h = &e->h, .dev = &e->dev, .policy = &e->policy, .key = e->key };
}

int enroll_add(const struct enroll *e, const struct secret *passphrase, int keyslot, struct luks_edit **ret, struct err **err)
{
	_cleanup_luks_edit_ struct luks_edit *edit = NULL;
	const struct luks_edit_params p = params(e);

	if (luks_edit_add(&p, passphrase, keyslot, &edit, err) < 0 || luks_edit_hold(edit, err) < 0)
		return -1;
	*ret = TAKE_PTR(edit);
	return 0;
}

int enroll_document(const struct enroll *e, const struct luks_edit *edit, const struct secret *passphrase, struct secret_document *ret,
		    struct err **err)
{
	struct secret_document doc = { .is_document = true, .sealed_keyslot = -1, .keyslot = luks_edit_keyslot(edit) };
	char id[65];
	bool failed = false;
	int r = luks_header_id(luks_edit_header(edit), doc.keyslot, id, err);

	doc.name = text_dup(e->conf->name);
	doc.uuid = text_dup(e->h.uuid);
	doc.sector_size = luks_volume_sector_size(e->v);
	snprintf(doc.vk_id, sizeof(doc.vk_id), "%s", e->vk_id);
	if (r == 0)
		doc.header_ids = strv_append(NULL, id, &failed);
	if (r == 0 && (!doc.name || !doc.uuid || failed))
		r = err_nomem(err);
	if (r == 0)
		r = secret_from(secret_cdata(passphrase), secret_len(passphrase), &doc.passphrase, err);
	if (r < 0)
		secret_document_clear(&doc);
	else
		*ret = doc;
	return r;
}

void enroll_warn_pins(const struct enroll *e, const struct luks_edit *edit)
{
	const struct config_volume *v = e->conf;
	int slot = luks_edit_keyslot(edit);
	char id[65];

	if (v->keyslot >= 0 && v->keyslot != slot)
		log_warning("%s: keyslot = %d of the configuration wins over the secret's own: take the line out, or name %d", v->name,
			    v->keyslot, slot);
	if (v->header_id && luks_header_id(luks_edit_header(edit), slot, id, NULL) == 0 && !text_eq(v->header_id, id))
		log_warning("%s: header-id of the configuration names another keyslot; the new one needs header-id = %s", v->name, id);
}

int enroll_wipe(const struct enroll *e, int keyslot, struct luks_edit **ret, struct err **err)
{
	_cleanup_luks_edit_ struct luks_edit *edit = NULL;
	const struct luks_edit_params p = params(e);

	if (luks_edit_wipe(&p, keyslot, &edit, err) < 0 || luks_edit_hold(edit, err) < 0)
		return -1;
	*ret = TAKE_PTR(edit);
	return 0;
}

bool enroll_has_slot(const struct enroll *e, int keyslot)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", keyslot);
	return json_object_get(json_object_get(e->h.json, "keyslots"), name) != NULL;
}

bool enroll_made_slot(const struct enroll *e, int keyslot)
{
	const json_t *kdf;
	char name[16];

	snprintf(name, sizeof(name), "%d", keyslot);
	kdf = json_object_get(json_object_get(json_object_get(e->h.json, "keyslots"), name), "kdf");
	return text_eq(json_string_value(json_object_get(kdf, "type")), "pbkdf2") &&
	       text_eq(json_string_value(json_object_get(kdf, "hash")), "sha512") &&
	       json_integer_value(json_object_get(kdf, "iterations")) == 1000;
}
