/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "wire/document.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"
#include "wire/json.h"
#include "wire/toml.h"
#include "wire/wire_err.h"

#define TYPE_NAME "cryptattest-secret"
#define HEADER_IDS_MAX 64
#define CONFDATA_PREFIX "io.cryptsetup.key.text."

static int bad(struct err **err, const char *why)
{
	return err_set(err, ERR_INTEGRITY, "document", "%s", why);
}

void secret_document_clear(struct secret_document *doc)
{
	free(doc->name);
	free(doc->uuid);
	strv_free(doc->header_ids);
	secret_free(doc->passphrase);
	secret_free(doc->sealed_passphrase);
	memset(doc, 0, sizeof(*doc));
}

static int check_length(const struct secret *passphrase, struct err **err)
{
	if (secret_len(passphrase) < SECRET_PASSPHRASE_MIN)
		return err_set(err, ERR_INTEGRITY, "document", "passphrase of %zu bytes, at least %d are needed",
			       secret_len(passphrase), SECRET_PASSPHRASE_MIN);
	return 0;
}

/* A member listed in `critical` must be one of these: its writer says that ignoring it would be wrong. */
static int check_critical(const json_t *obj, struct err **err)
{
	static const char *const known[] = { "type",	   "version",	  "name",    "uuid",	   "vk_id",
					     "header_ids", "sector_size", "keyslot", "passphrase", "critical",
					     "may_reseal", "sealed_secret", NULL };
	const json_t *list = json_object_get(obj, "critical");
	json_t *item;
	size_t i;

	if (!list)
		return 0;
	if (!json_is_array(list))
		return bad(err, "critical is not an array");
	json_array_foreach(list, i, item) {
		if (!json_is_string(item))
			return bad(err, "critical holds something else than names");
		if (!strv_has((char *const *)known, json_string_value(item)))
			return err_set(err, ERR_INTEGRITY, "document", "critical member %.64s is unknown to this version",
				       json_string_value(item));
	}
	return 0;
}

static bool is_hex_id(const char *s)
{
	return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

static int take_identity(const json_t *obj, struct secret_document *doc, struct err **err)
{
	const char *name, *uuid, *vk_id;

	if (json_get_str(obj, "document", "name", &name, err) < 0 || json_get_str(obj, "document", "uuid", &uuid, err) < 0 ||
	    json_get_str(obj, "document", "vk_id", &vk_id, err) < 0)
		return -1;
	if (!text_is_volume_name(name))
		return bad(err, "name is not a volume name");
	if (!text_is_uuid(uuid))
		return bad(err, "uuid is not a UUID");
	if (!is_hex_id(vk_id))
		return bad(err, "vk_id is not 64 lower-case hex digits");
	doc->name = text_dup(name);
	doc->uuid = text_dup(uuid);
	if (!doc->name || !doc->uuid)
		return err_nomem(err);
	for (char *c = doc->uuid; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	memcpy(doc->vk_id, vk_id, sizeof(doc->vk_id));
	return 0;
}

static int take_header_ids(const json_t *obj, struct secret_document *doc, struct err **err)
{
	bool failed = false;
	json_t *list, *item;
	size_t i;

	if (!json_object_get(obj, "header_ids"))
		return 0;
	if (json_get_arr(obj, "document", "header_ids", &list, err) < 0)
		return -1;
	if (json_array_size(list) == 0 || json_array_size(list) > HEADER_IDS_MAX)
		return bad(err, "header_ids is empty or too long");
	json_array_foreach(list, i, item) {
		if (!json_is_string(item) || !is_hex_id(json_string_value(item)))
			return bad(err, "header_ids holds something else than 64 lower-case hex digits");
		doc->header_ids = strv_append(doc->header_ids, json_string_value(item), &failed);
		if (failed)
			return err_nomem(err);
	}
	return 0;
}

static int take_geometry(const json_t *obj, struct secret_document *doc, struct err **err)
{
	uint64_t n = 0;

	doc->keyslot = -1;
	if (json_object_get(obj, "keyslot")) {
		if (json_get_u64(obj, "document", "keyslot", 0, 31, &n, err) < 0)
			return -1;
		doc->keyslot = (int)n;
	}
	if (json_object_get(obj, "sector_size")) {
		if (json_get_u64(obj, "document", "sector_size", 512, 4096, &n, err) < 0)
			return -1;
		if ((n & (n - 1)) != 0)
			return bad(err, "sector_size is not 512, 1024, 2048 or 4096");
		doc->sector_size = (unsigned int)n;
	}
	return 0;
}

/* Straight from jansson's (wiped) string into locked memory. */
static int take_base64(const json_t *obj, const char *where, struct secret **ret, struct err **err)
{
	_cleanup_secret_ struct secret *pass = NULL;
	const char *text;
	size_t len, n = 0;

	if (json_get_str(obj, where, "passphrase", &text, err) < 0)
		return -1;
	len = strlen(text);
	if (secret_new(b64_decoded_max(len) + 1, &pass, err) < 0 ||
	    b64_decode(B64_STD, text, len, secret_data(pass), secret_cap(pass), &n, err) < 0)
		return -1;
	secret_set_len(pass, n);
	if (check_length(pass, err) < 0)
		return -1;
	*ret = TAKE_PTR(pass);
	return 0;
}

/* The passphrase of the vTPM's keyslot is base64 of 32 bytes (tpm-sealing.md 2.4): anything else could not be sealed again. */
static int check_sealed(const struct secret *pass, struct err **err)
{
	uint8_t raw[SECRET_SEALED_LEN + 4];
	size_t n = 0;
	int rc = b64_decode(B64_STD, (const char *)secret_cdata(pass), secret_len(pass), raw, sizeof(raw), &n, NULL);

	wipe(raw, sizeof(raw));
	return rc == 0 && n == SECRET_SEALED_LEN ? 0 : bad(err, "sealed_secret is not the base64 of 32 bytes");
}

static int take_reseal(const json_t *obj, struct secret_document *doc, struct err **err)
{
	const json_t *may = json_object_get(obj, "may_reseal"), *sealed = json_object_get(obj, "sealed_secret");
	uint64_t slot = 0;

	doc->sealed_keyslot = -1;
	if (may && !json_is_boolean(may))
		return bad(err, "may_reseal is neither true nor false");
	doc->may_reseal = json_is_true(may);
	if (!sealed)
		return 0;
	if (!json_is_object(sealed))
		return bad(err, "sealed_secret is not an object");
	if (json_get_u64(sealed, "document", "keyslot", 0, 31, &slot, err) < 0 ||
	    take_base64(sealed, "document", &doc->sealed_passphrase, err) < 0 || check_sealed(doc->sealed_passphrase, err) < 0)
		return -1;
	doc->sealed_keyslot = (int)slot;
	return 0;
}

static int take_document(const json_t *obj, struct secret_document *doc, struct err **err)
{
	const char *type;
	uint64_t version;

	if (json_get_str(obj, "document", "type", &type, err) < 0)
		return -1;
	if (strcmp(type, TYPE_NAME) != 0)
		return bad(err, "type is not " TYPE_NAME);
	if (json_get_u64(obj, "document", "version", 1, 1, &version, err) < 0 || check_critical(obj, err) < 0 ||
	    take_identity(obj, doc, err) < 0 || take_header_ids(obj, doc, err) < 0 || take_geometry(obj, doc, err) < 0 ||
	    take_base64(obj, "document", &doc->passphrase, err) < 0 || take_reseal(obj, doc, err) < 0)
		return -1;
	doc->is_document = true;
	return 0;
}

static int take_raw(const struct secret *text, struct secret_document *doc, struct err **err)
{
	doc->keyslot = doc->sealed_keyslot = -1;
	if (check_length(text, err) < 0)
		return -1;
	return secret_from(secret_cdata(text), secret_len(text), &doc->passphrase, err);
}

struct confdata {
	struct secret_document *doc;
	bool have_version, in_data;
};

static int take_confdata_entry(const struct toml_entry *e, void *ctx, struct err **err)
{
	struct confdata *c = ctx;

	if (!e->key) {
		if (strcmp(e->table, "data") != 0 || c->in_data)
			return bad(err, "unexpected or repeated table");
		c->in_data = true;
		return 0;
	}
	if (!c->in_data) {
		if (strcmp(e->key, "version") == 0 && strcmp(e->value, "0.1.0") == 0)
			c->have_version = true;
		else if (strcmp(e->key, "version") == 0)
			return bad(err, "confdata version is not 0.1.0");
		return 0;
	}
	if (!text_starts(e->key, CONFDATA_PREFIX))
		return 0;
	if (c->doc->passphrase)
		return bad(err, "confdata holds more than one key text");
	return secret_from(e->value, e->value_len, &c->doc->passphrase, err);
}

static int take_confdata(const struct secret *text, struct secret_document *doc, struct err **err)
{
	struct confdata c = { .doc = doc };

	doc->keyslot = doc->sealed_keyslot = -1;
	if (secret_len(text) > SECRET_DOCUMENT_MAX)
		return bad(err, "confdata is too long");
	if (toml_parse((const char *)secret_cdata(text), secret_len(text), take_confdata_entry, &c, err) < 0)
		return -1;
	if (!c.have_version)
		return bad(err, "confdata has no version");
	if (!doc->passphrase)
		return bad(err, "confdata has no " CONFDATA_PREFIX "NAME");
	return check_length(doc->passphrase, err);
}

/* Starts like an object and names our type: whatever is wrong with it, it is not a passphrase. */
static bool meant_as_document(const char *text, size_t len)
{
	size_t i = 0;

	while (i < len && strchr(" \t\r\n", text[i]) && text[i])
		i++;
	return i < len && text[i] == '{' && memmem(text, len, "\"" TYPE_NAME "\"", sizeof(TYPE_NAME) + 1);
}

static int parse_auto(const struct secret *text, struct secret_document *doc, struct err **err)
{
	_cleanup_json_ json_t *obj = NULL;
	_cleanup_err_ struct err *cause = NULL;
	const char *type = NULL, *s = (const char *)secret_cdata(text);

	/* Reals are members that we would ignore. */
	if (json_parse(s, secret_len(text), SECRET_DOCUMENT_MAX, true, &obj, &cause) < 0) {
		if (err_class(cause) != ERR_INTEGRITY || meant_as_document(s, secret_len(text)))
			return err_propagate(err, TAKE_PTR(cause));
		return take_raw(text, doc, err);
	}
	if (!json_is_object(obj) || json_get_str(obj, "document", "type", &type, NULL) < 0 || strcmp(type, TYPE_NAME) != 0)
		return take_raw(text, doc, err);
	return take_document(obj, doc, err);
}

static int parse(const struct secret *text, enum secret_form form, bool provisioner, struct secret_document *doc,
		 struct err **err)
{
	_cleanup_json_ json_t *obj = NULL;

	if (form == FORM_RAW)
		return take_raw(text, doc, err);
	if (form == FORM_AUTO)
		return provisioner ? take_confdata(text, doc, err) : parse_auto(text, doc, err);
	if (json_parse((const char *)secret_cdata(text), secret_len(text), SECRET_DOCUMENT_MAX, true, &obj, err) < 0)
		return -1;
	return take_document(obj, doc, err);
}

int secret_document_parse(const struct secret *text, enum secret_form form, bool provisioner,
			  struct secret_document *ret, struct err **err)
{
	struct secret_document doc = { 0 };
	struct err *cause = NULL;

	json_use_wiping_allocator();
	if (parse(text, form, provisioner, &doc, &cause) < 0) {
		secret_document_clear(&doc);
		return wire_err(err, "document", cause, "secret");
	}
	*ret = doc;
	return 0;
}

static void put_ids(struct buf *b, char *const *ids)
{
	buf_puts(b, ",\"header_ids\":[");
	for (size_t i = 0; ids[i]; i++) {
		if (i > 0)
			buf_putc(b, ',');
		json_put_string(b, ids[i], strlen(ids[i]));
	}
	buf_putc(b, ']');
}

static int put_passphrase(struct buf *b, const struct secret *pass, struct err **err)
{
	size_t len = b64_encoded_len(B64_STD, secret_len(pass));
	_cleanup_secret_ struct secret *text = NULL;

	if (secret_new(len + 1, &text, err) < 0)
		return -1;
	b64_encode(B64_STD, secret_cdata(pass), secret_len(pass), (char *)secret_data(text));
	buf_puts(b, ",\"passphrase\":\"");
	buf_append(b, secret_cdata(text), len);
	buf_puts(b, "\"");
	return buf_check(b, err);
}

static int put_reseal(struct buf *b, const struct secret_document *doc, struct err **err)
{
	if (doc->may_reseal)
		buf_puts(b, ",\"may_reseal\":true");
	if (doc->sealed_passphrase) {
		buf_printf(b, ",\"sealed_secret\":{\"keyslot\":%d", doc->sealed_keyslot);
		if (put_passphrase(b, doc->sealed_passphrase, err) < 0)
			return -1;
		buf_putc(b, '}');
	}
	buf_puts(b, "}\n");
	return buf_check(b, err);
}

int secret_document_text(const struct secret_document *doc, struct secret **ret, struct err **err)
{
	_cleanup_buf_ struct buf b = BUF_INIT(SECRET_DOCUMENT_MAX);

	if (!doc->is_document)
		return err_set(err, ERR_INTERNAL, "document", "a raw passphrase has no document");
	buf_puts(&b, "{\"type\":\"" TYPE_NAME "\",\"version\":1,\"name\":");
	json_put_string(&b, doc->name, strlen(doc->name));
	buf_printf(&b, ",\"uuid\":\"%s\",\"vk_id\":\"%s\"", doc->uuid, doc->vk_id);
	if (doc->header_ids)
		put_ids(&b, doc->header_ids);
	if (doc->sector_size)
		buf_printf(&b, ",\"sector_size\":%u", doc->sector_size);
	if (doc->keyslot >= 0)
		buf_printf(&b, ",\"keyslot\":%d", doc->keyslot);
	if (put_passphrase(&b, doc->passphrase, err) < 0 || put_reseal(&b, doc, err) < 0)
		return -1;
	return secret_from(b.data, b.len, ret, err);
}
