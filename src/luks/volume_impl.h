/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What a volume is, for the files of src/luks that share it: volume.c, keycheck.c, activate.c. */
#ifndef CRYPTATTEST_LUKS_VOLUME_IMPL_H
#define CRYPTATTEST_LUKS_VOLUME_IMPL_H

#include "luks/context.h"
#include "luks/volume.h"

struct luks_volume {
	const struct luks_header *h;   /* the caller's */
	const struct luks_device *dev; /* the caller's */
	struct crypt_device *cd;
	const char *digest; /* name of the one digest, inside h->json */
	bool integrity;
	unsigned int sector_size;
	size_t key_size; /* H7, K2 */
};

#endif
