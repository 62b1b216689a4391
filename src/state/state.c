/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The record in memory, and its JSON form (contracts.md 5). */
#include "state/state.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "state/record.h"
#include "wire/json.h"

/* Both directions walk these tables, so a member cannot be written and forgotten when read. */
static const struct {
	const char *name;
	size_t offset;
} volume_members[] = {
	{ "uuid", offsetof(struct state_volume, uuid) },       { "device", offsetof(struct state_volume, device) },
	{ "dm_uuid", offsetof(struct state_volume, dm_uuid) }, { "phase", offsetof(struct state_volume, phase) },
	{ "state", offsetof(struct state_volume, state) },     { "source", offsetof(struct state_volume, source) },
	{ "vk_id", offsetof(struct state_volume, vk_id) },     { "header_id", offsetof(struct state_volume, header_id) },
	{ "sealed", offsetof(struct state_volume, sealed) },
}, reason_members[] = {
	{ "id", offsetof(struct state_volume, reason_id) },
	{ "class", offsetof(struct state_volume, reason_class) },
	{ "message", offsetof(struct state_volume, reason_message) },
	{ "hint", offsetof(struct state_volume, reason_hint) },
};

#define N_VOLUME (sizeof(volume_members) / sizeof(volume_members[0]))
#define N_REASON (sizeof(reason_members) / sizeof(reason_members[0]))

static char **member_at(struct state_volume *v, size_t offset)
{
	return (void *)((char *)v + offset);
}

static const char *text_at(const struct state_volume *v, size_t offset)
{
	return *(char *const *)(const void *)((const char *)v + offset);
}

int state_set(char **member, const char *value, struct err **err)
{
	char *copy = text_dup(value);

	if (value && !copy)
		return err_nomem(err);
	free(*member);
	*member = copy;
	return 0;
}

static void volume_clear(struct state_volume *v)
{
	free(v->name);
	for (size_t i = 0; i < N_VOLUME; i++)
		free(*member_at(v, volume_members[i].offset));
	for (size_t i = 0; i < N_REASON; i++)
		free(*member_at(v, reason_members[i].offset));
}

void state_free(struct state *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_volumes; i++)
		volume_clear(&s->volumes[i]);
	free(s->volumes);
	free(s->boot_id);
	free(s->result);
	free(s->cap);
	free(s->cap_event);
	free(s->cap_outcome);
	free(s);
}

struct state_volume *state_volume_get(struct state *s, const char *name, bool create)
{
	struct state_volume *grown;
	char *copy;

	for (size_t i = 0; i < s->n_volumes; i++)
		if (text_eq(s->volumes[i].name, name))
			return &s->volumes[i];
	if (!create)
		return NULL;
	copy = text_dup(name);
	grown = copy ? realloc(s->volumes, (s->n_volumes + 1) * sizeof(*grown)) : NULL;
	if (!grown) {
		free(copy);
		return NULL;
	}
	s->volumes = grown;
	grown[s->n_volumes] = (struct state_volume){ .name = copy };
	return &grown[s->n_volumes++];
}

/* json_string() wants UTF-8; what we record is ASCII by construction (err_message, checked names), a device path may not be. */
static json_t *text_json(const char *s)
{
	char clean[4096];
	json_t *v;

	if (!s)
		return json_null();
	v = json_string(s);
	if (v)
		return v;
	text_sanitise(s, strlen(s), clean, sizeof(clean));
	return json_string(clean);
}

static json_t *volume_json(const struct state_volume *v)
{
	json_t *o = json_object(), *reason = v->reason_id || v->reason_message ? json_object() : json_null();
	int r = json_object_set_new(o, "name", text_json(v->name));

	for (size_t i = 0; i < N_VOLUME; i++)
		r |= json_object_set_new(o, volume_members[i].name, text_json(text_at(v, volume_members[i].offset)));
	for (size_t i = 0; json_is_object(reason) && i < N_REASON; i++)
		r |= json_object_set_new(reason, reason_members[i].name, text_json(text_at(v, reason_members[i].offset)));
	r |= json_object_set_new(o, "reason", reason);
	if (r == 0)
		return o;
	json_decref(o);
	return NULL;
}

int state_json(const struct state *s, char **ret, struct err **err)
{
	_cleanup_json_ json_t *root = json_object();
	json_t *volumes = json_array();
	char *text;
	int r = 0;

	r |= json_object_set_new(root, "version", json_integer(1));
	r |= json_object_set_new(root, "boot_id", text_json(s->boot_id));
	r |= json_object_set_new(root, "result", text_json(s->result));
	r |= json_object_set_new(root, "exit", json_integer(s->exit_code));
	r |= json_object_set_new(root, "cap", text_json(s->cap));
	r |= json_object_set_new(root, "cap_event", text_json(s->cap_event));
	r |= json_object_set_new(root, "cap_outcome", text_json(s->cap_outcome));
	for (size_t i = 0; i < s->n_volumes; i++)
		r |= json_array_append_new(volumes, volume_json(&s->volumes[i]));
	r |= json_object_set_new(root, "volumes", volumes);
	text = r == 0 ? json_dumps(root, JSON_COMPACT) : NULL;
	if (!text)
		return err_nomem(err);
	*ret = text;
	return 0;
}

/* null and absent are both "not known". */
static int text_from(const json_t *o, const char *key, char **member, struct err **err)
{
	const json_t *v = json_object_get(o, key);

	if (!v || json_is_null(v))
		return state_set(member, NULL, err);
	if (!json_is_string(v))
		return err_set(err, ERR_INTEGRITY, "state", "%s is not text", key);
	return state_set(member, json_string_value(v), err);
}

static int volume_from(const json_t *o, struct state *s, struct err **err)
{
	const char *name = NULL;
	const json_t *reason = json_object_get(o, "reason");
	struct state_volume *v;

	if (json_get_str(o, "volume", "name", &name, err) < 0)
		return -1;
	if (state_volume_get(s, name, false))
		return err_set(err, ERR_INTEGRITY, "state", "volume %.64s stands twice", name);
	v = state_volume_get(s, name, true);
	if (!v)
		return err_nomem(err);
	for (size_t i = 0; i < N_VOLUME; i++)
		if (text_from(o, volume_members[i].name, member_at(v, volume_members[i].offset), err) < 0)
			return -1;
	for (size_t i = 0; json_is_object(reason) && i < N_REASON; i++)
		if (text_from(reason, reason_members[i].name, member_at(v, reason_members[i].offset), err) < 0)
			return -1;
	return 0;
}

static int record_from(const json_t *root, struct state *s, struct err **err)
{
	const json_t *volumes = json_object_get(root, "volumes");
	uint64_t number;

	if (json_get_u64(root, "record", "version", 1, 1, &number, err) < 0 ||
	    json_get_u64(root, "record", "exit", 0, 255, &number, err) < 0)
		return -1;
	s->exit_code = (int)number;
	if (text_from(root, "boot_id", &s->boot_id, err) < 0 || text_from(root, "result", &s->result, err) < 0 ||
	    text_from(root, "cap", &s->cap, err) < 0 || text_from(root, "cap_event", &s->cap_event, err) < 0 ||
	    text_from(root, "cap_outcome", &s->cap_outcome, err) < 0)
		return -1;
	if (!json_is_array(volumes))
		return err_set(err, ERR_INTEGRITY, "state", "volumes is not a list");
	for (size_t i = 0; i < json_array_size(volumes); i++)
		if (volume_from(json_array_get(volumes, i), s, err) < 0)
			return -1;
	return 0;
}

int state_parse(const char *text, size_t len, struct state **ret, struct err **err)
{
	_cleanup_json_ json_t *root = NULL;
	struct state *s;

	if (json_parse(text, len, STATE_FILE_MAX, false, &root, err) < 0)
		return -1;
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_nomem(err);
	if (record_from(root, s, err) < 0) {
		state_free(s);
		return -1;
	}
	*ret = s;
	return 0;
}
