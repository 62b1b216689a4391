/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Every event has a printable line; a log that iterates to its end replays unless a bank or register is missing. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "evidence/cel_log.h"
#include "evidence/pe_image.h"
#include "evidence/tcg_event.h"

static void printable(const char *s, size_t cap)
{
	if (strlen(s) >= cap)
		abort();
	for (; *s; s++)
		if (*s < 0x20 || *s > 0x7e)
			abort();
}

static int take(void *ctx, const struct cel_event *ev, struct err **err)
{
	(void)ctx;
	(void)err;
	printable(ev->name, sizeof(ev->name));
	return ev->pcr < TCG_PCRS ? 0 : (abort(), 0);
}

static void as_pe(const uint8_t *data, size_t size)
{
	uint8_t out[DIGEST_MAX];
	struct pe_content c;
	struct pe_image pe;

	if (pe_parse(data, size, &pe, NULL) < 0)
		return;
	pe_authenticode(&pe, DIGEST_SHA256, out, NULL);
	for (size_t i = 0; i < pe.n_sections; i++)
		if (pe_content(&pe, &pe.section[i], &c, NULL) == 0)
			pe_content_digest(&c, DIGEST_SHA256, out, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct boot_event_info info;
	struct tcg_replay r;
	struct tcg_event ev;
	struct tcg_log log;
	int rc;

	as_pe(data, size);
	cel_log_walk((const char *)data, size, TCG_SHA256, take, NULL, NULL);
	if (tcg_log_open(data, size, &log, NULL) < 0) {
		if (tcg_log_replay(data, size, TCG_SHA256, &r, NULL) == 0)
			abort();
		return 0;
	}
	while ((rc = tcg_log_next(&log, &ev, NULL)) > 0) {
		tcg_event_describe(&ev, &info);
		printable(info.name, sizeof(info.name));
		printable(info.text, sizeof(info.text));
	}
	if (log.rd.off > size || (rc < 0 && tcg_log_replay(data, size, TCG_SHA256, &r, NULL) == 0))
		abort();
	return 0;
}
