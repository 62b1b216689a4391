/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "luks/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"

#define TOKENS_MAX 24
#define CIPHER "aes-xts-plain64"
#define CIPHER_AEAD "capi:authenc(hmac(sha256),xts(aes))-plain64"
#define TAG_SIZE "32"

/* The text may hold the volume key: the copy is wiped, and a message never shows the key field. */
struct tokens {
	char *text;
	size_t text_len, n;
	const char *v[TOKENS_MAX];
};

static void tokens_clear(struct tokens *t)
{
	if (t->text)
		wipe(t->text, t->text_len);
	free(t->text);
	t->text = NULL;
}

static int refuse(struct err **err, const char *what, const char *found, const char *want)
{
	char clean[64];

	text_sanitise(found, strlen(found), clean, sizeof(clean));
	return err_set(err, ERR_INTEGRITY, "K6", "K6: kernel table: %s is \"%s\", expected \"%s\"", what, clean, want);
}

static int split(const char *params, struct tokens *t, struct err **err)
{
	char *rest;

	t->text = text_dup(params);
	if (!t->text)
		return err_nomem(err);
	t->text_len = strlen(t->text);
	rest = t->text;
	/* The kernel prints one blank between words: an empty word is a word too, and not one that we expect. */
	for (char *p = strsep(&rest, " "); p; p = strsep(&rest, " ")) {
		if (t->n == TOKENS_MAX)
			return refuse(err, "number of words", "too many", "a crypt or integrity line");
		t->v[t->n++] = p;
	}
	return 0;
}

static int want_number(struct err **err, const char *what, const char *found, uint64_t want)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, want);
	return strcmp(found, text) == 0 ? 0 : refuse(err, what, found, text);
}

static int want_device(struct err **err, const char *found, dev_t want)
{
	char text[32];

	snprintf(text, sizeof(text), "%u:%u", major(want), minor(want));
	return strcmp(found, text) == 0 ? 0 : refuse(err, "device", found, text);
}

void table_dm_uuid(const char *kind, const char *uuid, const char *name, char *out, size_t cap)
{
	char hex[33];
	size_t n = 0;

	for (; *uuid && n < sizeof(hex) - 1; uuid++)
		if (*uuid != '-')
			hex[n++] = *uuid;
	hex[n] = 0;
	snprintf(out, cap, "CRYPT-%s-%s-%s", kind, hex, name);
}

/* One target of this type over the whole mapping, under the uuid that libcryptsetup gives. */
static int check_shape(const struct mapper_info *i, const char *type, const char *uuid, struct err **err)
{
	if (!i->exists)
		return err_set(err, ERR_DEVICE, "mapping-absent", "the mapping does not exist");
	if (strcasecmp(i->uuid, uuid) != 0)
		return refuse(err, "uuid of the mapping", i->uuid, uuid);
	if (i->n_targets != 1)
		return refuse(err, "number of targets", i->n_targets ? "several" : "0", "1");
	if (strcmp(i->targets[0].type, type) != 0)
		return refuse(err, "target", i->targets[0].type, type);
	if (i->targets[0].start != 0 || i->targets[0].length == 0)
		return refuse(err, "extent", "partial", "the whole mapping");
	return 0;
}

static int check_read_only(const struct mapper_info *i, const struct table_expect *e, struct err **err)
{
	if (e->read_only < 0 || i->read_only == (e->read_only != 0))
		return 0;
	return refuse(err, "access", i->read_only ? "read-only" : "read-write", e->read_only ? "read-only" : "read-write");
}

/* ":64:logon:cryptsetup:UUID-d0", or the key itself in hex when the keyring is not used. */
static int check_key(const char *word, const struct table_expect *e, struct err **err)
{
	char want[128];
	uint8_t raw[128];
	int r;

	if (word[0] == ':') {
		snprintf(want, sizeof(want), ":%zu:logon:cryptsetup:%s-d%s", e->key_size, e->uuid, e->digest);
		return strcasecmp(word, want) == 0 ? 0 : refuse(err, "key", word, want);
	}
	if (e->key_size > sizeof(raw) || hex_decode(word, strlen(word), raw, e->key_size, NULL) < 0)
		return refuse(err, "key", strcmp(word, "-") == 0 ? "-" : "of another length", "the volume key");
	r = e->key ? (secret_len(e->key) == e->key_size ? ct_memcmp(raw, secret_cdata(e->key), e->key_size) : 1) : 0;
	wipe(raw, sizeof(raw));
	return r == 0 ? 0 : refuse(err, "key", "another key", "the volume key");
}

/* The words after the count are exactly those that we asked for, each once, in any order. */
static int check_crypt_options(const struct tokens *t, const struct table_expect *e, struct err **err)
{
	const char *want[3];
	size_t n = 0, given = t->n > 5 ? t->n - 6 : 0;
	unsigned int seen = 0;

	if (e->discard)
		want[n++] = "allow_discards";
	if (e->sector_size == 4096)
		want[n++] = "sector_size:4096";
	if (e->integrity)
		want[n++] = "integrity:" TAG_SIZE ":aead";
	if (t->n > 5 && want_number(err, "number of options", t->v[5], given) < 0)
		return -1;
	for (size_t i = 0; i < given; i++) {
		size_t k = 0;

		while (k < n && (strcmp(t->v[6 + i], want[k]) != 0 || (seen & 1U << k)))
			k++;
		if (k == n)
			return refuse(err, "option", t->v[6 + i], "only what was asked for");
		seen |= 1U << k;
	}
	for (size_t k = 0; k < n; k++)
		if (!(seen & 1U << k))
			return refuse(err, "option", "absent", want[k]);
	return 0;
}

static int check_crypt_words(const struct tokens *t, const struct mapper_info *info, const struct table_expect *e, dev_t lower,
			     struct err **err)
{
	uint64_t room = e->device_size > e->data_offset ? (e->device_size - e->data_offset) / 512 : 0;
	uint64_t length = info->targets[0].length;
	const char *cipher = e->integrity ? CIPHER_AEAD : CIPHER;

	if (t->n < 5)
		return refuse(err, "number of words", "too few", "a crypt line");
	if (strcmp(t->v[0], cipher) != 0)
		return refuse(err, "cipher", t->v[0], cipher);
	if (check_key(t->v[1], e, err) < 0 || want_number(err, "iv offset", t->v[2], 0) < 0)
		return -1;
	if (want_device(err, t->v[3], e->integrity ? lower : e->rdev) < 0)
		return -1;
	/* Above integrity the data begins at 0: the offset is in the inner table. */
	if (want_number(err, "start", t->v[4], e->integrity ? 0 : e->data_offset / 512) < 0)
		return -1;
	/* Tags and journal take room, so with integrity only the upper bound is known. */
	if (length > room || (!e->integrity && length + e->sector_size / 512 <= room))
		return refuse(err, "length", "not that of the data area", "to the end of the device");
	return check_crypt_options(t, e, err);
}

int table_check_crypt(const struct mapper_info *info, const struct table_expect *e, dev_t lower, struct err **err)
{
	_cleanup_(tokens_clear) struct tokens t = { 0 };
	char uuid[192];

	table_dm_uuid("LUKS2", e->uuid, e->name, uuid, sizeof(uuid));
	if (check_shape(info, "crypt", uuid, err) < 0 || check_read_only(info, e, err) < 0)
		return -1;
	if (split(info->targets[0].params, &t, err) < 0)
		return -1;
	return check_crypt_words(&t, info, e, lower, err);
}

/* Names that libcryptsetup's own table has for a journalled volume. Values come from the superblock on the data device and
 * only tune the journal; recalculate and internal_hash would change what is checked and are not here. */
static bool integrity_option(const char *word)
{
	static const char *const numbers[] = { "journal_sectors:", "interleave_sectors:", "buffer_sectors:",
					       "journal_watermark:", "commit_time:", NULL };

	for (const char *const *p = numbers; *p; p++) {
		size_t len = strlen(*p);

		if (strncmp(word, *p, len) == 0 && word[len] && strspn(word + len, "0123456789") == strlen(word + len))
			return true;
	}
	return strcmp(word, "fix_padding") == 0 || strcmp(word, "fix_hmac") == 0;
}

static int check_integrity_options(const struct tokens *t, const struct table_expect *e, struct err **err)
{
	size_t given = t->n > 4 ? t->n - 5 : 0;
	bool block = false;
	char want[32];

	snprintf(want, sizeof(want), "block_size:%u", e->sector_size);
	if (t->n > 4 && want_number(err, "number of options", t->v[4], given) < 0)
		return -1;
	for (size_t i = 0; i < given; i++) {
		const char *word = t->v[5 + i];

		if (strcmp(word, want) == 0 && !block)
			block = true;
		else if (!integrity_option(word))
			return refuse(err, "integrity option", word, "a journal option");
	}
	if (e->sector_size != 512 && !block)
		return refuse(err, "integrity option", "absent", want);
	return 0;
}

int table_check_integrity(const struct mapper_info *info, const struct table_expect *e, struct err **err)
{
	_cleanup_(tokens_clear) struct tokens t = { 0 };
	char name[128], uuid[256];

	snprintf(name, sizeof(name), "%s_dif", e->name);
	table_dm_uuid("INTEGRITY", e->uuid, name, uuid, sizeof(uuid));
	if (check_shape(info, "integrity", uuid, err) < 0 || check_read_only(info, e, err) < 0)
		return -1;
	if (split(info->targets[0].params, &t, err) < 0)
		return -1;
	if (t.n < 4)
		return refuse(err, "number of words", "too few", "an integrity line");
	if (want_device(err, t.v[0], e->rdev) < 0 || want_number(err, "start", t.v[1], e->data_offset / 512) < 0)
		return -1;
	if (strcmp(t.v[2], TAG_SIZE) != 0)
		return refuse(err, "tag size", t.v[2], TAG_SIZE);
	if (strcmp(t.v[3], "J") != 0)
		return refuse(err, "journal mode", t.v[3], "J");
	return check_integrity_options(&t, e, err);
}

int table_check_lengths(const struct mapper_info *crypt, const struct mapper_info *integrity, struct err **err)
{
	if (crypt->n_targets == 1 && integrity->n_targets == 1 && crypt->targets[0].length == integrity->targets[0].length)
		return 0;
	return refuse(err, "length", "different", "that of the integrity mapping");
}
