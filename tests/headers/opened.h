/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A volume of image.h, opened step by step; a failure fails the cmocka test. */
#ifndef CRYPTATTEST_TESTS_HEADERS_OPENED_H
#define CRYPTATTEST_TESTS_HEADERS_OPENED_H

#include "luks/volume.h"

struct opened {
	struct luks_device dev;
	struct luks_header h;
	struct luks_volume *v;
	struct secret *key;
	int slot;
};

/* With IMAGE_PASS and the like; classes of luks_volume_unlock(). */
int opened_unlock(struct opened *o, const char *pass, size_t min_len, int keyslot, struct err **err);
/* Header copied, audited under profile compat, context made. */
void opened_header(struct opened *o, const char *image);
/* opened_header() and unlocked with IMAGE_PASS. */
void opened_volume(struct opened *o, const char *image);
void opened_close(struct opened *o);

#endif
