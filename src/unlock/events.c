/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/events.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fileio.h"
#include "base/text.h"

struct events {
	int fd;
	uint64_t origin_ns;
	size_t n;
	struct event_span spans[EVENTS_MAX];
};

int events_new(int status_fd, struct events **ret, struct err **err)
{
	/* Shared with the guardian, which says what a killed run was at. */
	struct events *ev = mmap(NULL, sizeof(*ev), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (ev == MAP_FAILED)
		return err_nomem(err);
	ev->fd = status_fd;
	ev->origin_ns = clock_monotonic_ns();
	*ret = ev;
	return 0;
}

int events_hide(struct events *ev, struct err **err)
{
	if (ev && madvise(ev, sizeof(*ev), MADV_DONTFORK) < 0)
		return err_set_errno(err, ERR_INTERNAL, "events", errno, "cannot keep the events from a process that reads the network");
	return 0;
}

void events_free(struct events *ev)
{
	if (ev)
		munmap(ev, sizeof(*ev));
}

static void emit(struct events *ev, uint64_t ns, const char *phase, const char *volume, const char *event, bool ok,
		 const char *id)
{
	char line[512], safe_id[48];
	int n;

	if (ev->fd < 0)
		return;
	/* Phase and volume names are ours or validated by the configuration; the id is a word of our own tables. */
	text_sanitise(id ? id : "", id ? strlen(id) : 0, safe_id, sizeof(safe_id));
	n = snprintf(line, sizeof(line), "{\"v\":1,\"ns\":%llu,\"phase\":\"%s\",\"event\":\"%s\"", (unsigned long long)ns, phase,
		     event);
	if (volume && *volume)
		n += snprintf(line + n, sizeof(line) - (size_t)n, ",\"volume\":\"%s\"", volume);
	if (text_eq(event, "end")) {
		n += snprintf(line + n, sizeof(line) - (size_t)n, ",\"ok\":%s", ok ? "true" : "false");
		if (*safe_id)
			n += snprintf(line + n, sizeof(line) - (size_t)n, ",\"id\":\"%s\"", safe_id);
	}
	n += snprintf(line + n, sizeof(line) - (size_t)n, "}\n");
	if (fd_write_all(ev->fd, line, (size_t)n, NULL) < 0)
		ev->fd = -1;
}

void events_start(struct events *ev, const char *phase, const char *volume)
{
	uint64_t now;

	if (!ev)
		return;
	now = clock_monotonic_ns();
	if (ev->n < EVENTS_MAX) {
		struct event_span *s = &ev->spans[ev->n++];

		snprintf(s->phase, sizeof(s->phase), "%s", phase);
		snprintf(s->volume, sizeof(s->volume), "%s", volume ? volume : "");
		s->start_ns = now;
	}
	emit(ev, now, phase, volume, "start", false, NULL);
}

void events_end(struct events *ev, const char *phase, const char *volume, bool ok, const char *id)
{
	uint64_t now;

	if (!ev)
		return;
	now = clock_monotonic_ns();
	for (size_t i = ev->n; i-- > 0;) {
		struct event_span *s = &ev->spans[i];

		if (!s->end_ns && text_eq(s->phase, phase) && text_eq(s->volume, volume ? volume : "")) {
			s->end_ns = now;
			s->ok = ok;
			break;
		}
	}
	emit(ev, now, phase, volume, "end", ok, id);
}

int events_done(struct events *ev, const char *phase, const char *volume, int rc, struct err *const *err)
{
	events_end(ev, phase, volume, rc == 0, rc == 0 || !err || !*err ? "" : err_id(*err));
	return rc;
}

uint64_t events_total_ms(const struct events *ev)
{
	return ev ? (clock_monotonic_ns() - ev->origin_ns) / NSEC_PER_MSEC : 0;
}

void events_print_timings(const struct events *ev, FILE *out)
{
	if (!ev || !ev->n)
		return;
	fprintf(out, "%-10s %-20s %10s %10s\n", "phase", "volume", "at ms", "took ms");
	for (size_t i = 0; i < ev->n; i++) {
		const struct event_span *s = &ev->spans[i];
		double at = (double)(s->start_ns - ev->origin_ns) / 1e6;

		if (s->end_ns)
			fprintf(out, "%-10s %-20s %10.1f %10.1f%s\n", s->phase, *s->volume ? s->volume : "-", at,
				(double)(s->end_ns - s->start_ns) / 1e6, s->ok ? "" : "  failed");
		else
			fprintf(out, "%-10s %-20s %10.1f %10s\n", s->phase, *s->volume ? s->volume : "-", at, "unfinished");
	}
}

const struct event_span *events_spans(const struct events *ev, size_t *ret_n)
{
	*ret_n = ev ? ev->n : 0;
	return ev ? ev->spans : NULL;
}
