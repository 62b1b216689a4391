/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Whatever is accepted can be written again, drawn and counted within the bounds. */
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"
#include "unlock/metrics.h"

#define BOOT "00000000-0000-4000-8000-000000000000"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct state none = { 0 };
	struct buf svg = BUF_INIT(TIMELINE_SVG_MAX + 4096), metrics = BUF_INIT(METRICS_MAX), text = BUF_INIT(256 * 1024);
	struct timeline t, again;
	bool ok;

	metrics_parse_next_boot((const char *)data, size, &ok, NULL);
	if (timeline_parse((const char *)data, size, BOOT, &t, NULL) < 0)
		return 0;
	timeline_svg(&t, &svg);
	metrics_text(&none, &t, NULL, &metrics);
	if (!buf_ok(&svg) || !buf_ok(&metrics) || timeline_text(&t, BOOT, &text, NULL) < 0 ||
	    timeline_parse(buf_cstr(&text), text.len, BOOT, &again, NULL) < 0 || again.n != t.n)
		abort();
	timeline_clear(&again);
	timeline_clear(&t);
	buf_free(&svg);
	buf_free(&metrics);
	buf_free(&text);
	return 0;
}
