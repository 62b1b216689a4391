/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * ${...} in a resource path. Templates select, they never carry trust: a value is one path segment, so whoever controls it
 * (the host, through SMBIOS or init-data) can choose among resources of one shape and nothing else. Only a template that is the
 * whole path may expand to a whole kbs:/// name.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "config/parse.h"
#include "wire/resource_uri.h"

#define VARIABLE_MAX 128
#define PATH_TEXT_MAX 1024

/* Called for each variable; the value goes into out. */
typedef int (*lookup_fn)(const void *ctx, const char *name, struct buf *out, struct err **err);

static int known(const char *name, struct err **err)
{
	static const char *const names[] = { "luks.uuid", "smbios.uuid", "init-data.KEY", NULL };
	const char *near;

	if (text_eq(name, "luks.uuid") || text_eq(name, "smbios.uuid"))
		return 0;
	if (text_starts(name, "init-data.") && name[strlen("init-data.")])
		return 0;
	near = text_nearest(name, names);
	if (near)
		return err_set(err, ERR_CONFIG, "template", "unknown variable ${%s}, did you mean ${%s}?", name, near);
	return err_set(err, ERR_CONFIG, "template", "unknown variable ${%s}; allowed: luks.uuid, smbios.uuid, init-data.KEY", name);
}

static int walk(const char *path, lookup_fn lookup, const void *ctx, struct buf *out, struct err **err)
{
	char name[VARIABLE_MAX];

	while (*path) {
		const char *open = strstr(path, "${"), *close;
		size_t n = open ? (size_t)(open - path) : strlen(path);

		buf_append(out, path, n);
		path += n;
		if (!open)
			break;
		close = strchr(open, '}');
		if (!close || (size_t)(close - open - 2) >= sizeof(name))
			return err_set(err, ERR_CONFIG, "template", "${ without } in \"%.80s\"", open);
		memcpy(name, open + 2, (size_t)(close - open - 2));
		name[close - open - 2] = '\0';
		if (known(name, err) < 0 || lookup(ctx, name, out, err) < 0)
			return -1;
		path = close + 1;
	}
	return buf_check(out, err);
}

static bool is_whole(const char *path)
{
	const char *close = text_starts(path, "${") ? strchr(path, '}') : NULL;

	return close && close[1] == '\0';
}

static int any_value(const void *ctx, const char *name, struct buf *out, struct err **err)
{
	buf_puts(out, "x");
	return 0;
}

int config_template_check(const char *path, struct err **err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(PATH_TEXT_MAX);
	struct resource_uri uri;

	if (walk(path, any_value, NULL, &text, err) < 0)
		return -1;
	return is_whole(path) ? 0 : resource_uri_parse(buf_cstr(&text), &uri, err);
}

bool config_path_uses(const struct config_volume *v, const char *variable_prefix)
{
	for (const char *p = v->path; p && (p = strstr(p, "${")); p += 2)
		if (text_starts(p + 2, variable_prefix))
			return true;
	return false;
}

struct expansion {
	const struct config_facts *facts;
	bool whole;
};

static int value_of(const void *ctx, const char *name, struct buf *out, struct err **err)
{
	const struct expansion *x = ctx;
	const struct config_facts *f = x->facts;
	const char *value = NULL;

	if (text_eq(name, "luks.uuid"))
		value = f->luks_uuid;
	else if (text_eq(name, "smbios.uuid"))
		value = f->smbios_uuid;
	else if (f->init_data)
		value = f->init_data(f->init_data_ctx, name + strlen("init-data."));
	if (!value)
		return err_set(err, ERR_CONFIG, "template", "${%s} has no value on this machine", name);
	if (!text_is_path_segment(value) && !(x->whole && text_starts(value, "kbs:///")))
		return err_set(err, ERR_INTEGRITY, "template", "${%s}: \"%.80s\" is not one segment of a resource name", name, value);
	buf_puts(out, value);
	return 0;
}

int config_expand_path(const struct config_volume *v, const struct config_facts *f, char **ret, struct err **err)
{
	const struct expansion x = { .facts = f, .whole = is_whole(v->path) };
	_cleanup_buf_ struct buf text = BUF_INIT(PATH_TEXT_MAX);
	_cleanup_free_ char *path = NULL;
	struct resource_uri uri;

	/* A file name or nothing: no template there (config_validate). */
	if (text_eq(v->source_name, "file") || text_eq(v->source_name, "prompt") || text_eq(v->source_name, "push")) {
		path = text_dup(v->path);
	} else {
		if (walk(v->path, value_of, &x, &text, err) < 0)
			return -1;
		path = buf_take_str(&text);
		/* Values are segments by now; what is left is the shape of a whole one and the length. */
		if (path && resource_uri_parse(path, &uri, err) < 0) {
			err_reclass(err, ERR_INTEGRITY);
			return err_wrap(err, "secret = %.200s", v->secret);
		}
	}
	if (!path)
		return err_nomem(err);
	*ret = TAKE_PTR(path);
	return 0;
}
