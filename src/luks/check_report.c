/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "luks/check_report.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

int luks_check_run(const struct luks_device *dev, const char *name, const struct luks_policy *policy, struct luks_check *ret,
		   struct err **err)
{
	struct luks_check c = { .name = name, .device = dev->path, .profile = policy->profile };
	_cleanup_err_ struct err *e = NULL;

	if (luks_inspect(dev, policy, &c.header, &c.findings, &e) == 0) {
		c.passed = true;
	} else if (err_class(e) != ERR_INTEGRITY || c.findings.n == 0) {
		luks_check_clear(&c);
		return err_propagate(err, TAKE_PTR(e));
	}
	c.compat_would_pass = !c.passed;
	for (size_t i = 0; i < c.findings.n; i++)
		if (!*c.findings.items[i].compat)
			c.compat_would_pass = false;
	*ret = c;
	return 0;
}

void luks_check_clear(struct luks_check *c)
{
	luks_header_clear(&c->header);
	luks_findings_clear(&c->findings);
}

static const char *profile_name(enum luks_profile p)
{
	return p == LUKS_COMPAT ? "compat" : "strict";
}

/* Facts are told only of a header that passed: then every one of them is of a known form. */
static const json_t *segment_of(const struct luks_check *c)
{
	return json_object_get(json_object_get(c->header.json, "segments"), "0");
}

static void text_slot(const char *name, const json_t *slot, struct buf *out)
{
	const json_t *kdf = json_object_get(slot, "kdf");
	const char *type = json_string_value(json_object_get(kdf, "type"));

	if (text_eq(type, "pbkdf2"))
		buf_printf(out, "  keyslot %s: pbkdf2-%s, %" JSON_INTEGER_FORMAT " iterations\n", name,
			   json_string_value(json_object_get(kdf, "hash")), json_integer_value(json_object_get(kdf, "iterations")));
	else
		buf_printf(out, "  keyslot %s: %s, time %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT " KiB, %" JSON_INTEGER_FORMAT
				" cpus\n", name, type, json_integer_value(json_object_get(kdf, "time")),
			   json_integer_value(json_object_get(kdf, "memory")), json_integer_value(json_object_get(kdf, "cpus")));
}

static void text_facts(const struct luks_check *c, struct buf *out)
{
	const json_t *seg = segment_of(c), *integrity = json_object_get(seg, "integrity");
	const char *slot_name;
	json_t *slot;

	buf_printf(out, "  uuid %s%s%s\n", c->header.uuid, *c->header.label ? ", label " : "", c->header.label);
	buf_printf(out, "  cipher %s, sector size %" JSON_INTEGER_FORMAT ", integrity %s, data at %" PRIu64 "\n",
		   json_string_value(json_object_get(seg, "encryption")), json_integer_value(json_object_get(seg, "sector_size")),
		   integrity ? json_string_value(json_object_get(integrity, "type")) : "none", c->header.data_offset);
	json_object_foreach(json_object_get(c->header.json, "keyslots"), slot_name, slot)
		text_slot(slot_name, slot, out);
}

void luks_check_text(const struct luks_check *c, struct buf *out)
{
	char line[512], device[256];

	text_sanitise(c->device, strlen(c->device), device, sizeof(device));
	buf_printf(out, "%s: %s: header %s (profile %s)\n", c->name, device, c->passed ? "passed" : "FAILED", profile_name(c->profile));
	if (c->passed) {
		text_facts(c, out);
		return;
	}
	for (size_t i = 0; i < c->findings.n; i++) {
		luks_finding_text(&c->findings.items[i], line, sizeof(line));
		buf_printf(out, "  %s\n", line);
	}
	if (c->compat_would_pass)
		buf_puts(out, "  `header = compat` in the section of this volume would accept it\n");
}

static json_t *findings_json(const struct luks_findings *f)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < f->n; i++) {
		const struct luks_finding *x = &f->items[i];

		json_array_append_new(list, json_pack("{ssssssssss}", "id", x->id, "path", x->path, "found", x->found, "allowed",
						      x->allowed, "compat", x->compat));
	}
	return list;
}

static json_t *keyslots_json(const struct luks_check *c)
{
	json_t *list = json_array(), *slot;
	const char *name;

	json_object_foreach(json_object_get(c->header.json, "keyslots"), name, slot) {
		json_t *kdf = json_copy(json_object_get(slot, "kdf"));

		json_object_del(kdf, "salt");
		json_object_set_new(kdf, "keyslot", json_string(name));
		json_array_append_new(list, kdf);
	}
	return list;
}

json_t *luks_check_json(const struct luks_check *c)
{
	json_t *j = json_pack("{ssssssssso}", "name", c->name, "device", c->device, "profile", profile_name(c->profile), "result",
			      c->passed ? "passed" : "failed", "findings", findings_json(&c->findings));
	const json_t *seg = segment_of(c), *integrity;

	if (!j)
		return NULL;
	json_object_set_new(j, "compat_would_pass", json_boolean(c->compat_would_pass));
	if (!c->passed)
		return j;
	integrity = json_object_get(seg, "integrity");
	json_object_set_new(j, "uuid", json_string(c->header.uuid));
	json_object_set_new(j, "label", json_string(c->header.label));
	json_object_set(j, "cipher", json_object_get(seg, "encryption"));
	json_object_set(j, "sector_size", json_object_get(seg, "sector_size"));
	json_object_set_new(j, "integrity", integrity ? json_incref(json_object_get(integrity, "type")) : json_string("none"));
	json_object_set_new(j, "data_offset", json_integer((json_int_t)c->header.data_offset));
	json_object_set_new(j, "copied", json_integer((json_int_t)c->header.copied));
	json_object_set_new(j, "keyslots", keyslots_json(c));
	return j;
}
