/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "luks/audit.h"

#define COMPAT_SWITCH "header = compat"

void audit_init(struct audit *a, const struct luks_policy *policy, struct luks_findings *out)
{
	*a = (struct audit){ .policy = policy, .out = out };
}

void audit_base(struct audit *a, const char *fmt, ...)
{
	char raw[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	/* Object names are the host's choice too (H12, A23). */
	text_sanitise(raw, strlen(raw), a->base, sizeof(a->base));
}

static struct luks_finding *finding_new(struct audit *a)
{
	struct luks_findings *f = a->out;
	struct luks_finding *grown;

	if (f->n >= FINDINGS_MAX)
		return NULL;
	grown = realloc(f->items, (f->n + 1) * sizeof(*grown));
	if (!grown) {
		a->nomem = true;
		return NULL;
	}
	f->items = grown;
	memset(&grown[f->n], 0, sizeof(*grown));
	return &grown[f->n++];
}

static void add(struct audit *a, const char *id, const char *member, const char *found, const char *allowed,
		const char *compat)
{
	struct luks_finding *f = finding_new(a);
	char raw[256];

	if (!f)
		return;
	snprintf(raw, sizeof(raw), "%s%s%s", a->base, *a->base && member && *member ? "." : "", member ? member : "");
	snprintf(f->id, sizeof(f->id), "%s", id);
	text_sanitise(raw, strlen(raw), f->path, sizeof(f->path));
	text_sanitise(found, strlen(found), f->found, sizeof(f->found));
	snprintf(f->allowed, sizeof(f->allowed), "%s", allowed);
	snprintf(f->compat, sizeof(f->compat), "%s", compat);
}

static void add_json(struct audit *a, const char *id, const char *member, const json_t *found, const char *allowed,
		     const char *compat)
{
	_cleanup_free_ char *text = NULL;

	if (!found) {
		add(a, id, member, "absent", allowed, compat);
		return;
	}
	text = json_dumps(found, JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
	if (!text) {
		a->nomem = true;
		return;
	}
	add(a, id, member, text, allowed, compat);
}

void audit_fail(struct audit *a, const char *id, const char *member, const json_t *found, const char *allowed)
{
	add_json(a, id, member, found, allowed, "");
}

void audit_fail_text(struct audit *a, const char *id, const char *member, const char *found, const char *allowed)
{
	add(a, id, member, found, allowed, "");
}

void audit_fail_strict(struct audit *a, const char *id, const char *member, const json_t *found, const char *allowed)
{
	if (a->policy->profile != LUKS_COMPAT)
		add_json(a, id, member, found, allowed, COMPAT_SWITCH);
}

void luks_finding_text(const struct luks_finding *f, char *out, size_t cap)
{
	snprintf(out, cap, "%s: %s is %s, allowed: %s%s%s%s", f->id, *f->path ? f->path : "header", f->found, f->allowed,
		 *f->compat ? " (`" : "", f->compat, *f->compat ? "` would accept it)" : "");
}

static const char *hint_for(const struct luks_finding *f)
{
	if (strcmp(f->id, "H2-torn") == 0)
		return "if an update of the header was interrupted, run `cryptsetup repair` on a trusted system";
	if (*f->compat)
		return "set the profile named in the message if this volume was made so on purpose";
	return "`cryptattest check` lists every failed check; do not open this volume by other means before you know who changed it";
}

int audit_result(const struct audit *a, struct err **err)
{
	char text[512];

	if (a->nomem)
		return err_nomem(err);
	if (a->out->n == 0)
		return 0;
	luks_finding_text(&a->out->items[0], text, sizeof(text));
	if (a->out->n > 1)
		err_set(err, ERR_INTEGRITY, a->out->items[0].id, "%s; and %zu more findings", text, a->out->n - 1);
	else
		err_set(err, ERR_INTEGRITY, a->out->items[0].id, "%s", text);
	return err_hint(err, "%s", hint_for(&a->out->items[0]));
}

void luks_findings_clear(struct luks_findings *f)
{
	free(f->items);
	f->items = NULL;
	f->n = 0;
}
