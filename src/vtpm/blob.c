/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "vtpm/blob.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"
#include "wire/json.h"
#include "wire/wire_err.h"

#define TYPE_NAME "cryptattest-sealed"
#define WHERE "sealed file"

static int bad(struct err **err, const char *why)
{
	return err_set(err, ERR_INTEGRITY, "sealed-file", "%s", why);
}

void sealed_blob_clear(struct sealed_blob *b)
{
	free(b->name);
	free(b->uuid);
	free(b->sealed_at);
	free(b->pub.data);
	free(b->priv.data);
	free(b->creation_data.data);
	free(b->creation_ticket.data);
	memset(b, 0, sizeof(*b));
}

static int take_bytes(const json_t *obj, const char *key, struct sealed_bytes *ret, struct err **err)
{
	const char *text;

	if (json_get_str(obj, WHERE, key, &text, err) < 0)
		return -1;
	if (strlen(text) > b64_encoded_len(B64_STD, SEALED_PART_MAX))
		return err_set(err, ERR_INTEGRITY, "sealed-file", "%s is too long", key);
	if (b64_decode_dup(B64_STD, text, strlen(text), &ret->data, &ret->len, err) < 0)
		return err_wrap(err, "%s", key);
	/* Up to two bytes more are as long in base64. */
	if (ret->len > SEALED_PART_MAX)
		return err_set(err, ERR_INTEGRITY, "sealed-file", "%s is too long", key);
	return 0;
}

/* A TPM2B: its first two bytes count the rest, and the rest is there. */
static int take_tpm2b(const json_t *obj, const char *key, struct sealed_bytes *ret, struct err **err)
{
	if (take_bytes(obj, key, ret, err) < 0)
		return -1;
	if (ret->len < 3 || (size_t)(ret->data[0] << 8 | ret->data[1]) != ret->len - 2)
		return err_set(err, ERR_INTEGRITY, "sealed-file", "%s is not one TPM structure", key);
	return 0;
}

static int take_fixed_hex(const char *text, uint8_t *out, size_t n, const char *what, struct err **err)
{
	if (strspn(text, "0123456789abcdef") != strlen(text) || hex_decode(text, strlen(text), out, n, NULL) < 0)
		return err_set(err, ERR_INTEGRITY, "sealed-file", "%s is not %zu lower-case hex digits", what, 2 * n);
	return 0;
}

static int take_slot(const json_t *obj, struct sealed_blob *b, struct err **err)
{
	uint8_t mac[32];
	const char *hex;
	uint64_t n;

	b->keyslot = -1;
	if (!json_object_get(obj, "keyslot"))
		return 0;
	if (json_get_u64(obj, WHERE, "keyslot", 0, 31, &n, err) < 0)
		return -1;
	b->keyslot = (int)n;
	if (!json_object_get(obj, "slot_mac"))
		return 0;
	if (json_get_str(obj, WHERE, "slot_mac", &hex, err) < 0 || take_fixed_hex(hex, mac, sizeof(mac), "slot_mac", err) < 0)
		return -1;
	memcpy(b->slot_mac, hex, sizeof(b->slot_mac));
	return 0;
}

static int take_volume(const json_t *obj, struct sealed_blob *b, struct err **err)
{
	const char *name, *uuid, *when;

	if (json_get_str(obj, WHERE, "name", &name, err) < 0 || json_get_str(obj, WHERE, "uuid", &uuid, err) < 0 ||
	    json_get_str(obj, WHERE, "sealed_at", &when, err) < 0)
		return -1;
	if (!text_is_volume_name(name))
		return bad(err, "name is not a volume name");
	if (!text_is_uuid(uuid))
		return bad(err, "uuid is not a UUID");
	if (!text_eq(when, "enroll") && !text_eq(when, "boot"))
		return bad(err, "sealed_at is neither enroll nor boot");
	b->name = text_dup(name);
	b->uuid = text_dup(uuid);
	b->sealed_at = text_dup(when);
	if (!b->name || !b->uuid || !b->sealed_at)
		return err_nomem(err);
	for (char *c = b->uuid; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return take_slot(obj, b, err);
}

static int take_object(const json_t *obj, struct sealed_blob *b, struct err **err)
{
	bool data = json_object_get(obj, "creation_data") != NULL;

	if (take_tpm2b(obj, "public", &b->pub, err) < 0 || take_tpm2b(obj, "private", &b->priv, err) < 0)
		return -1;
	if (data != (json_object_get(obj, "creation_ticket") != NULL))
		return bad(err, "creation_data and creation_ticket come together");
	if (!data)
		return 0;
	if (take_tpm2b(obj, "creation_data", &b->creation_data, err) < 0 ||
	    take_bytes(obj, "creation_ticket", &b->creation_ticket, err) < 0)
		return -1;
	return b->creation_ticket.len ? 0 : bad(err, "creation_ticket is empty");
}

static int take_pcr_list(const json_t *obj, struct sealed_blob *b, struct err **err)
{
	json_t *list;

	if (json_get_arr(obj, WHERE, "pcrs", &list, err) < 0)
		return -1;
	return pcr_list_take(list, &b->pcrs) ? 0 : bad(err, "pcrs is not a list of different PCRs");
}

/* Exactly the PCRs of the list, in their bank's size. */
static int take_pcr_values(const json_t *obj, struct sealed_blob *b, struct err **err)
{
	json_t *values, *v;
	char key[4];

	if (json_get_obj(obj, WHERE, "pcr_values", &values, err) < 0)
		return -1;
	for (unsigned int i = 0; i < PCR_COUNT; i++) {
		if (!(b->pcrs & UINT32_C(1) << i))
			continue;
		snprintf(key, sizeof(key), "%u", i);
		v = json_object_get(values, key);
		if (!json_is_string(v))
			return bad(err, "pcr_values lacks a PCR of the list");
		if (take_fixed_hex(json_string_value(v), b->values.value[i], pcr_bank_size(b->values.bank), "a PCR value", err) < 0)
			return -1;
		b->values.mask |= UINT32_C(1) << i;
	}
	if (json_object_size(values) != (size_t)__builtin_popcount(b->pcrs))
		return bad(err, "pcr_values holds more than the PCRs of the list");
	return 0;
}

static int take_state(const json_t *obj, struct sealed_blob *b, struct err **err)
{
	const char *bank;

	if (json_get_str(obj, WHERE, "bank", &bank, err) < 0)
		return -1;
	if (pcr_bank_by_name(bank, &b->values.bank, NULL) < 0)
		return bad(err, "bank is not the name of a PCR bank");
	if (take_pcr_list(obj, b, err) < 0 || take_pcr_values(obj, b, err) < 0)
		return -1;
	if (json_object_get(obj, "baseline") && json_get_u64(obj, WHERE, "baseline", 0, INT64_MAX, &b->baseline, err) < 0)
		return -1;
	return 0;
}

static int take_pin(const json_t *obj, struct sealed_blob *b, struct err **err)
{
	const json_t *pin = json_object_get(obj, "pin");
	struct sealed_bytes salt = { 0 };
	bool right;

	if (!json_is_boolean(pin))
		return bad(err, "pin is not true or false");
	b->pin = json_is_true(pin);
	if (b->pin != (json_object_get(obj, "pin_salt") != NULL))
		return bad(err, "pin_salt and pin disagree");
	if (!b->pin)
		return 0;
	if (take_bytes(obj, "pin_salt", &salt, err) < 0)
		return -1;
	right = salt.len == SEALED_PIN_SALT;
	if (right)
		memcpy(b->pin_salt, salt.data, SEALED_PIN_SALT);
	free(salt.data);
	return right ? 0 : bad(err, "pin_salt has not 32 bytes");
}

static int take_srk(const json_t *obj, struct sealed_blob *b, struct err **err)
{
	const char *hex;

	if (json_get_str(obj, WHERE, "srk_name", &hex, err) < 0)
		return -1;
	if (tpm_name_parse(hex, &b->srk_name, NULL) < 0)
		return bad(err, "srk_name is not the Name of a TPM object");
	return 0;
}

static int take_blob(const json_t *obj, struct sealed_blob *b, struct err **err)
{
	const char *type;
	uint64_t version;

	if (json_get_str(obj, WHERE, "type", &type, err) < 0)
		return -1;
	if (!text_eq(type, TYPE_NAME))
		return bad(err, "type is not " TYPE_NAME);
	if (json_get_u64(obj, WHERE, "version", 1, 1, &version, err) < 0 || take_volume(obj, b, err) < 0 ||
	    take_object(obj, b, err) < 0 || take_state(obj, b, err) < 0 || take_pin(obj, b, err) < 0)
		return -1;
	return take_srk(obj, b, err);
}

int sealed_blob_parse(const char *text, size_t len, struct sealed_blob *ret, struct err **err)
{
	_cleanup_json_ json_t *obj = NULL;
	struct sealed_blob b = { 0 };
	struct err *cause = NULL;

	if (json_parse(text, len, SEALED_FILE_MAX, true, &obj, &cause) < 0 || take_blob(obj, &b, &cause) < 0) {
		sealed_blob_clear(&b);
		wire_err(err, "sealed-file", cause, WHERE);
		return err_hint(err, "make a new one: cryptattest enroll VOLUME --source=vtpm");
	}
	*ret = b;
	return 0;
}

static void put_bytes(struct buf *out, const char *key, const void *data, size_t len)
{
	char text[SEALED_PART_MAX / 3 * 4 + 8];

	if (len > SEALED_PART_MAX) {
		out->failed = true;
		return;
	}
	b64_encode(B64_STD, data, len, text);
	buf_printf(out, ",\"%s\":\"%s\"", key, text);
}

static void put_pcrs(struct buf *out, const struct sealed_blob *b)
{
	char hex[2 * PCR_DIGEST_MAX + 1];
	const char *sep = "";

	buf_printf(out, ",\"bank\":\"%s\",\"pcrs\":[", pcr_bank_name(b->values.bank));
	for (unsigned int i = 0; i < PCR_COUNT; i++) {
		if (!(b->pcrs & UINT32_C(1) << i))
			continue;
		buf_printf(out, "%s%u", sep, i);
		sep = ",";
	}
	buf_puts(out, "],\"pcr_values\":{");
	sep = "";
	for (unsigned int i = 0; i < PCR_COUNT; i++) {
		if (!(b->pcrs & UINT32_C(1) << i))
			continue;
		hex_encode(b->values.value[i], pcr_bank_size(b->values.bank), hex);
		buf_printf(out, "%s\"%u\":\"%s\"", sep, i, hex);
		sep = ",";
	}
	buf_putc(out, '}');
}

int sealed_blob_text(const struct sealed_blob *b, char **ret, struct err **err)
{
	_cleanup_buf_ struct buf out = BUF_INIT(SEALED_FILE_MAX);
	char name[2 * TPM_NAME_MAX + 1];

	buf_printf(&out, "{\"type\":\"" TYPE_NAME "\",\"version\":1,\"name\":\"%s\",\"uuid\":\"%s\"", b->name, b->uuid);
	if (b->keyslot >= 0)
		buf_printf(&out, ",\"keyslot\":%d", b->keyslot);
	if (b->keyslot >= 0 && *b->slot_mac)
		buf_printf(&out, ",\"slot_mac\":\"%s\"", b->slot_mac);
	put_bytes(&out, "public", b->pub.data, b->pub.len);
	put_bytes(&out, "private", b->priv.data, b->priv.len);
	if (b->creation_data.len) {
		put_bytes(&out, "creation_data", b->creation_data.data, b->creation_data.len);
		put_bytes(&out, "creation_ticket", b->creation_ticket.data, b->creation_ticket.len);
	}
	put_pcrs(&out, b);
	if (b->baseline)
		buf_printf(&out, ",\"baseline\":%llu", (unsigned long long)b->baseline);
	buf_printf(&out, ",\"pin\":%s", b->pin ? "true" : "false");
	if (b->pin)
		put_bytes(&out, "pin_salt", b->pin_salt, sizeof(b->pin_salt));
	tpm_name_text(&b->srk_name, name);
	buf_printf(&out, ",\"srk_name\":\"%s\",\"sealed_at\":\"%s\"}\n", name, b->sealed_at);
	if (buf_check(&out, err) < 0)
		return -1;
	*ret = buf_take_str(&out);
	return *ret ? 0 : err_nomem(err);
}
