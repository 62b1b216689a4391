/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/lib/fixture.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Set by make check; else the current directory. */
static const char *top_srcdir(void)
{
	const char *dir = getenv("TOP_SRCDIR");

	return dir && *dir ? dir : ".";
}

bool fixtures_present(void)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/../shared/fixtures/README.md", top_srcdir());
	return stat(path, &st) == 0;
}

void fixtures_or_skip(void)
{
	if (fixtures_present())
		return;
	printf("1..0 # SKIP no ../shared/fixtures beside this checkout\n");
	exit(0);
}

static uint8_t *read_path(const char *path, size_t *ret_len)
{
	FILE *f = fopen(path, "rbe");
	uint8_t *data = NULL;
	size_t len = 0, n;

	if (!f) {
		fprintf(stderr, "cannot open %s\n", path);
		exit(99);
	}
	do {
		data = realloc(data, len + 65536 + 1);
		if (!data)
			abort();
		n = fread(data + len, 1, 65536, f);
		len += n;
	} while (n > 0);
	fclose(f);
	data[len] = 0;
	*ret_len = len;
	return data;
}

uint8_t *fixture_read(const char *rel, size_t *ret_len)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/../shared/fixtures/%s", top_srcdir(), rel);
	return read_path(path, ret_len);
}
