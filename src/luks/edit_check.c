/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The new header is the old one but for one keyslot: compared as JSON values, binary fields and key material. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/text.h"
#include "luks/audit.h"
#include "luks/edit_impl.h"
#include "wire/json.h"

static int changed(const char *what, struct err **err)
{
	return err_set(err, ERR_INTEGRITY, "edit", "libcryptsetup changed %s as well; nothing was written", what);
}

/* A list of keyslot names without, or with, this one. */
static bool list_edit(json_t *list, const char *name, bool add)
{
	json_t *item;
	size_t i;

	if (add)
		return json_array_append_new(list, json_string(name)) == 0;
	json_array_foreach(list, i, item)
		if (text_eq(json_string_value(item), name))
			return json_array_remove(list, i) == 0;
	return true;
}

/* What the JSON must be after the change. A new keyslot is taken from the new header: its shape is what the audit passed, and the
 * passphrase is tried on it. */
static json_t *expected(const struct luks_edit *e, const char *name)
{
	json_t *j = json_deep_copy(e->p.h->json), *slots = json_object_get(j, "keyslots"), *obj;
	bool ok = slots;
	const char *key;

	if (e->wipe)
		ok = ok && json_object_del(slots, name) == 0;
	else
		ok = ok && !json_object_get(slots, name) &&
		     json_object_set(slots, name, json_object_get(json_object_get(e->h.json, "keyslots"), name)) == 0;
	json_object_foreach(json_object_get(j, "digests"), key, obj)
		ok = ok && list_edit(json_object_get(obj, "keyslots"), name, !e->wipe);
	/* Tokens exist under profile compat alone (H11); a removed keyslot leaves their lists. */
	if (e->wipe)
		json_object_foreach(json_object_get(j, "tokens"), key, obj)
			ok = ok && list_edit(json_object_get(obj, "keyslots"), name, false);
	if (ok)
		return j;
	json_decref(j);
	return NULL;
}

static int check_json(const struct luks_edit *e, const char *name, struct err **err)
{
	_cleanup_json_ json_t *want = expected(e, name);

	if (!want)
		return err_nomem(err);
	return json_equal(want, e->h.json) ? 0 : changed("other members of the header", err);
}

/* Everything in the binary headers but sequence number, salt and checksum (luks-untrusted-host.md 2). */
static int check_binary(const struct luks_edit *e, struct err **err)
{
	static const struct {
		size_t off, len;
	} same[] = { { 0, 16 }, { 24, 80 }, { 168, 280 }, { 512, HDR_BIN_SIZE - 512 } };
	uint8_t old[HDR_BIN_SIZE], new[HDR_BIN_SIZE];

	for (uint64_t off = 0; off < HDR_BOTH; off += HDR_SIZE) {
		if (fd_pread_exact(e->p.h->memfd, old, sizeof(old), off, err) < 0 ||
		    fd_pread_exact(e->h.memfd, new, sizeof(new), off, err) < 0)
			return err_wrap(err, "header copy");
		for (size_t i = 0; i < ARRAY_SIZE(same); i++)
			if (memcmp(old + same[i].off, new + same[i].off, same[i].len) != 0)
				return changed("the binary header", err);
	}
	return 0;
}

static int check_material(const struct luks_edit *e, const char *slot, struct err **err)
{
	_cleanup_free_ uint8_t *old = NULL, *new = NULL;
	uint64_t off, size;

	if (!edit_area(&e->h, slot, &off, &size))
		return err_set(err, ERR_INTERNAL, "edit", "the header was not audited");
	old = malloc(size);
	new = malloc(size);
	if (!old || !new)
		return err_nomem(err);
	if (fd_pread_exact(e->p.h->memfd, old, size, off, err) < 0 || fd_pread_exact(e->h.memfd, new, size, off, err) < 0)
		return err_wrap(err, "header copy");
	return memcmp(old, new, size) == 0 ? 0 : changed("the key material of another keyslot", err);
}

int edit_check(const struct luks_edit *e, struct err **err)
{
	char name[16];
	const char *slot;
	json_t *obj;

	snprintf(name, sizeof(name), "%d", e->keyslot);
	if (check_json(e, name, err) < 0 || check_binary(e, err) < 0)
		return -1;
	json_object_foreach(json_object_get(e->h.json, "keyslots"), slot, obj)
		if ((e->wipe || !text_eq(slot, name)) && check_material(e, slot, err) < 0)
			return -1;
	return 0;
}
