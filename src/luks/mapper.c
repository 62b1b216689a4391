/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "luks/mapper.h"

#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "crypto/digest.h"

#define PRIVATE_HEX 16

void mapper_info_clear(struct mapper_info *i)
{
	for (size_t n = 0; n < i->n_targets; n++) {
		if (i->targets[n].params)
			wipe(i->targets[n].params, strlen(i->targets[n].params));
		free(i->targets[n].params);
	}
	free(i->targets);
	*i = (struct mapper_info){ 0 };
}

int mapper_private_name(char out[static 32], struct err **err)
{
	uint8_t rnd[PRIVATE_HEX / 2];

	if (random_bytes(rnd, sizeof(rnd), err) < 0)
		return -1;
	memcpy(out, MAPPER_PRIVATE_PREFIX, sizeof(MAPPER_PRIVATE_PREFIX));
	hex_encode(rnd, sizeof(rnd), out + sizeof(MAPPER_PRIVATE_PREFIX) - 1);
	return 0;
}

/* ^cryptattest-[0-9a-f]{16}(_dif)?$ */
bool mapper_name_is_private(const char *name)
{
	size_t prefix = sizeof(MAPPER_PRIVATE_PREFIX) - 1;

	if (strncmp(name, MAPPER_PRIVATE_PREFIX, prefix) != 0 || strspn(name + prefix, "0123456789abcdef") != PRIVATE_HEX)
		return false;
	name += prefix + PRIVATE_HEX;
	return *name == 0 || strcmp(name, "_dif") == 0;
}
