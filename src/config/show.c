/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* `config --show`: what is in effect and where each value came from. */
#include <jansson.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "config/parse.h"

static void put_origin(struct buf *out, const char *file, unsigned int line)
{
	if (file)
		buf_printf(out, "; %s:%u\n", file, line);
	else
		buf_puts(out, "; default\n");
}

/* A default without effect, which would be refused if it were written: `wait` of a required volume, signed-pcrs without a signer. */
static bool applies(const struct config_section *s, const struct keyword *kw)
{
	if (s->scope == SCOPE_VOLUME && text_eq(kw->name, "wait"))
		return !((const struct config_volume *)s->target)->required;
	if (s->scope == SCOPE_VTPM && text_eq(kw->name, "signed-pcrs"))
		return ((const struct config_vtpm *)s->target)->signer;
	return true;
}

static void put_ini_section(const struct config_section *s, struct buf *out)
{
	put_origin(out, s->file, s->line);
	buf_printf(out, "[%s%s%s]\n", config_scope_name(s->scope), s->name ? " " : "", s->name ? s->name : "");
	for (const struct keyword *kw = config_keywords; kw->name; kw++) {
		const struct config_setting *set;
		size_t i = 0;

		if (kw->scope != s->scope)
			continue;
		for (; (set = config_setting_of(s, kw->name, i)); i++) {
			put_origin(out, set->file, set->line);
			buf_printf(out, "%s = %s\n", kw->name, set->value);
		}
		if (i == 0 && kw->def && applies(s, kw)) {
			put_origin(out, NULL, 0);
			buf_printf(out, "%s = %s\n", kw->name, kw->def);
		}
	}
	buf_putc(out, '\n');
}

static json_t *origin_json(const char *file, unsigned int line)
{
	return file ? json_sprintf("%s:%u", file, line) : json_string("default");
}

static json_t *setting_json(const char *value, const char *file, unsigned int line)
{
	return json_pack("{s:s, s:o}", "value", value, "origin", origin_json(file, line));
}

static json_t *key_json(const struct config_section *s, const struct keyword *kw)
{
	const struct config_setting *set = config_setting_of(s, kw->name, 0);
	json_t *list;

	if (kw->type != KW_LIST)
		return set ? setting_json(set->value, set->file, set->line) : kw->def && applies(s, kw) ? setting_json(kw->def, NULL, 0) : json_null();
	list = json_array();
	for (size_t i = 0; list && (set = config_setting_of(s, kw->name, i)); i++) {
		if (json_array_append_new(list, setting_json(set->value, set->file, set->line)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *section_json(const struct config_section *s)
{
	json_t *o = json_object(), *settings = json_object();
	int r = s->name ? json_object_set_new(o, "name", json_string(s->name)) : 0;

	r |= json_object_set_new(o, "origin", origin_json(s->file, s->line));
	for (const struct keyword *kw = config_keywords; kw->name; kw++)
		if (kw->scope == s->scope)
			r |= json_object_set_new(settings, kw->name, key_json(s, kw));
	r |= json_object_set_new(o, "settings", settings);
	if (r == 0)
		return o;
	json_decref(o);
	return NULL;
}

static int show_json(const struct config *c, struct buf *out, struct err **err)
{
	json_t *root = json_pack("{s:i, s:n, s:[], s:n, s:n, s:[]}", "version", 1, "agent", "kbs", "vtpm", "push", "volume");
	char *text;
	int r = root ? 0 : -1;

	for (struct config_section **s = c->sections; r == 0 && *s; s++) {
		json_t *o = section_json(*s);

		if ((*s)->scope != SCOPE_KBS && (*s)->scope != SCOPE_VOLUME)
			r = json_object_set_new(root, config_scope_name((*s)->scope), o);
		else
			r = json_array_append_new(json_object_get(root, config_scope_name((*s)->scope)), o);
	}
	text = r == 0 ? json_dumps(root, JSON_INDENT(2)) : NULL;
	json_decref(root);
	if (!text)
		return err_nomem(err);
	buf_puts(out, text);
	buf_putc(out, '\n');
	free(text);
	return buf_check(out, err);
}

int config_show(const struct config *c, bool json, struct buf *out, struct err **err)
{
	if (json)
		return show_json(c, out, err);
	for (struct config_section **s = c->sections; *s; s++)
		put_ini_section(*s, out);
	return buf_check(out, err);
}
