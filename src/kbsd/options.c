/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "kbsd/options.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const struct option_def *find(const struct option_def *defs, const char *name, size_t len)
{
	for (; defs->name; defs++)
		if (strlen(defs->name) == len && memcmp(defs->name, name, len) == 0)
			return defs;
	return NULL;
}

static int unknown(const struct option_def *defs, const char *word, size_t len, struct err **err)
{
	const char *names[64];
	char name[64];
	size_t n = 0;

	text_sanitise(word, len, name, sizeof(name));
	for (; defs->name && n < 62; defs++)
		names[n++] = defs->name;
	names[n++] = "help";
	names[n] = NULL;
	const char *near = text_nearest(name, names);
	if (near)
		return err_set(err, ERR_CONFIG, "usage", "there is no option --%s; did you mean --%s?", name, near);
	return err_set(err, ERR_CONFIG, "usage", "there is no option --%s", name);
}

static int range(const struct option_def *d, uint64_t v, struct err **err)
{
	if (v < d->min || v > d->max)
		return err_set(err, ERR_CONFIG, "usage", "out of range");
	*(uint64_t *)d->target = v;
	return 0;
}

static int store(const struct option_def *d, const char *value, struct err **err)
{
	struct option_list *list;
	uint64_t v;

	switch (d->type) {
	case OPTION_FLAG:
		*(bool *)d->target = true;
		return 0;
	case OPTION_STRING:
		if (*(const char **)d->target)
			return err_set(err, ERR_CONFIG, "usage", "given twice");
		*(const char **)d->target = value;
		return 0;
	case OPTION_LIST:
		list = d->target;
		if (list->n == OPTION_LIST_MAX)
			return err_set(err, ERR_CONFIG, "usage", "given more than %d times", OPTION_LIST_MAX);
		list->items[list->n++] = value;
		return 0;
	case OPTION_U64:
		return text_u64(value, d->min, d->max, d->target, err);
	case OPTION_DURATION:
		return text_duration_ms(value, &v, err) < 0 ? -1 : range(d, v, err);
	case OPTION_CALL:
		return d->call(d->target, d->name, value, err);
	}
	return err_set(err, ERR_INTERNAL, "usage", "option table");
}

static int one_option(const struct option_def *defs, const char *word, int n, char *const *args, int *i, bool *help,
		      struct err **err)
{
	const char *eq = strchr(word, '=');
	size_t len = eq ? (size_t)(eq - word) : strlen(word);
	const struct option_def *d = find(defs, word, len);
	const char *value = eq ? eq + 1 : NULL;

	if (!d && len == 4 && memcmp(word, "help", 4) == 0 && !eq) {
		*help = true;
		return 0;
	}
	if (!d)
		return unknown(defs, word, len, err);
	if (d->type == OPTION_FLAG && value)
		return err_set(err, ERR_CONFIG, "usage", "--%s takes no value", d->name);
	if (d->type != OPTION_FLAG && !value) {
		if (*i + 1 >= n)
			return err_set(err, ERR_CONFIG, "usage", "--%s needs a value: %s", d->name, d->metavar);
		value = args[++*i];
	}
	if (store(d, value, err) < 0)
		return err_wrap(err, "--%s", d->name);
	return 0;
}

int options_parse(const struct option_def *defs, int n, char *const *args, size_t min, size_t max,
		  const char **positional, bool *ret_help, struct err **err)
{
	bool help = false, ended = false;
	size_t words = 0;

	for (int i = 0; i < n; i++) {
		if (!ended && strcmp(args[i], "--") == 0) {
			ended = true;
		} else if (!ended && text_starts(args[i], "--")) {
			if (one_option(defs, args[i] + 2, n, args, &i, &help, err) < 0)
				return -1;
		} else if (!ended && args[i][0] == '-' && args[i][1]) {
			return err_set(err, ERR_CONFIG, "usage", "there are no one-letter options: %s", args[i]);
		} else if (words == max) {
			return err_set(err, ERR_CONFIG, "usage", "one word too many: %s", args[i]);
		} else {
			positional[words++] = args[i];
		}
	}
	if (!help && words < min)
		return err_set(err, ERR_CONFIG, "usage", "a word is missing; see --help");
	*ret_help = help;
	return 0;
}

void options_help(FILE *out, const char *synopsis, const char *text, const struct option_def *defs)
{
	fprintf(out, "usage: cryptattest-kbs %s\n\n%s", synopsis, text);
	if (defs->name)
		fputs("\noptions:\n", out);
	for (; defs->name; defs++) {
		int used = fprintf(out, "  --%s%s%s", defs->name, defs->metavar ? " " : "",
				   defs->metavar ? defs->metavar : "");
		fprintf(out, "%*s%s\n", used < 26 ? 26 - used : 1, "", defs->help);
	}
}
