/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What the cap must know of a configuration that cannot be read as a whole: which registers it is about. */
#include <string.h>

#include "base/text.h"
#include "config/parse.h"

#define LINE_MAX_LEN 200

static bool is_key(const char *line, const char *key, const char **ret_value)
{
	size_t n = strlen(key);

	if (strncmp(line, key, n) != 0)
		return false;
	line += n;
	line += strspn(line, " \t");
	if (*line != '=')
		return false;
	*ret_value = line + 1 + strspn(line + 1, " \t");
	return true;
}

/* Whatever the section: these two keys have one meaning, and the section's line may be what is wrong. */
static void take_line(struct config *c, const char *line, uint32_t *cap_pcrs)
{
	struct config_vtpm one = c->vtpm, def = { 0 };
	const struct keyword *pcr = keyword_find(SCOPE_VTPM, "cap-pcr"), *rtmr = keyword_find(SCOPE_VTPM, "cap-rtmr");
	const char *value;

	if (is_key(line, rtmr->name, &value) && keyword_set(rtmr, &one, value, NULL) == 0)
		c->vtpm.cap_rtmr = one.cap_rtmr;
	if (!is_key(line, pcr->name, &value))
		return;
	if (keyword_set(pcr, &one, value, NULL) < 0) {
		keyword_set(pcr, &def, pcr->def, NULL);
		one.cap_pcr = def.cap_pcr;
	}
	*cap_pcrs |= UINT32_C(1) << one.cap_pcr;
}

void config_salvage_text(struct config *c, const char *text, size_t len, uint32_t *cap_pcrs)
{
	const char *const end = text + len;

	for (const char *p = text, *next; p < end; p = next) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		char line[LINE_MAX_LEN];
		size_t n;

		next = nl ? nl + 1 : end;
		while (p < next && (*p == ' ' || *p == '\t'))
			p++;
		n = (size_t)((nl ? nl : end) - p);
		while (n && strchr(" \t\r", p[n - 1]))
			n--;
		if (n >= sizeof(line))
			continue;
		memcpy(line, p, n);
		line[n] = 0;
		take_line(c, line, cap_pcrs);
	}
}
