/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* contracts.md 1: vk_id (who holds the key) and header id (what the key was found under). Adding a keyslot changes neither. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/encode.h"
#include "base/fileio.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "luks/audit.h"
#include "luks/volume.h"
#include "wire/json.h"

#define VK_ID_PREFIX "luks-vk-id:v1:"
#define HEADER_ID_PREFIX "cryptattest:header-id:v1" /* its NUL is hashed too */

int luks_vk_id(const struct secret *key, const char *uuid, const char *name, char out[static 65], struct err **err)
{
	char data[sizeof(VK_ID_PREFIX) + 36 + 1 + 64];
	uint8_t mac[32];
	int n;

	if (!text_is_uuid(uuid) || !text_is_volume_name(name))
		return err_set(err, ERR_INTERNAL, "vk-id", "not a UUID or not a volume name");
	n = snprintf(data, sizeof(data), "%s%s:%s", VK_ID_PREFIX, uuid, name);
	for (size_t i = sizeof(VK_ID_PREFIX) - 1; i < sizeof(VK_ID_PREFIX) - 1 + 36; i++)
		data[i] = (char)tolower((unsigned char)data[i]);
	if (hmac_sha256(key, data, (size_t)n, mac, err) < 0)
		return -1;
	hex_encode(mac, sizeof(mac), out);
	return 0;
}

/* A shallow copy of obj without one member. */
static json_t *without(const json_t *obj, const char *member)
{
	json_t *copy = json_copy((json_t *)obj);

	if (copy)
		json_object_del(copy, member); /* absent is fine */
	return copy;
}

/* J of contracts.md 1. */
static int identity_json(const struct luks_header *h, const json_t *slot, struct buf *out, struct err **err)
{
	const json_t *digest = json_only_member(json_object_get(h->json, "digests"), NULL);
	const json_t *segment = json_object_get(json_object_get(h->json, "segments"), "0");
	const json_t *config = json_object_get(h->json, "config");
	_cleanup_json_ json_t *j = NULL;

	if (!digest || !segment || !config)
		return err_set(err, ERR_INTERNAL, "header-id", "the header was not audited");
	j = json_pack("{sOsososO}", "config", config, "digest", without(digest, "keyslots"), "keyslot", without(slot, "priority"),
		      "segment", segment);
	if (!j)
		return err_nomem(err);
	return json_canonical(j, out, err);
}

static int read_area(const struct luks_header *h, const json_t *slot, uint8_t **ret, size_t *ret_len, struct err **err)
{
	const json_t *area = json_object_get(slot, "area");
	_cleanup_free_ uint8_t *data = NULL;
	uint64_t off, size;

	if (!json_u64_text(json_object_get(area, "offset"), &off) || !json_u64_text(json_object_get(area, "size"), &size) ||
	    size == 0 || off > h->data_offset || size > h->data_offset - off)
		return err_set(err, ERR_INTERNAL, "header-id", "the header was not audited");
	data = malloc(size);
	if (!data)
		return err_nomem(err);
	if (fd_pread_exact(h->memfd, data, size, off, err) < 0)
		return err_wrap(err, "header copy");
	*ret = TAKE_PTR(data);
	*ret_len = size;
	return 0;
}

int luks_header_id(const struct luks_header *h, int slot, char out[static 65], struct err **err)
{
	_cleanup_buf_ struct buf j = BUF_INIT(64 * 1024), len = BUF_INIT(4);
	_cleanup_free_ uint8_t *area = NULL;
	uint8_t md[DIGEST_MAX];
	size_t area_len = 0;
	const json_t *obj;
	char name[16];

	snprintf(name, sizeof(name), "%d", slot);
	obj = json_object_get(json_object_get(h->json, "keyslots"), name);
	if (!obj)
		return err_set(err, ERR_INTERNAL, "header-id", "the header has no keyslot %d", slot);
	if (identity_json(h, obj, &j, err) < 0 || read_area(h, obj, &area, &area_len, err) < 0)
		return -1;
	buf_put_u32be(&len, (uint32_t)j.len);
	if (buf_check(&j, err) < 0 || buf_check(&len, err) < 0)
		return -1;
	const struct digest_piece pieces[] = {
		{ HEADER_ID_PREFIX, sizeof(HEADER_ID_PREFIX) }, { len.data, len.len }, { j.data, j.len }, { area, area_len }
	};
	if (digest_pieces(DIGEST_SHA256, pieces, ARRAY_SIZE(pieces), md, err) < 0)
		return -1;
	hex_encode(md, 32, out);
	return 0;
}
