/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "wire/json.h"

static void family(struct buf *b, const char *name, const char *unit, const char *help)
{
	buf_printf(b, "# TYPE cryptattest_%s gauge\n", name);
	if (unit)
		buf_printf(b, "# UNIT cryptattest_%s %s\n", name, unit);
	buf_printf(b, "# HELP cryptattest_%s %s\n", name, help);
}

/* Label values escape three characters, and nothing else. */
static void label(struct buf *b, const char *name, const char *value)
{
	buf_printf(b, "%s=\"", name);
	for (; *value; value++)
		if (*value == '\n')
			buf_puts(b, "\\n");
		else if (*value == '"' || *value == '\\')
			buf_printf(b, "\\%c", *value);
		else
			buf_putc(b, *value);
	buf_putc(b, '"');
}

/* One sample for each word, 1 for the one that holds. */
static void words(struct buf *b, const char *name, const char *key, const char *const *all, const char *now)
{
	for (; *all; all++) {
		buf_printf(b, "cryptattest_%s{", name);
		label(b, key, *all);
		buf_printf(b, "} %d\n", text_eq(*all, now));
	}
}

static int by_start(const void *a, const void *b)
{
	const struct event_span *const *x = a, *const *y = b;

	return ((*x)->start_ns > (*y)->start_ns) - ((*x)->start_ns < (*y)->start_ns);
}

/* Time in which at least one span of this phase was running: two volumes that wait for the same thing wait once. */
static uint64_t phase_ns(const struct timeline *t, const char *phase, const struct event_span **list)
{
	uint64_t sum = 0, until = 0;
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		if (text_eq(t->spans[i].span.phase, phase))
			list[n++] = &t->spans[i].span;
	qsort(list, n, sizeof(*list), by_start);
	for (size_t i = 0; i < n; i++) {
		const uint64_t from = list[i]->start_ns > until ? list[i]->start_ns : until;

		if (list[i]->end_ns <= from)
			continue;
		sum += list[i]->end_ns - from;
		until = list[i]->end_ns;
	}
	return sum;
}

static void phases(struct buf *b, const struct timeline *t)
{
	const struct event_span **list = calloc(t->n + 1, sizeof(*list));

	if (!list) {
		b->failed = true;
		return;
	}
	family(b, "unlock_seconds", "seconds", "Time that a phase of unlocking took in this boot.");
	for (size_t i = 0; i < t->n; i++) {
		const char *phase = t->spans[i].span.phase;
		bool seen = false;

		for (size_t k = 0; k < i && !seen; k++)
			seen = text_eq(t->spans[k].span.phase, phase);
		if (seen)
			continue;
		buf_puts(b, "cryptattest_unlock_seconds{");
		label(b, "phase", phase);
		buf_printf(b, "} %.6f\n", (double)phase_ns(t, phase, list) / NSEC_PER_SEC);
	}
	free(list);
}

static void sources(struct buf *b, const struct state *st)
{
	family(b, "unlock_source", NULL, "Where the secret of an open volume came from.");
	for (size_t i = 0; i < st->n_volumes; i++) {
		const struct state_volume *v = &st->volumes[i];

		if (!text_eq(v->state, "open") || !v->source)
			continue;
		buf_puts(b, "cryptattest_unlock_source{");
		label(b, "volume", v->name);
		buf_putc(b, ',');
		label(b, "source", v->source);
		buf_puts(b, "} 1\n");
	}
}

void metrics_text(const struct state *st, const struct timeline *t, const bool *next_boot_ok, struct buf *out)
{
	static const char *const results[] = { "running", "ok", "failed", NULL };
	static const char *const caps[] = { "pending", "none", "absent", "done", "unproven", "failed", "off", NULL };

	static const char *const outcomes[] = { "kbs", "vtpm", "kbs+vtpm", "recover", "none", "unknown", "missing", NULL };

	if (t->n)
		phases(out, t);
	if (st->result) {
		sources(out, st);
		family(out, "unlock_result", NULL, "How the last run of this boot ended.");
		words(out, "unlock_result", "result", results, st->result);
		family(out, "unlock_exit_code", NULL, "Exit code of the last run of this boot.");
		buf_printf(out, "cryptattest_unlock_exit_code %d\n", st->exit_code);
	}
	if (st->cap) {
		family(out, "cap", NULL, "What became of the cap that ends the boot phase.");
		words(out, "cap", "state", caps, st->cap);
	}
	if (st->cap_event) {
		family(out, "cap_outcome", NULL, "The second event of the cap; missing when the run was killed before it.");
		words(out, "cap_outcome", "outcome", outcomes, st->cap_outcome ? st->cap_outcome : "missing");
	}
	if (next_boot_ok) {
		family(out, "next_boot_ok", NULL, "Whether the next boot will unlock, as `cryptattest next-boot` last said in this boot.");
		buf_printf(out, "cryptattest_next_boot_ok %d\n", *next_boot_ok);
	}
	buf_puts(out, "# EOF\n");
}

int metrics_parse_next_boot(const char *text, size_t len, bool *ret, struct err **err)
{
	uint64_t version;
	json_t *root = NULL;
	const json_t *ok;
	int rc = -1;

	if (json_parse(text, len, STATE_OTHER_MAX, false, &root, err) < 0)
		return -1;
	ok = json_object_get(root, "ok");
	if (json_get_u64(root, "next-boot", "version", 1, 1, &version, err) == 0)
		rc = json_is_boolean(ok) ? 0 : err_set(err, ERR_INTEGRITY, "json", "next-boot: no member ok");
	*ret = json_is_true(ok);
	json_decref(root);
	return rc;
}
