/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "luks/document_make.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

static int fill(const struct luks_header *h, const struct luks_volume *v, const char *name, const struct secret *passphrase,
		const struct secret *key, int slot, struct secret_document *doc, struct err **err)
{
	char header_id[65];
	bool failed = false;

	if (luks_vk_id(key, h->uuid, name, doc->vk_id, err) < 0 || luks_header_id(h, slot, header_id, err) < 0)
		return -1;
	doc->is_document = true;
	doc->name = text_dup(name);
	doc->uuid = text_dup(h->uuid);
	doc->header_ids = strv_append(NULL, header_id, &failed);
	doc->sector_size = luks_volume_sector_size(v);
	doc->keyslot = slot;
	if (!doc->name || !doc->uuid || failed)
		return err_nomem(err);
	return secret_from(secret_cdata(passphrase), secret_len(passphrase), &doc->passphrase, err);
}

int luks_document_make(const struct luks_device *dev, const struct luks_policy *policy, const char *name,
		       const struct secret *passphrase, int keyslot, struct secret_document *ret, struct err **err)
{
	_cleanup_(luks_header_clear) struct luks_header h = LUKS_HEADER_INIT;
	_cleanup_luks_volume_ struct luks_volume *v = NULL;
	_cleanup_secret_ struct secret *key = NULL;
	struct secret_document doc = { .keyslot = -1, .sealed_keyslot = -1 };
	int slot;

	if (!text_is_volume_name(name))
		return err_set(err, ERR_CONFIG, "volume-name", "not a volume name: letters, digits, \"_.-\", at most 63 characters");
	if (luks_header_read(dev, policy, &h, err) < 0 || luks_volume_new(&h, dev, policy, &v, err) < 0)
		return -1;
	if (luks_volume_unlock(v, passphrase, LUKS_SECRET_MIN, keyslot, &key, &slot, err) < 0)
		return -1;
	if (fill(&h, v, name, passphrase, key, slot, &doc, err) < 0) {
		secret_document_clear(&doc);
		return -1;
	}
	*ret = doc;
	return 0;
}

void luks_document_pins(const struct secret_document *doc, struct buf *out)
{
	buf_printf(out, "vk-id = %s\n", doc->vk_id);
	for (char *const *id = doc->header_ids; id && *id; id++)
		buf_printf(out, "header-id = %s\n", *id);
	buf_printf(out, "sector-size = %u\nkeyslot = %d\n", doc->sector_size, doc->keyslot);
}
