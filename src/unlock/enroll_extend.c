/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The broker's document after a keyslot was sealed to the TPM (contracts.md 2). */
#include "base/cleanup.h"
#include "base/text.h"
#include "unlock/enroll_vtpm.h"

static int other_volume(struct err **err, const char *id, const char *what, const char *found, const char *wanted)
{
	err_set(err, ERR_INTEGRITY, id, "the document is of another volume: %s %s, not %s", what, found, wanted);
	return err_hint(err, "give the document that the broker holds for this volume");
}

static int check_volume(const struct enroll *e, const struct secret_document *doc, struct err **err)
{
	if (!doc->is_document)
		return 0;
	if (!text_eq(doc->name, e->conf->name))
		return other_volume(err, "document-name", "name", doc->name, e->conf->name);
	if (!text_eq(doc->uuid, e->h.uuid))
		return other_volume(err, "document-uuid", "UUID", doc->uuid, e->h.uuid);
	if (!text_eq(doc->vk_id, e->vk_id))
		return other_volume(err, "K4", "vk_id", doc->vk_id, e->vk_id);
	return 0;
}

/* One that is not pinned stays so. */
static int add_header_id(const struct enroll_sealed *s, struct secret_document *doc, struct err **err)
{
	bool failed = false;
	char id[65];

	if (luks_header_id(luks_edit_header(s->edit), luks_edit_keyslot(s->edit), id, err) < 0)
		return -1;
	if (doc->header_ids && !strv_has(doc->header_ids, id))
		doc->header_ids = strv_append(doc->header_ids, id, &failed);
	return failed ? err_nomem(err) : 0;
}

/* The broker's passphrase must open the volume by itself: a document that does not is an old one. */
static int check_opens(const struct enroll *e, const struct secret_document *doc, struct err **err)
{
	_cleanup_secret_ struct secret *key = NULL;
	int slot;

	if (luks_volume_unlock(e->v, doc->passphrase, LUKS_SECRET_MIN, doc->keyslot, &key, &slot, err) < 0)
		return err_wrap(err, "the broker's document");
	return 0;
}

static int extend_either(const struct enroll *e, const struct enroll_sealed *s, struct secret_document *doc, struct err **err)
{
	if (!doc->is_document)
		return err_set(err, ERR_INTEGRITY, "document", "a raw passphrase cannot carry may_reseal: store a document with the broker first");
	if (check_opens(e, doc, err) < 0)
		return -1;
	secret_free(doc->sealed_passphrase);
	doc->sealed_passphrase = NULL;
	doc->may_reseal = true;
	doc->sealed_keyslot = luks_edit_keyslot(s->edit);
	return secret_from(secret_cdata(s->passphrase), secret_len(s->passphrase), &doc->sealed_passphrase, err);
}

static int extend_both(const struct enroll *e, const struct enroll_sealed *s, struct secret_document *doc, struct err **err)
{
	struct secret_document fresh;

	if (!doc->is_document) {
		if (enroll_document(e, s->edit, s->kbs_part, &fresh, err) < 0)
			return -1;
		secret_document_clear(doc);
		*doc = fresh;
	}
	/* The sealed part is never with the broker in this mode. */
	secret_free(doc->sealed_passphrase);
	doc->sealed_passphrase = NULL;
	doc->sealed_keyslot = -1;
	doc->may_reseal = false;
	doc->keyslot = -1;
	return 0;
}

int enroll_extend(const struct enroll *e, const struct enroll_sealed *s, struct secret_document *doc, struct err **err)
{
	if (check_volume(e, doc, err) < 0)
		return -1;
	if (s->kbs_part ? extend_both(e, s, doc, err) < 0 : extend_either(e, s, doc, err) < 0)
		return -1;
	return add_header_id(s, doc, err);
}
