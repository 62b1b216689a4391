/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What the machine sends: evidence and result, as JSON. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "wire/json.h"
#include "wire/push.h"

#define TYPE_EVIDENCE "cryptattest-push-evidence"
#define TYPE_RESULT "cryptattest-push-result"
#define WHERE "the machine's answer"

static void put_text(struct buf *out, const char *before, const char *s)
{
	buf_puts(out, before);
	json_put_string(out, s, strlen(s));
}

static int put_key(const uint8_t machine[static PUSH_POINT], struct buf *out, struct err **err)
{
	struct jwk jwk = { .alg = JWK_ECDH_A256KW };
	_cleanup_json_ json_t *obj = NULL;

	push_key(machine, &jwk.key);
	if (jwk_to_json(&jwk, &obj, err) < 0)
		return -1;
	buf_puts(out, ",\"key\":");
	return json_canonical(obj, out, err);
}

int push_evidence_make(const struct push_instance *i, const uint8_t machine[static PUSH_POINT], const char *tee, const char *evidence,
		       const char *init_data, struct buf *out, struct err **err)
{
	put_text(out, "{\"type\":\"" TYPE_EVIDENCE "\",\"version\":1,\"tee\":", tee);
	put_text(out, ",\"boot_id\":", i->boot_id);
	buf_puts(out, ",\"volumes\":[");
	for (size_t n = 0; n < i->n; n++) {
		put_text(out, n ? ",{\"name\":" : "{\"name\":", i->volumes[n].name);
		put_text(out, ",\"uuid\":", i->volumes[n].uuid);
		buf_putc(out, '}');
	}
	buf_putc(out, ']');
	if (put_key(machine, out, err) < 0)
		return -1;
	if (init_data)
		put_text(out, ",\"init_data\":", init_data);
	buf_puts(out, ",\"evidence\":");
	buf_puts(out, evidence);
	buf_putc(out, '}');
	return buf_check(out, err);
}

int push_result_make(bool ok, const char *id, const char *message, struct buf *out, struct err **err)
{
	buf_printf(out, "{\"type\":\"" TYPE_RESULT "\",\"version\":1,\"ok\":%s", ok ? "true" : "false");
	put_text(out, ",\"id\":", id);
	put_text(out, ",\"message\":", message);
	buf_putc(out, '}');
	return buf_check(out, err);
}

static int bad(struct err **err, const char *what)
{
	return err_set(err, ERR_INTEGRITY, "push-answer", WHERE ": %s", what);
}

static int take_volume(const json_t *obj, struct push_volume *ret, struct err **err)
{
	const char *name, *uuid;

	if (!json_is_object(obj))
		return bad(err, "a volume is not an object");
	if (json_get_str(obj, WHERE, "name", &name, err) < 0 || json_get_str(obj, WHERE, "uuid", &uuid, err) < 0)
		return -1;
	if (!text_is_volume_name(name) || !text_is_uuid(uuid))
		return bad(err, "a volume's name or UUID is none");
	strcpy(ret->name, name);
	strcpy(ret->uuid, uuid);
	return 0;
}

static int take_instance(const json_t *obj, struct push_instance *ret, struct err **err)
{
	const char *boot_id;
	json_t *volumes;
	size_t n;

	if (json_get_str(obj, WHERE, "boot_id", &boot_id, err) < 0 || json_get_arr(obj, WHERE, "volumes", &volumes, err) < 0)
		return -1;
	n = json_array_size(volumes);
	if (!text_is_uuid(boot_id) || n == 0 || n > PUSH_VOLUMES_MAX)
		return bad(err, "no boot id, no volumes, or too many");
	strcpy(ret->boot_id, boot_id);
	for (ret->n = 0; ret->n < n; ret->n++)
		if (take_volume(json_array_get(volumes, ret->n), &ret->volumes[ret->n], err) < 0)
			return -1;
	return 0;
}

static int take_key(const json_t *obj, uint8_t ret[static PUSH_POINT], struct err **err)
{
	struct jwk jwk;
	json_t *key;

	if (json_get_obj(obj, WHERE, "key", &key, err) < 0 || jwk_from_json(key, &jwk, err) < 0)
		return -1;
	if (jwk.alg != JWK_ECDH_A256KW)
		return bad(err, "its key is of another kind");
	return push_point(&jwk.key, ret, err);
}

static int take_evidence(const json_t *obj, struct push_answer *a, struct err **err)
{
	const char *tee, *init_data;
	json_t *evidence;

	if (json_get_str(obj, WHERE, "tee", &tee, err) < 0 || take_instance(obj, &a->instance, err) < 0 || take_key(obj, a->machine, err) < 0 ||
	    json_get_obj(obj, WHERE, "evidence", &evidence, err) < 0)
		return -1;
	if (strlen(tee) >= sizeof(a->tee))
		return bad(err, "its TEE has no such name");
	strcpy(a->tee, tee);
	if (json_object_get(obj, "init_data")) {
		if (json_get_str(obj, WHERE, "init_data", &init_data, err) < 0)
			return -1;
		a->init_data = text_dup(init_data);
		if (!a->init_data)
			return err_nomem(err);
	}
	a->evidence = json_incref(evidence);
	return 0;
}

static int take_result(const json_t *obj, struct push_answer *a, struct err **err)
{
	const json_t *ok = json_object_get(obj, "ok");
	const char *id, *message;

	if (!json_is_boolean(ok))
		return bad(err, "a result that is neither yes nor no");
	if (json_get_str(obj, WHERE, "id", &id, err) < 0 || json_get_str(obj, WHERE, "message", &message, err) < 0)
		return -1;
	a->is_result = true;
	a->ok = json_is_true(ok);
	text_sanitise(id, strlen(id), a->id, sizeof(a->id));
	text_sanitise(message, strlen(message), a->message, sizeof(a->message));
	return 0;
}

int push_answer_parse(const char *text, size_t len, struct push_answer *ret, struct err **err)
{
	_cleanup_json_ json_t *obj = NULL;
	struct push_answer a = { 0 };
	const char *type;
	uint64_t version;
	int rc;

	if (json_parse_bytes(text, len, PUSH_ANSWER_MAX, &obj, err) < 0)
		return -1;
	if (!json_is_object(obj))
		return bad(err, "not an object");
	if (json_get_str(obj, WHERE, "type", &type, err) < 0 || json_get_u64(obj, WHERE, "version", 1, 1, &version, err) < 0)
		return -1;
	if (text_eq(type, TYPE_EVIDENCE))
		rc = take_evidence(obj, &a, err);
	else if (text_eq(type, TYPE_RESULT))
		rc = take_result(obj, &a, err);
	else
		rc = bad(err, "of an unknown type");
	if (rc < 0) {
		push_answer_clear(&a);
		return -1;
	}
	*ret = a;
	return 0;
}

void push_answer_clear(struct push_answer *a)
{
	json_decref(a->evidence);
	free(a->init_data);
	*a = (struct push_answer){ 0 };
}
