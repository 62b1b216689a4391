/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* K6 over any table text. The first line is the crypt mapping's, the second one the integrity mapping's. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "luks/table.h"

static const struct table_expect plain = { .name = "root",
					   .uuid = "6f1c9d3e-0000-4000-8000-000000000001",
					   .digest = "0",
					   .device_size = 33554432 + 16777216,
					   .data_offset = 16777216,
					   .sector_size = 512,
					   .key_size = 64,
					   .read_only = -1 };

static void info_of(struct mapper_info *i, struct mapper_target *t, const char *type, const char *kind, const char *name, char *text)
{
	*i = (struct mapper_info){ .exists = true, .targets = t, .n_targets = 1 };
	*t = (struct mapper_target){ .length = 65536, .params = text };
	strcpy(t->type, type);
	table_dm_uuid(kind, plain.uuid, name, i->uuid, sizeof(i->uuid));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct table_expect e = plain, aead = plain;
	struct mapper_target target;
	struct mapper_info info;
	char *text, *second;

	e.rdev = aead.rdev = makedev(254, 32);
	aead.integrity = true;
	aead.key_size = 96;
	aead.sector_size = 4096;
	text = malloc(size + 1);
	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = 0;
	second = strchr(text, '\n');
	if (second)
		*second++ = 0;
	info_of(&info, &target, "crypt", "LUKS2", "root", text);
	if (table_check_crypt(&info, &e, 0, NULL) == 0 &&
	    (strncmp(text, "aes-xts-plain64 ", 16) != 0 || !strstr(text, " 254:32 32768")))
		abort();
	if (table_check_crypt(&info, &aead, makedev(254, 1), NULL) == 0 &&
	    (!strstr(text, "hmac(sha256)") || !strstr(text, " 254:1 0 ") || !strstr(text, "integrity:32:aead")))
		abort();
	if (second) {
		info_of(&info, &target, "integrity", "INTEGRITY", "root_dif", second);
		if (table_check_integrity(&info, &aead, NULL) == 0 &&
		    (!strstr(second, "254:32 32768 32 J ") || strstr(second, "recalc") || strstr(second, "internal_hash")))
			abort();
	}
	free(text);
	return 0;
}
