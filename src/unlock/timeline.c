/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/timeline.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "state/state.h"
#include "wire/json.h"

void timeline_clear(struct timeline *t)
{
	free(t->spans);
	*t = (struct timeline){ 0 };
}

static bool is_phase(const char *s)
{
	const size_t n = strlen(s);

	return n > 0 && n < sizeof(((struct event_span *)0)->phase) && strspn(s, "abcdefghijklmnopqrstuvwxyz-") == n;
}

static int parse_span(const json_t *v, struct timeline_span *ret, struct err **err)
{
	const char *phase, *volume;
	const json_t *ok = json_object_get(v, "ok");
	uint64_t run;

	if (json_get_u64(v, "span", "run", 0, TIMELINE_MAX, &run, err) < 0 || json_get_str(v, "span", "phase", &phase, err) < 0 ||
	    json_get_str(v, "span", "volume", &volume, err) < 0 ||
	    json_get_u64(v, "span", "start_ns", 0, INT64_MAX, &ret->span.start_ns, err) < 0 ||
	    json_get_u64(v, "span", "end_ns", ret->span.start_ns, INT64_MAX, &ret->span.end_ns, err) < 0)
		return -1;
	if (!json_is_boolean(ok) || !is_phase(phase) || (*volume && !text_is_volume_name(volume)))
		return err_set(err, ERR_INTEGRITY, "timeline", "a span without outcome, phase or volume name");
	ret->run = (unsigned int)run;
	ret->span.ok = json_is_true(ok);
	snprintf(ret->span.phase, sizeof(ret->span.phase), "%s", phase);
	snprintf(ret->span.volume, sizeof(ret->span.volume), "%s", volume);
	return 0;
}

static int parse_spans(const json_t *list, struct timeline *t, struct err **err)
{
	const size_t n = json_array_size(list);

	if (n > TIMELINE_MAX)
		return err_set(err, ERR_INTEGRITY, "timeline", "too many spans");
	t->spans = calloc(n + 1, sizeof(*t->spans));
	if (!t->spans)
		return err_nomem(err);
	for (; t->n < n; t->n++) {
		if (parse_span(json_array_get(list, t->n), &t->spans[t->n], err) < 0)
			return -1;
		if (t->n && t->spans[t->n].run < t->spans[t->n - 1].run)
			return err_set(err, ERR_INTEGRITY, "timeline", "runs are out of order");
	}
	return 0;
}

int timeline_parse(const char *text, size_t len, const char *boot_id, struct timeline *ret, struct err **err)
{
	_cleanup_timeline_ struct timeline t = { 0 };
	json_t *root = NULL, *list;
	const char *boot;
	uint64_t version;
	int rc = -1;

	*ret = (struct timeline){ 0 };
	if (json_parse(text, len, STATE_OTHER_MAX, false, &root, err) < 0)
		return -1;
	if (json_get_u64(root, "timeline", "version", 1, 1, &version, err) == 0 && json_get_str(root, "timeline", "boot_id", &boot, err) == 0 &&
	    json_get_u64(root, "timeline", "dropped", 0, INT64_MAX, &t.dropped, err) == 0 &&
	    json_get_arr(root, "timeline", "spans", &list, err) == 0) {
		if (!text_eq(boot, boot_id)) {
			t.dropped = 0;
			rc = 0;
		} else {
			rc = parse_spans(list, &t, err);
		}
	}
	json_decref(root);
	if (rc < 0)
		return -1;
	*ret = t;
	t = (struct timeline){ 0 };
	return 0;
}

int timeline_text(const struct timeline *t, const char *boot_id, struct buf *out, struct err **err)
{
	buf_puts(out, "{\"version\":1,\"boot_id\":");
	json_put_string(out, boot_id, strlen(boot_id));
	buf_printf(out, ",\"dropped\":%llu,\"spans\":[", (unsigned long long)t->dropped);
	for (size_t i = 0; i < t->n; i++) {
		const struct event_span *s = &t->spans[i].span;

		buf_printf(out, "%s{\"run\":%u,\"phase\":", i ? ",\n" : "\n", t->spans[i].run);
		json_put_string(out, s->phase, strlen(s->phase));
		buf_puts(out, ",\"volume\":");
		json_put_string(out, s->volume, strlen(s->volume));
		buf_printf(out, ",\"start_ns\":%llu,\"end_ns\":%llu,\"ok\":%s}", (unsigned long long)s->start_ns, (unsigned long long)s->end_ns,
			   s->ok ? "true" : "false");
	}
	buf_puts(out, "]}\n");
	return buf_check(out, err);
}

int timeline_load(int root_fd, const char *boot_id, struct timeline *ret, struct err **err)
{
	_cleanup_err_ struct err *e = NULL;
	_cleanup_free_ char *text = NULL;
	size_t len = 0;

	*ret = (struct timeline){ 0 };
	if (state_file_read(root_fd, TIMELINE_FILE, &text, &len, &e) == 0 && timeline_parse(text, len, boot_id, ret, &e) == 0)
		return 0;
	if (err_class(e) == ERR_NOTHING)
		return 0;
	return err_set(err, err_class(e), "timeline", "/%s/%s: %s", STATE_DIR, TIMELINE_FILE, err_message(e));
}

static int append(struct timeline *t, const struct events *ev, struct err **err)
{
	const unsigned int run = t->n ? t->spans[t->n - 1].run + 1 : 0;
	const uint64_t now = clock_monotonic_ns();
	const struct event_span *s;
	struct timeline_span *grown;
	size_t n;

	s = events_spans(ev, &n);
	grown = reallocarray(t->spans, t->n + n + 1, sizeof(*grown));
	if (!grown)
		return err_nomem(err);
	t->spans = grown;
	for (size_t i = 0; i < n; i++) {
		struct timeline_span *to = &t->spans[t->n];

		if (t->n == TIMELINE_MAX) {
			t->dropped += n - i;
			break;
		}
		*to = (struct timeline_span){ .run = run, .span = s[i] };
		if (!to->span.end_ns) {
			to->span.end_ns = now;
			to->span.ok = false;
		}
		t->n++;
	}
	return 0;
}

int timeline_add(int root_fd, const char *boot_id, const struct events *ev, struct err **err)
{
	_cleanup_timeline_ struct timeline t = { 0 };
	_cleanup_buf_ struct buf text = BUF_INIT(STATE_OTHER_MAX);
	_cleanup_err_ struct err *old = NULL;

	if (timeline_load(root_fd, boot_id, &t, &old) < 0)
		log_debug("%s: begun anew", err_message(old));
	if (append(&t, ev, err) < 0 || timeline_text(&t, boot_id, &text, err) < 0)
		return -1;
	return state_file_write(root_fd, TIMELINE_FILE, buf_cstr(&text), text.len, err);
}
