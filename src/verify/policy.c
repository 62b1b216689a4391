/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A policy file into rules. What a single key means is policy_rule.c's, what makes a rule complete policy_check.c's. */
#include "verify/policy.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/ini.h"
#include "base/text.h"
#include "verify/policy_rule.h"

#define RULES_MAX 65536

struct parser {
	struct policy *policy;
	struct policy_rule *rule; /* NULL inside an X- section */
};

static void rule_free(struct policy_rule *r)
{
	if (!r)
		return;
	free(r->pattern);
	free(r->pins);
	free(r);
}

void policy_free(struct policy *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++)
		rule_free(p->rules[i]);
	free(p->rules);
	free(p->file);
	free(p);
}

const char *policy_pattern(const struct policy *p, size_t i)
{
	return i < p->n ? p->rules[i]->pattern : NULL;
}

size_t policy_rules(const struct policy *p)
{
	return p->n;
}

bool policy_resource_ok(const char *s, bool pattern)
{
	char segment[66];
	int count = 0;

	for (;; s++) {
		size_t n = strcspn(s, "/");

		if (n >= sizeof(segment))
			return false;
		memcpy(segment, s, n);
		segment[n] = '\0';
		if (!text_is_path_segment(segment) && !(pattern && strcmp(segment, "*") == 0))
			return false;
		count++;
		s += n;
		if (*s == '\0')
			return count == 3;
	}
}

/* `*` is one whole segment, never more (contracts.md 7). Both texts passed policy_resource_ok(). */
bool policy_pattern_matches(const char *pattern, const char *resource)
{
	for (;;) {
		size_t n = strcspn(pattern, "/"), m = strcspn(resource, "/");

		if (!(n == 1 && *pattern == '*') && (n != m || memcmp(pattern, resource, n) != 0))
			return false;
		pattern += n;
		resource += m;
		if (!*pattern || !*resource)
			return !*pattern && !*resource;
		pattern++;
		resource++;
	}
}

static int append_rule(struct policy *p, struct policy_rule *r, struct err **err)
{
	struct policy_rule **grown;

	if (p->n >= RULES_MAX)
		return err_set(err, ERR_CONFIG, "policy-section", "more than %d rules", RULES_MAX);
	if ((p->n & (p->n - 1)) == 0) {
		grown = realloc(p->rules, (p->n ? 2 * p->n : 1) * sizeof(struct policy_rule *));
		if (!grown)
			return err_nomem(err);
		p->rules = grown;
	}
	p->rules[p->n++] = r;
	return 0;
}

static int on_section(struct parser *ps, const struct ini_line *l, struct err **err)
{
	static const char *const names[] = { "resource", NULL };
	size_t n = strcspn(l->section, " \t");
	const char *pattern = l->section + n + strspn(l->section + n, " \t");
	struct policy_rule *r;
	char word[65];

	ps->rule = NULL;
	if (text_starts(l->section, "X-"))
		return 0;
	if (n != strlen("resource") || strncmp(l->section, "resource", n) != 0) {
		text_sanitise(l->section, n, word, sizeof(word));
		return err_set(err, ERR_CONFIG, "policy-section", "unknown section [%.100s]%s", l->section,
			       text_nearest(word, names) ? ", did you mean [resource NAME]?" : "; allowed: [resource NAME], [X-anything]");
	}
	if (!policy_resource_ok(pattern, true))
		return err_set(err, ERR_CONFIG, "policy-section",
			       "[%.200s]: a resource is repository/type/tag; * stands for exactly one whole of the three", l->section);
	r = calloc(1, sizeof(*r));
	if (!r)
		return err_nomem(err);
	r->line = l->line;
	r->pattern = text_dup(pattern);
	if (!r->pattern) {
		rule_free(r);
		return err_nomem(err);
	}
	if (append_rule(ps->policy, r, err) < 0) {
		rule_free(r);
		return -1;
	}
	ps->rule = r;
	return 0;
}

static int on_line(const struct ini_line *l, void *ctx, struct err **err)
{
	struct parser *ps = ctx;

	if (!l->key)
		return on_section(ps, l, err);
	if (!ps->rule || text_starts(l->key, "X-"))
		return 0;
	return policy_rule_set(ps->rule, l->key, l->value, l->line, err);
}

int policy_parse(const char *file, const char *text, size_t len, struct policy **ret, struct err **err)
{
	struct policy *p = calloc(1, sizeof(*p));
	struct parser ps = { .policy = p };
	int r;

	if (!p)
		return err_nomem(err);
	p->file = text_dup(file);
	r = p->file ? ini_parse(file, text, len, on_line, &ps, err) : err_nomem(err);
	for (size_t i = 0; r == 0 && i < p->n; i++)
		r = policy_rule_check(p->rules[i], file, err);
	if (r < 0) {
		policy_free(p);
		return -1;
	}
	*ret = p;
	return 0;
}

bool policy_has_section(const struct policy *p, const char *resource)
{
	const char *pattern;

	for (size_t i = 0; (pattern = policy_pattern(p, i)); i++)
		if (policy_pattern_matches(pattern, resource))
			return true;
	return false;
}
