/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* One file's text into the configuration: sections, keys, repetition rules, provenance. */
#include "config/parse.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/ini.h"
#include "base/text.h"

#define SECTIONS_MAX 1024

struct parser {
	struct config *config;
	unsigned int file_no;
	struct config_section *section; /* NULL inside an X- section */
};

/* Appends to a NULL-terminated vector of pointers of any type; 0, or -1 on OOM. */
#define APPEND(vector, item)                                                   \
	({                                                                     \
		size_t n_ = 0;                                                 \
		__typeof__(vector) grown_;                                     \
		while ((vector) && (vector)[n_])                               \
			n_++;                                                  \
		grown_ = realloc((vector), (n_ + 2) * sizeof(*grown_));        \
		if (grown_) {                                                  \
			grown_[n_] = (item);                                   \
			grown_[n_ + 1] = NULL;                                 \
			(vector) = grown_;                                     \
		}                                                              \
		grown_ ? 0 : -1;                                               \
	})

static void section_free(struct config_section *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_settings; i++) {
		free(s->settings[i].value);
		free(s->settings[i].file);
	}
	free(s->settings);
	free(s->name);
	free(s->file);
	free(s);
}

static int apply_defaults(enum config_scope scope, void *target, struct err **err)
{
	for (const struct keyword *kw = config_keywords; kw->name; kw++)
		if (kw->scope == scope && kw->def && keyword_set(kw, target, kw->def, err) < 0)
			return -1;
	return 0;
}

static void clear_keywords(enum config_scope scope, void *target)
{
	for (const struct keyword *kw = config_keywords; kw->name; kw++)
		if (kw->scope == scope)
			keyword_clear(kw, target);
}

static void kbs_free(struct config_kbs *k)
{
	clear_keywords(SCOPE_KBS, k);
	free(k->ca_pem);
	free(k->name);
	free(k->file);
	free(k);
}

static void volume_free(struct config_volume *v)
{
	clear_keywords(SCOPE_VOLUME, v);
	free(v->sealed_device);
	free(v->sealed_path);
	free(v->source_name);
	free(v->path);
	free(v->name);
	free(v->file);
	free(v);
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (struct config_kbs **k = c->kbs; k && *k; k++)
		kbs_free(*k);
	for (struct config_volume **v = c->volumes; v && *v; v++)
		volume_free(*v);
	for (struct config_section **s = c->sections; s && *s; s++)
		section_free(*s);
	clear_keywords(SCOPE_AGENT, c);
	free(c->report.ca_pem);
	free(c->report.origin);
	free(c->report.path);
	clear_keywords(SCOPE_VTPM, &c->vtpm);
	free(c->vtpm.vek_data);
	free(c->vtpm.signer_pem);
	free(c->vtpm.file);
	clear_keywords(SCOPE_PUSH, &c->push);
	free(c->push.host);
	free(c->push.file);
	free(c->kbs);
	free(c->volumes);
	free(c->sections);
	free(c);
}

struct config *config_new(void)
{
	struct config *c = calloc(1, sizeof(*c));
	struct config_section *s = calloc(1, sizeof(*s));

	if (!c || !s || APPEND(c->sections, s) < 0) {
		free(s);
		config_free(c);
		return NULL;
	}
	s->scope = SCOPE_AGENT;
	s->target = c;
	c->kbs = calloc(1, sizeof(*c->kbs));
	c->volumes = calloc(1, sizeof(*c->volumes));
	if (!c->kbs || !c->volumes || apply_defaults(SCOPE_AGENT, c, NULL) < 0 ||
	    apply_defaults(SCOPE_VTPM, &c->vtpm, NULL) < 0 || apply_defaults(SCOPE_PUSH, &c->push, NULL) < 0) {
		config_free(c);
		return NULL;
	}
	return c;
}

static struct config_section *section_find(struct config *c, enum config_scope scope, const char *name)
{
	for (struct config_section **s = c->sections; *s; s++)
		if ((*s)->scope == scope && text_eq((*s)->name, name))
			return *s;
	return NULL;
}

static int kbs_add(struct config *c, const char *name, const struct ini_line *l, void **ret, struct err **err)
{
	struct config_kbs *k = calloc(1, sizeof(*k));

	if (!k)
		return err_nomem(err);
	k->name = text_dup(name);
	k->file = text_dup(l->file);
	k->line = l->line;
	if (!k->name || !k->file || APPEND(c->kbs, k) < 0) {
		kbs_free(k);
		return err_nomem(err);
	}
	*ret = k;
	return apply_defaults(SCOPE_KBS, k, err);
}

static int volume_add(struct config *c, const char *name, const struct ini_line *l, void **ret, struct err **err)
{
	struct config_volume *v = calloc(1, sizeof(*v));

	if (!v)
		return err_nomem(err);
	v->keyslot = -1;
	v->name = text_dup(name);
	v->file = text_dup(l->file);
	v->line = l->line;
	if (!v->name || !v->file || APPEND(c->volumes, v) < 0) {
		volume_free(v);
		return err_nomem(err);
	}
	*ret = v;
	return apply_defaults(SCOPE_VOLUME, v, err);
}

/* One section, whose defaults are in place already: the cap needs them without it. */
static int vtpm_add(struct config *c, const struct ini_line *l, void **ret, struct err **err)
{
	c->vtpm.file = text_dup(l->file);
	if (!c->vtpm.file)
		return err_nomem(err);
	c->vtpm.line = l->line;
	c->vtpm.present = true;
	*ret = &c->vtpm;
	return 0;
}

static int push_add(struct config *c, const struct ini_line *l, void **ret, struct err **err)
{
	c->push.file = text_dup(l->file);
	if (!c->push.file)
		return err_nomem(err);
	c->push.line = l->line;
	c->push.present = true;
	*ret = &c->push;
	return 0;
}

static int target_add(struct config *c, enum config_scope scope, const char *name, const struct ini_line *l, void **ret,
		      struct err **err)
{
	if (scope == SCOPE_VTPM)
		return vtpm_add(c, l, ret, err);
	if (scope == SCOPE_PUSH)
		return push_add(c, l, ret, err);
	return scope == SCOPE_KBS ? kbs_add(c, name, l, ret, err) : volume_add(c, name, l, ret, err);
}

static int section_add(struct config *c, enum config_scope scope, const char *name, const struct ini_line *l,
		       struct config_section **ret, struct err **err)
{
	struct config_section *s;
	void *target = NULL;

	size_t n = 0;

	while (c->sections[n])
		n++;
	if (n >= SECTIONS_MAX)
		return err_set(err, ERR_CONFIG, "config-section", "more than %d sections", SECTIONS_MAX);
	if (target_add(c, scope, name, l, &target, err) < 0)
		return -1;
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_nomem(err);
	s->scope = scope;
	s->target = target;
	s->name = text_dup(name);
	if ((name && !s->name) || APPEND(c->sections, s) < 0) {
		section_free(s);
		return err_nomem(err);
	}
	*ret = s;
	return 0;
}

static int unknown_section(const char *text, struct err **err)
{
	static const char *const names[] = { "agent", "kbs", "vtpm", "push", "volume", NULL };
	char word[65];
	const char *near;

	text_sanitise(text, strcspn(text, " \t"), word, sizeof(word));
	near = text_nearest(word, names);
	if (near)
		return err_set(err, ERR_CONFIG, "config-section", "unknown section [%.80s], did you mean [%s%s]?", text, near,
			       strcmp(near, "kbs") == 0 || strcmp(near, "volume") == 0 ? " NAME" : "");
	return err_set(err, ERR_CONFIG, "config-section",
		       "unknown section [%.80s]; allowed: [agent], [kbs NAME], [vtpm], [push], [volume NAME], [X-anything]", text);
}

/* "kbs main" -> scope and name; names are checked here because they reach the device-mapper and messages. */
static int section_words(const char *text, enum config_scope *scope, const char **name, struct err **err)
{
	size_t n = strcspn(text, " \t");

	*name = text + n + strspn(text + n, " \t");
	if ((n == 5 && strncmp(text, "agent", 5) == 0) || (n == 4 && (strncmp(text, "vtpm", 4) == 0 || strncmp(text, "push", 4) == 0))) {
		*scope = n == 5 ? SCOPE_AGENT : *text == 'v' ? SCOPE_VTPM : SCOPE_PUSH;
		if (**name)
			return err_set(err, ERR_CONFIG, "config-section", "[%s] takes no name", config_scope_name(*scope));
		*name = NULL;
		return 0;
	}
	if (n == 3 && strncmp(text, "kbs", 3) == 0)
		*scope = SCOPE_KBS;
	else if (n == 6 && strncmp(text, "volume", 6) == 0)
		*scope = SCOPE_VOLUME;
	else
		return unknown_section(text, err);
	if (!text_is_volume_name(*name))
		return err_set(err, ERR_CONFIG, "config-section",
			       "[%.80s]: a name of 1 to 63 characters A-Z a-z 0-9 _ . - is needed, the first a letter or digit", text);
	if (*scope == SCOPE_KBS && (text_eq(*name, "prompt") || text_eq(*name, "file") || text_eq(*name, "push")))
		return err_set(err, ERR_CONFIG, "config-section", "[%s]: this name is reserved for a source of secrets", text);
	return 0;
}

static int on_section(struct parser *p, const struct ini_line *l, struct err **err)
{
	enum config_scope scope = SCOPE_AGENT;
	struct config_section *s;
	const char *name = NULL;

	p->section = NULL;
	if (text_starts(l->section, "X-"))
		return 0;
	if (section_words(l->section, &scope, &name, err) < 0)
		return -1;
	s = section_find(p->config, scope, name);
	if (!s && section_add(p->config, scope, name, l, &s, err) < 0)
		return -1;
	if (s->last_file_no == p->file_no)
		return err_set(err, ERR_CONFIG, "config-section", "section [%s] stands twice in this file", l->section);
	s->last_file_no = p->file_no;
	if (!s->file) {
		s->file = text_dup(l->file);
		s->line = l->line;
		if (!s->file)
			return err_nomem(err);
	}
	p->section = s;
	return 0;
}

static int unknown_key(const struct config_section *s, const char *key, struct err **err)
{
	const char *names[64];
	const char *near;
	size_t n = 0;

	for (const struct keyword *kw = config_keywords; kw->name; kw++) {
		if (kw->scope != s->scope && strcmp(kw->name, key) == 0)
			return err_set(err, ERR_CONFIG, "config-key", "key \"%s\" belongs into a [%s] section", key,
				       config_scope_name(kw->scope));
		if (kw->scope == s->scope && n < ARRAY_SIZE(names) - 1)
			names[n++] = kw->name;
	}
	names[n] = NULL;
	near = text_nearest(key, names);
	if (near)
		return err_set(err, ERR_CONFIG, "config-key", "unknown key \"%.80s\" in [%s], did you mean \"%s\"?", key,
			       config_scope_name(s->scope), near);
	return err_set(err, ERR_CONFIG, "config-key", "unknown key \"%.80s\" in [%s]", key, config_scope_name(s->scope));
}

static void drop_settings(struct config_section *s, const struct keyword *kw)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n_settings; i++) {
		if (s->settings[i].kw == kw) {
			free(s->settings[i].value);
			free(s->settings[i].file);
		} else {
			s->settings[kept++] = s->settings[i];
		}
	}
	s->n_settings = kept;
}

static int note_setting(struct config_section *s, const struct keyword *kw, const struct ini_line *l, unsigned int file_no,
			struct err **err)
{
	struct config_setting *grown = realloc(s->settings, (s->n_settings + 1) * sizeof(*grown)), *set;

	if (!grown)
		return err_nomem(err);
	s->settings = grown;
	set = &grown[s->n_settings];
	*set = (struct config_setting){ .kw = kw, .line = l->line, .file_no = file_no };
	set->value = text_dup(l->value);
	set->file = text_dup(l->file);
	if (!set->value || !set->file) {
		free(set->value);
		free(set->file);
		return err_nomem(err);
	}
	s->n_settings++;
	return 0;
}

static int on_key(struct parser *p, const struct ini_line *l, struct err **err)
{
	struct config_section *s = p->section;
	const struct config_setting *before;
	const struct keyword *kw;

	if (!s || text_starts(l->key, "X-"))
		return 0;
	kw = keyword_find(s->scope, l->key);
	if (!kw)
		return unknown_key(s, l->key, err);
	before = config_setting_of(s, kw->name, 0);
	if (kw->type != KW_LIST && before && before->file_no == p->file_no)
		return err_set(err, ERR_CONFIG, "config-key", "%s is set twice in this file, first in line %u", kw->name, before->line);
	if (keyword_set(kw, s->target, l->value, err) < 0)
		return kw->type == KW_LIST ? err_wrap(err, "%s", kw->name) : -1;
	if (kw->type != KW_LIST || *l->value == '\0')
		drop_settings(s, kw);
	return kw->type == KW_LIST && *l->value == '\0' ? 0 : note_setting(s, kw, l, p->file_no, err);
}

static int on_line(const struct ini_line *l, void *ctx, struct err **err)
{
	return l->key ? on_key(ctx, l, err) : on_section(ctx, l, err);
}

int config_parse_text(struct config *c, const char *file, unsigned int file_no, const char *text, size_t len, struct err **err)
{
	struct parser p = { .config = c, .file_no = file_no };

	return ini_parse(file, text, len, on_line, &p, err);
}

const struct config_setting *config_setting_of(const struct config_section *s, const char *key, size_t index)
{
	for (size_t i = 0; i < s->n_settings; i++)
		if (strcmp(s->settings[i].kw->name, key) == 0 && index-- == 0)
			return &s->settings[i];
	return NULL;
}

int config_fail(const struct config_section *s, const char *key, size_t index, struct err **err, const char *fmt, ...)
{
	const struct config_setting *set = key ? config_setting_of(s, key, index) : NULL;
	va_list ap;

	va_start(ap, fmt);
	err_setv(err, ERR_CONFIG, "config-invalid", fmt, ap);
	va_end(ap);
	if (set)
		return err_wrap(err, "%s:%u", set->file, set->line);
	return s->file ? err_wrap(err, "%s:%u", s->file, s->line) : -1;
}

const struct config_volume *config_find_volume(const struct config *c, const char *name)
{
	for (struct config_volume **v = c->volumes; *v; v++)
		if (strcmp((*v)->name, name) == 0)
			return *v;
	return NULL;
}

const struct config_kbs *config_find_kbs(const struct config *c, const char *name)
{
	for (struct config_kbs **k = c->kbs; *k; k++)
		if (text_eq((*k)->name, name))
			return *k;
	return NULL;
}
