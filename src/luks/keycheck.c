/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* K1-K3: from the secret to the volume key. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "luks/audit.h"
#include "luks/volume_impl.h"

struct candidate {
	int slot, cost, priority;
};

/* Cheap slots first: a stretched slot in front of a PBKDF2/1000 one would cost seconds for nothing (S8). */
static int candidate_compare(const void *x, const void *y)
{
	const struct candidate *a = x, *b = y;

	if (a->cost != b->cost)
		return a->cost - b->cost;
	if (a->priority != b->priority)
		return b->priority - a->priority;
	return a->slot - b->slot;
}

static size_t candidates(const struct luks_volume *v, int keyslot, struct candidate out[static KEYSLOTS_MAX])
{
	const json_t *slots = json_object_get(v->h->json, "keyslots");
	const char *name;
	json_t *slot;
	size_t n = 0;

	json_object_foreach((json_t *)slots, name, slot) {
		const json_t *priority = json_object_get(slot, "priority");
		const char *kdf = json_string_value(json_object_get(json_object_get(slot, "kdf"), "type"));

		if (n == KEYSLOTS_MAX || (keyslot >= 0 && atoi(name) != keyslot))
			continue;
		out[n++] = (struct candidate){ .slot = atoi(name),
					       .cost = text_eq(kdf, "pbkdf2") ? 0 : 1,
					       .priority = priority ? (int)json_integer_value(priority) : 1 };
	}
	qsort(out, n, sizeof(*out), candidate_compare);
	return n;
}

/* 0 opened, 1 this slot does not take it, negative errno otherwise. The library compares the digest in this call (K3, C11);
 * H10 has made sure that every keyslot belongs to the digest of the segment. */
static int try_slot(struct luks_volume *v, int slot, const struct secret *passphrase, struct secret *key)
{
	size_t len = secret_cap(key);
	int r = crypt_volume_key_get(v->cd, slot, (char *)secret_data(key), &len, (const char *)secret_cdata(passphrase),
				     secret_len(passphrase));

	if (r == -EPERM || r == -ENOENT)
		return 1;
	if (r < 0)
		return r;
	secret_set_len(key, len);
	return 0;
}

static int unlock_error(const struct buf *tried, int failure, bool newline, struct err **err)
{
	if (failure == -ENOMEM) {
		err_set(err, ERR_NOMEM, "kdf-memory", "no memory for the key derivation of keyslots %s", (const char *)tried->data);
		return err_hint(err, "enrol the secret in a PBKDF2 keyslot: it needs no stretching");
	}
	if (failure)
		return err_set_errno(err, ERR_INTERNAL, "libcryptsetup", -failure, "cannot open a keyslot (tried %s)",
				     (const char *)tried->data);
	err_set(err, ERR_BADKEY, "badkey", "no keyslot takes the secret (tried %s)", (const char *)tried->data);
	if (newline)
		return err_hint(err, "it ends in a newline, which counts: write it with printf, not with echo or an editor");
	return err_hint(err, "it is misspelt, of another volume, or was replaced: store it again with `cryptattest document`");
}

int luks_volume_unlock(struct luks_volume *v, const struct secret *passphrase, size_t min_len, int keyslot,
		       struct secret **ret_key, int *ret_slot, struct err **err)
{
	_cleanup_buf_ struct buf tried = BUF_INIT(128);
	_cleanup_secret_ struct secret *key = NULL;
	struct candidate list[KEYSLOTS_MAX];
	int failure = 0;
	size_t n;

	if (min_len < 1)
		min_len = 1;
	if (secret_len(passphrase) < min_len) {
		err_set(err, ERR_INTEGRITY, "K1", "K1: the secret has %zu bytes, at least %zu are needed", secret_len(passphrase), min_len);
		return min_len > 1 ? -1 : err_hint(err, "a passphrase comes from --key-file FILE, or else from standard input");
	}
	n = candidates(v, keyslot, list);
	if (n == 0) {
		err_set(err, ERR_INTEGRITY, "keyslot-absent", "the header has no keyslot %d", keyslot);
		return err_hint(err, "`cryptattest check` lists those there are; the number comes from keyslot= or the secret document");
	}
	if (secret_new(v->key_size, &key, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		int r = try_slot(v, list[i].slot, passphrase, key);

		buf_printf(&tried, "%s%d", i ? ", " : "", list[i].slot);
		if (r == 0) {
			if (secret_len(key) != v->key_size)
				return err_set(err, ERR_INTEGRITY, "K2", "K2: the volume key has %zu bytes, expected %zu",
					       secret_len(key), v->key_size);
			*ret_key = TAKE_PTR(key);
			*ret_slot = list[i].slot;
			return 0;
		}
		if (r < 0)
			failure = r;
	}
	buf_putc(&tried, 0);
	if (buf_check(&tried, err) < 0)
		return -1;
	return unlock_error(&tried, failure, secret_cdata(passphrase)[secret_len(passphrase) - 1] == '\n', err);
}
