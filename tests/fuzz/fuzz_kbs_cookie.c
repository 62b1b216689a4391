/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A Cookie header: what is found lies inside it and follows the name. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "kbsd/cookie.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char name[] = "kbs-session-id=";
	char *header = malloc(size + 1);
	const char *value;
	size_t len = 0;

	if (!header)
		return 0;
	memcpy(header, data, size);
	header[size] = '\0';
	value = cookie_session_id(header, &len);
	if (value && (value < header + sizeof(name) - 1 || value + len > header + strlen(header) ||
		      memcmp(value - (sizeof(name) - 1), name, sizeof(name) - 1) != 0 || memchr(value, ';', len)))
		abort();
	free(header);
	return 0;
}
