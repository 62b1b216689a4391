/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The timeline as a picture. Coordinates are pixels; a row is one phase of one volume, all of its spans beside each other. */
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "unlock/timeline.h"

#define WIDTH 1000
#define LEFT 190  /* labels end here */
#define RIGHT 900 /* durations stand behind it */
#define ROW 18
#define HEAD 30

struct picture {
	const struct timeline *t;
	struct buf body;
	unsigned int y, rows, left_out;
	uint64_t start, end; /* of the run in hand */
};

/* XML 1.0: what is no printable ASCII never gets here unescaped. */
static void put_text(struct buf *b, const char *s)
{
	for (; *s; s++)
		switch (*s) {
		case '&':
			buf_puts(b, "&amp;");
			break;
		case '<':
			buf_puts(b, "&lt;");
			break;
		case '>':
			buf_puts(b, "&gt;");
			break;
		case '"':
			buf_puts(b, "&quot;");
			break;
		case '\'':
			buf_puts(b, "&apos;");
			break;
		default:
			buf_putc(b, *s >= ' ' && *s <= '~' ? *s : '?');
		}
}

static void label(struct picture *p, unsigned int x, unsigned int y, const char *anchor, const char *weight, const char *text)
{
	buf_printf(&p->body, "<text x=\"%u\" y=\"%u\" text-anchor=\"%s\" font-weight=\"%s\">", x, y, anchor, weight);
	put_text(&p->body, text);
	buf_puts(&p->body, "</text>\n");
}

static double place(const struct picture *p, uint64_t ns)
{
	return LEFT + (double)(ns - p->start) * (RIGHT - LEFT) / (double)(p->end - p->start);
}

static bool same_row(const struct timeline_span *a, const struct timeline_span *b)
{
	return a->run == b->run && text_eq(a->span.volume, b->span.volume) && text_eq(a->span.phase, b->span.phase);
}

/* The row of span i, which is its first. */
static void draw_row(struct picture *p, size_t i, size_t end)
{
	uint64_t sum = 0;
	bool ok = true;
	char text[80];

	label(p, LEFT - 8, p->y + 13, "end", "normal", p->t->spans[i].span.phase);
	for (size_t k = i; k < end; k++) {
		const struct event_span *s = &p->t->spans[k].span;
		double from, width;

		if (!same_row(&p->t->spans[i], &p->t->spans[k]))
			continue;
		from = place(p, s->start_ns);
		width = place(p, s->end_ns) - from;
		buf_printf(&p->body, "<rect x=\"%.1f\" y=\"%u\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n", from, p->y + 3, width < 1 ? 1 : width,
			   ROW - 6, s->ok ? "#2e6f9e" : "#b3261e");
		sum += s->end_ns - s->start_ns;
		ok = ok && s->ok;
	}
	snprintf(text, sizeof(text), "%.1f ms%s", (double)sum / NSEC_PER_MSEC, ok ? "" : " failed");
	label(p, RIGHT + 6, p->y + 13, "start", "normal", text);
	p->y += ROW;
	p->rows++;
}

static bool first_of_row(const struct picture *p, size_t begin, size_t i)
{
	for (size_t k = begin; k < i; k++)
		if (same_row(&p->t->spans[k], &p->t->spans[i]))
			return false;
	return true;
}

static void draw_volume(struct picture *p, size_t begin, size_t end, const char *volume)
{
	if (p->rows < TIMELINE_ROWS) {
		label(p, 8, p->y + 13, "start", "bold", *volume ? volume : "machine");
		p->y += ROW;
	}
	for (size_t i = begin; i < end; i++) {
		if (!text_eq(p->t->spans[i].span.volume, volume) || !first_of_row(p, begin, i))
			continue;
		if (p->rows < TIMELINE_ROWS)
			draw_row(p, i, end);
		else
			p->left_out++;
	}
}

/* 1, 2 or 5 times a power of ten, so that there are 4 to 10 of them. */
static double tick(double seconds)
{
	double step = 1e-6;

	for (unsigned int i = 0; seconds / step > 10; i++)
		step *= i % 3 == 1 ? 2.5 : 2;
	return step;
}

static void draw_axis(struct picture *p, unsigned int top)
{
	const double seconds = (double)(p->end - p->start) / NSEC_PER_SEC, step = tick(seconds);
	char text[40];

	for (unsigned int i = 0; i <= 10 && i * step <= seconds; i++) {
		const double x = LEFT + i * step / seconds * (RIGHT - LEFT);

		buf_printf(&p->body, "<line x1=\"%.1f\" y1=\"%u\" x2=\"%.1f\" y2=\"%u\" stroke=\"#bbbbbb\"/>\n", x, top, x, p->y);
		snprintf(text, sizeof(text), "%g s", i * step);
		label(p, (unsigned int)x, p->y + 13, "middle", "normal", text);
	}
	p->y += 2 * ROW;
}

static void draw_run(struct picture *p, size_t begin, size_t end)
{
	const struct timeline_span *s = p->t->spans;
	unsigned int top;
	char text[120];

	p->start = UINT64_MAX;
	p->end = 0;
	for (size_t i = begin; i < end; i++) {
		p->start = s[i].span.start_ns < p->start ? s[i].span.start_ns : p->start;
		p->end = s[i].span.end_ns > p->end ? s[i].span.end_ns : p->end;
	}
	if (p->end <= p->start)
		p->end = p->start + 1;
	snprintf(text, sizeof(text), "run %u: from %.3f s to %.3f s after the kernel started", s[begin].run + 1,
		 (double)p->start / NSEC_PER_SEC, (double)p->end / NSEC_PER_SEC);
	label(p, 8, p->y + 13, "start", "bold", text);
	p->y += ROW + ROW / 2;
	top = p->y;
	for (size_t i = begin; i < end; i++) {
		bool seen = false;

		for (size_t k = begin; k < i && !seen; k++)
			seen = text_eq(s[k].span.volume, s[i].span.volume);
		if (!seen)
			draw_volume(p, begin, end, s[i].span.volume);
	}
	draw_axis(p, top);
}

void timeline_svg(const struct timeline *t, struct buf *out)
{
	struct picture p = { .t = t, .body = BUF_INIT(TIMELINE_SVG_MAX), .y = HEAD };
	char text[120];

	label(&p, 8, 20, "start", "bold", "cryptattest: how this boot unlocked");
	for (size_t begin = 0, end; begin < t->n; begin = end) {
		for (end = begin; end < t->n && t->spans[end].run == t->spans[begin].run; end++)
			;
		if (p.rows < TIMELINE_ROWS)
			draw_run(&p, begin, end);
		else
			p.left_out++;
	}
	if (!t->n || p.left_out || t->dropped) {
		snprintf(text, sizeof(text), t->n ? "not shown: %u rows or runs, and %llu spans that were not kept" : "nothing was recorded in this boot",
			 p.left_out, (unsigned long long)t->dropped);
		label(&p, 8, p.y + 13, "start", "normal", text);
		p.y += ROW;
	}
	buf_printf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%d\" height=\"%u\" viewBox=\"0 0 %d %u\" "
		   "font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
		   WIDTH, p.y + ROW, WIDTH, p.y + ROW);
	if (buf_cstr(&p.body))
		buf_puts(out, buf_cstr(&p.body));
	else
		out->failed = true;
	buf_puts(out, "</svg>\n");
	buf_free(&p.body);
}
