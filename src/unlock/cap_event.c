/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The words that the cap measures. Pure. */
#include "unlock/cap.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct cap_volume *)a)->name, ((const struct cap_volume *)b)->name);
}

int cap_event(struct cap_volume *v, size_t n, struct buf *out, struct err **err)
{
	buf_puts(out, "cryptattest:cap:v1\n");
	if (n)
		qsort(v, n, sizeof(*v), by_name);
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s %s %s\n", v[i].name, v[i].uuid, v[i].vk_id);
	if (!n)
		buf_puts(out, "-\n");
	return buf_check(out, err);
}

int cap_outcome_event(const char *outcome, struct buf *out, struct err **err)
{
	buf_printf(out, "cryptattest:outcome:v1 %s\n", outcome);
	return buf_check(out, err);
}

/* Whatever no broker and no TPM gave was given by hand. */
const char *const cap_outcome_words[] = { "recover", "vtpm", "kbs", "kbs+vtpm", "none", NULL };

const char *cap_outcome(const struct cap_volume *v, size_t n)
{
	const char *const *const words = cap_outcome_words;
	size_t worst = ARRAY_SIZE(cap_outcome_words) - 2;

	for (size_t i = 0; i < n; i++) {
		size_t w = 1;

		while (words[w + 1] && !text_eq(words[w], v[i].source))
			w++;
		if (!words[w + 1])
			w = 0;
		if (w < worst)
			worst = w;
	}
	return words[worst];
}
