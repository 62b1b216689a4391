/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "kbsd/cookie.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define COOKIE_NAME "kbs-session-id"

/* The form that Trustee sends: no Path, so that hand-carried and library cookies both work. */
void cookie_put(const struct session *s, char out[static COOKIE_TEXT])
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t t = (time_t)s->expires_wall;
	struct tm tm;

	*out = '\0';
	if (!gmtime_r(&t, &tm))
		return;
	snprintf(out, COOKIE_TEXT, COOKIE_NAME "=%s; Expires=%s, %02d %s %04d %02d:%02d:%02d GMT", s->id,
		 days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

const char *cookie_session_id(const char *header, size_t *ret_len)
{
	static const size_t name_len = sizeof(COOKIE_NAME) - 1;
	const char *found = NULL;

	while (header && *header) {
		header += strspn(header, " \t;");
		size_t len = strcspn(header, ";");
		size_t trimmed = len;

		while (trimmed && (header[trimmed - 1] == ' ' || header[trimmed - 1] == '\t'))
			trimmed--;
		if (trimmed > name_len && header[name_len] == '=' && memcmp(header, COOKIE_NAME, name_len) == 0) {
			const char *value = header + name_len + 1;
			size_t n = trimmed - name_len - 1;

			if (found && (n != *ret_len || memcmp(found, value, n) != 0))
				return NULL;
			found = value;
			*ret_len = n;
		}
		header += len;
	}
	return found;
}
