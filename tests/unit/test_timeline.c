/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What is kept of a boot's runs, the picture of it (well-formed, bounded), and the metrics (read back line by line). */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "tests/lib/mutate.h"
#include "tests/unit/xml_check.h"
#include "unlock/metrics.h"

#define BOOT "00000000-0000-4000-8000-000000000000"
#define OTHER_BOOT "00000000-0000-4000-8000-000000000001"

static char root[] = "/tmp/test_timeline.XXXXXX";
static int root_fd;

static int setup(void **state)
{
	(void)state;
	return mkdtemp(root) && (root_fd = open(root, O_RDONLY | O_DIRECTORY)) >= 0 ? 0 : -1;
}

static int teardown(void **state)
{
	char path[128];

	(void)state;
	close(root_fd);
	for (const char *const *p = (const char *const[]){ "/run/cryptattest/timeline.json", "/run/cryptattest", "/run", "", NULL }; *p; p++) {
		snprintf(path, sizeof(path), "%s%s", root, *p);
		remove(path);
	}
	return 0;
}

static struct timeline_span span(unsigned int run, const char *phase, const char *volume, uint64_t from_ms, uint64_t to_ms, bool ok)
{
	struct timeline_span s = { .run = run, .span = { .start_ns = from_ms * 1000000, .end_ns = to_ms * 1000000, .ok = ok } };

	snprintf(s.span.phase, sizeof(s.span.phase), "%s", phase);
	snprintf(s.span.volume, sizeof(s.span.volume), "%s", volume);
	return s;
}

/* --- the file */

static void add_run(const char *boot, int spans)
{
	struct events *ev = NULL;

	assert_int_equal(events_new(-1, &ev, NULL), 0);
	for (int i = 0; i < spans; i++) {
		events_start(ev, "header", "root");
		if (i) /* the first one stays open */
			events_end(ev, "header", "root", true, "");
	}
	assert_int_equal(timeline_add(root_fd, boot, ev, NULL), 0);
	events_free(ev);
}

static void test_kept(void **state)
{
	struct timeline t;
	struct stat st;

	(void)state;
	assert_int_equal(timeline_load(root_fd, BOOT, &t, NULL), 0);
	assert_int_equal(t.n, 0);
	add_run(BOOT, 2);
	add_run(BOOT, 1);
	assert_int_equal(timeline_load(root_fd, BOOT, &t, NULL), 0);
	assert_int_equal(t.n, 3);
	assert_int_equal(t.spans[1].run, 0);
	assert_int_equal(t.spans[2].run, 1);
	assert_string_equal(t.spans[0].span.phase, "header");
	assert_string_equal(t.spans[0].span.volume, "root");
	assert_true(t.spans[0].span.end_ns >= t.spans[0].span.start_ns && t.spans[0].span.start_ns > 0);
	timeline_clear(&t);
	assert_int_equal(fstatat(root_fd, "run/cryptattest/timeline.json", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* Another boot begins anew. */
	assert_int_equal(timeline_load(root_fd, OTHER_BOOT, &t, NULL), 0);
	assert_int_equal(t.n, 0);
	/* The first spans stay, the others are counted. */
	for (int i = 0; i < 3; i++)
		add_run(BOOT, 300);
	assert_int_equal(timeline_load(root_fd, BOOT, &t, NULL), 0);
	assert_int_equal(t.n, TIMELINE_MAX);
	assert_int_equal(t.dropped, 3 + 900 - TIMELINE_MAX);
	assert_int_equal(t.spans[2].run, 1);
	timeline_clear(&t);
	/* What others could have written is not believed, and replaced. */
	assert_int_equal(fchmodat(root_fd, "run/cryptattest/timeline.json", 0666, 0), 0);
	assert_int_equal(timeline_load(root_fd, BOOT, &t, NULL), -1);
	add_run(BOOT, 1);
	assert_int_equal(timeline_load(root_fd, BOOT, &t, NULL), 0);
	assert_int_equal(t.n, 1);
	timeline_clear(&t);
}

static const char sample[] = "{\"version\":1,\"boot_id\":\"" BOOT "\",\"dropped\":2,\"spans\":["
			     "{\"run\":0,\"phase\":\"device\",\"volume\":\"root\",\"start_ns\":1000,\"end_ns\":2500,\"ok\":true,\"new\":1},"
			     "{\"run\":3,\"phase\":\"auth\",\"volume\":\"\",\"start_ns\":2500,\"end_ns\":2500,\"ok\":false}]}";

static void try(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	struct timeline t;

	(void)what;
	(void)ctx;
	if (timeline_parse((const char *)data, len, BOOT, &t, NULL) < 0)
		return;
	for (size_t i = 0; i < t.n; i++) {
		assert_true(t.spans[i].span.end_ns >= t.spans[i].span.start_ns);
		assert_true(!*t.spans[i].span.volume || text_is_volume_name(t.spans[i].span.volume));
	}
	timeline_clear(&t);
}

static void refused(const char *from, const char *to)
{
	char text[sizeof(sample) + 64];
	const char *at = strstr(sample, from);
	struct timeline t;

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - sample), sample, to, at + strlen(from));
	assert_int_equal(timeline_parse(text, strlen(text), BOOT, &t, NULL), -1);
	assert_null(t.spans);
}

static void test_parse(void **state)
{
	struct timeline t;

	(void)state;
	assert_int_equal(timeline_parse(sample, strlen(sample), BOOT, &t, NULL), 0);
	assert_int_equal(t.n, 2);
	assert_int_equal(t.dropped, 2);
	assert_int_equal(t.spans[0].span.end_ns, 2500);
	assert_true(t.spans[0].span.ok && !t.spans[1].span.ok);
	timeline_clear(&t);
	refused("\"version\":1", "\"version\":2");
	refused("\"device\"", "\"De<ice\"");
	refused("\"device\"", "\"aphasethatistoolong\"");
	refused("\"root\"", "\"../root\"");
	refused("\"end_ns\":2500,\"ok\":true", "\"end_ns\":999,\"ok\":true");
	refused("\"ok\":false", "\"ok\":0");
	refused("{\"run\":0", "{\"run\":4");
	refused("\"spans\":[", "\"spans\":[1,");
	mutate_bit_flips((const uint8_t *)sample, 0, strlen(sample), strlen(sample), try, NULL);
	mutate_truncations((const uint8_t *)sample, strlen(sample), 1, try, NULL);
}

/* --- the picture */

static void test_checker(void **state)
{
	(void)state;
	assert_int_equal(xml_elements("<a b=\"1\" c=\"&lt;\"><b/>x &amp; y</a>\n"), 2);
	assert_int_equal(xml_elements("<a><b></a></b>"), -1);
	assert_int_equal(xml_elements("<a>&</a>"), -1);
	assert_int_equal(xml_elements("<a b=\"1\" b=\"2\"/>"), -1);
	assert_int_equal(xml_elements("<a b=\"<\"/>"), -1);
	assert_int_equal(xml_elements("<a/><a/>"), -1);
	assert_int_equal(xml_elements("<a>"), -1);
}

static size_t count(const char *text, const char *word)
{
	size_t n = 0;

	for (; (text = strstr(text, word)); text += strlen(word))
		n++;
	return n;
}

static char *draw(const struct timeline *t)
{
	struct buf b = BUF_INIT(TIMELINE_SVG_MAX + 4096);
	char *text;

	timeline_svg(t, &b);
	text = buf_take_str(&b);
	assert_non_null(text);
	assert_true(xml_elements(text) > 0);
	assert_null(strstr(text, "script"));
	assert_null(strstr(text, "href"));
	return text;
}

static void test_picture(void **state)
{
	struct timeline_span spans[] = { span(0, "auth", "", 3000, 3500, true), span(0, "device", "ro<o>&\"'t\x01", 3000, 3250, true),
					 span(0, "device", "ro<o>&\"'t\x01", 3250, 4000, false), span(1, "header", "data", 9000, 9000, true) };
	struct timeline t = { .spans = spans, .n = 4 };
	char *svg = draw(&t);

	(void)state;
	assert_non_null(strstr(svg, "ro&lt;o&gt;&amp;&quot;&apos;t?"));
	assert_int_equal(count(svg, "<rect "), 5); /* one for each span, and the ground */
	assert_int_equal(count(svg, "fill=\"#b3261e\""), 1);
	assert_non_null(strstr(svg, "run 1: from 3.000 s to 4.000 s"));
	assert_non_null(strstr(svg, "run 2: "));
	assert_non_null(strstr(svg, ">500.0 ms<"));
	assert_non_null(strstr(svg, ">1000.0 ms failed<"));
	/* Half of the axis, which goes from 190 to 900. */
	assert_non_null(strstr(svg, "<rect x=\"190.0\" y=\"78\" width=\"355.0\""));
	free(svg);
}

static void test_picture_bounds(void **state)
{
	struct timeline_span *spans = calloc(TIMELINE_MAX, sizeof(*spans));
	struct timeline t = { .spans = spans, .dropped = 7 };
	char *svg, volume[20];

	(void)state;
	svg = draw(&t);
	assert_non_null(strstr(svg, "nothing was recorded"));
	free(svg);
	for (; t.n < TIMELINE_MAX; t.n++) {
		snprintf(volume, sizeof(volume), "v%zu", t.n);
		spans[t.n] = span(0, "device", volume, t.n, UINT32_MAX, true);
	}
	svg = draw(&t);
	assert_int_equal(count(svg, "<rect "), TIMELINE_ROWS + 1);
	assert_non_null(strstr(svg, "not shown: 256 rows or runs, and 7 spans"));
	free(svg);
	for (size_t i = 0; i < t.n; i++)
		spans[i].run = (unsigned int)i;
	svg = draw(&t);
	assert_int_equal(count(svg, "<rect "), TIMELINE_ROWS + 1);
	free(svg);
	free(spans);
}

/* --- the metrics */

struct sample {
	char name[64], key[2][32], value[2][64];
	size_t n_labels;
	double number;
};

/* One sample line of OpenMetrics 1.0: name{key="value",...} number. */
static void read_sample(const char *p, struct sample *s)
{
	size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyz_");
	char *end;

	*s = (struct sample){ 0 };
	assert_true(n && n < sizeof(s->name));
	memcpy(s->name, p, n);
	p += n;
	if (*p == '{')
		do {
			size_t k = strspn(++p, "abcdefghijklmnopqrstuvwxyz_"), v = 0;

			assert_true(s->n_labels < 2 && k && k < 32);
			memcpy(s->key[s->n_labels], p, k);
			p += k;
			assert_true(text_starts(p, "=\""));
			for (p += 2; *p != '"'; p++) {
				assert_true(*p && v < 63);
				if (*p == '\\') {
					p++;
					assert_true(*p == 'n' || *p == '"' || *p == '\\');
					s->value[s->n_labels][v++] = (char)(*p == 'n' ? '\n' : *p);
				} else {
					s->value[s->n_labels][v++] = *p;
				}
			}
			s->n_labels++;
			p++;
		} while (*p == ',');
	if (s->n_labels)
		assert_int_equal(*p++, '}');
	assert_int_equal(*p++, ' ');
	s->number = strtod(p, &end);
	assert_true(end > p && !*end);
}

/* Families come once each, with their TYPE before the samples; the last line is # EOF. Returns the number of samples. */
static size_t read_metrics(const struct state *st, const struct timeline *t, const bool *next, struct sample *out, size_t cap)
{
	char seen[16][64], family[64] = "", *text, *line, *save = NULL;
	struct buf b = BUF_INIT(METRICS_MAX);
	size_t n = 0, n_seen = 0;
	bool eof = false;

	metrics_text(st, t, next, &b);
	text = buf_take_str(&b);
	assert_non_null(text);
	assert_true(strlen(text) >= 6 && text_eq(text + strlen(text) - 6, "# EOF\n"));
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		assert_false(eof);
		if (text_starts(line, "# TYPE ")) {
			assert_int_equal(sscanf(line, "# TYPE %63s gauge", family), 1);
			assert_true(text_eq(line + strlen(line) - 6, " gauge"));
			for (size_t i = 0; i < n_seen; i++)
				assert_string_not_equal(seen[i], family);
			assert_true(n_seen < 16);
			snprintf(seen[n_seen++], sizeof(seen[0]), "%s", family);
		} else if (text_starts(line, "# UNIT ") || text_starts(line, "# HELP ")) {
			assert_memory_equal(line + 7, family, strlen(family));
		} else if (text_eq(line, "# EOF")) {
			eof = true;
		} else {
			assert_true(n < cap);
			read_sample(line, &out[n]);
			assert_string_equal(out[n++].name, family);
		}
	}
	free(text);
	return n;
}

static const struct sample *find(const struct sample *s, size_t n, const char *name, const char *value)
{
	for (size_t i = 0; i < n; i++)
		if (text_eq(s[i].name, name) && text_eq(s[i].value[0], value))
			return &s[i];
	fail_msg("no %s with %s", name, value);
	return NULL;
}

static void test_metrics(void **state)
{
	struct timeline_span spans[] = { span(0, "device", "a", 0, 1000, true), span(0, "device", "b", 500, 1500, true),
					 span(0, "device", "c", 700, 800, false), span(1, "device", "d", 5000, 5250, true),
					 span(1, "auth", "", 5250, 5251, true) };
	const struct timeline t = { .spans = spans, .n = 5 };
	struct state_volume volumes[] = { { .name = (char *)"ro\"o\\t\n", .state = (char *)"open", .source = (char *)"kbs" },
					  { .name = (char *)"shut", .state = (char *)"failed", .source = (char *)"kbs" } };
	struct state st = { .result = (char *)"failed", .exit_code = 9, .cap = (char *)"done", .volumes = volumes, .n_volumes = 2 };
	struct sample s[32];
	const bool next = true;
	size_t n = read_metrics(&st, &t, &next, s, 32);

	(void)state;
	assert_int_equal(n, 2 + 1 + 3 + 1 + 7 + 1);
	assert_true(find(s, n, "cryptattest_unlock_seconds", "device")->number == 1.75);
	assert_true(find(s, n, "cryptattest_unlock_seconds", "auth")->number == 0.001);
	assert_string_equal(find(s, n, "cryptattest_unlock_source", "ro\"o\\t\n")->value[1], "kbs");
	assert_true(find(s, n, "cryptattest_unlock_result", "failed")->number == 1);
	assert_true(find(s, n, "cryptattest_unlock_result", "ok")->number == 0);
	assert_true(find(s, n, "cryptattest_unlock_exit_code", "")->number == 9);
	assert_true(find(s, n, "cryptattest_cap", "done")->number == 1);
	assert_true(find(s, n, "cryptattest_cap", "none")->number == 0);
	assert_true(find(s, n, "cryptattest_next_boot_ok", "")->number == 1);
	/* A cap whose second event is missing, then one of which nobody can tell, then a whole one. */
	st.cap = (char *)"unproven";
	st.cap_event = (char *)"cryptattest:cap:v1\n-\n";
	for (int i = 0; i < 3; i++) {
		st.cap_outcome = i == 0 ? NULL : i == 1 ? (char *)"unknown" : (char *)"kbs+vtpm";
		n = read_metrics(&st, &t, NULL, s, 32);
		assert_int_equal(n, 2 + 1 + 3 + 1 + 7 + 7);
		assert_true(find(s, n, "cryptattest_cap", "unproven")->number == 1);
		assert_true(find(s, n, "cryptattest_cap", "done")->number == 0);
		assert_true(find(s, n, "cryptattest_cap_outcome", "missing")->number == (i == 0));
		assert_true(find(s, n, "cryptattest_cap_outcome", "unknown")->number == (i == 1));
		assert_true(find(s, n, "cryptattest_cap_outcome", "kbs+vtpm")->number == (i == 2));
		assert_true(find(s, n, "cryptattest_cap_outcome", "kbs")->number == 0);
	}
	/* Nothing is known: nothing is claimed. */
	assert_int_equal(read_metrics(&(struct state){ 0 }, &(struct timeline){ 0 }, NULL, s, 32), 0);
}

static void test_next_boot(void **state)
{
	bool ok = false;

	(void)state;
	assert_int_equal(metrics_parse_next_boot("{\"version\":1,\"ok\":true,\"x\":[]}", 30, &ok, NULL), 0);
	assert_true(ok);
	assert_int_equal(metrics_parse_next_boot("{\"version\":1,\"ok\":false}", 24, &ok, NULL), 0);
	assert_false(ok);
	assert_int_equal(metrics_parse_next_boot("{\"version\":1}", 13, &ok, NULL), -1);
	assert_int_equal(metrics_parse_next_boot("{\"version\":2,\"ok\":true}", 23, &ok, NULL), -1);
	assert_int_equal(metrics_parse_next_boot("[]", 2, &ok, NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept),	cmocka_unit_test(test_parse),	       cmocka_unit_test(test_checker),
		cmocka_unit_test(test_picture), cmocka_unit_test(test_picture_bounds), cmocka_unit_test(test_metrics),
		cmocka_unit_test(test_next_boot),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
