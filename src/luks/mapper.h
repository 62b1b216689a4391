/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The seam below activation (contracts.md 9): device-mapper in production, a recorder in the test platform. Names are dm names.
 */
#ifndef CRYPTATTEST_LUKS_MAPPER_H
#define CRYPTATTEST_LUKS_MAPPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/secret.h"

struct crypt_device;

struct mapper_target {
	char type[16]; /* "crypt", "integrity" */
	uint64_t start, length; /* sectors */
	char *params;		/* text of the table line */
};

struct mapper_info {
	bool exists;
	char uuid[160];
	unsigned int open_count;
	dev_t dev;
	struct mapper_target *targets;
	size_t n_targets;
};

struct mapper {
	const char *name; /* "device-mapper" | "recorder" */
	/* crypt_activate_by_volume_key() with these CRYPT_ACTIVATE_ flags. ERR_DEVICE. */
	int (*activate)(void *ctx, struct crypt_device *cd, const char *name, const struct secret *key, uint32_t flags,
			struct err **err);
	int (*deactivate)(void *ctx, struct crypt_device *cd, const char *name, struct err **err);
	/* DM_DEVICE_INFO + DM_DEVICE_TABLE; exists=false is not an error. */
	int (*query)(void *ctx, const char *name, struct mapper_info *ret, struct err **err);
	/* NULL-terminated list of names. */
	int (*list)(void *ctx, char ***ret, struct err **err);
	/* Plain removal by name, for sweeping: never reads a header (boot-integration.md 14.6). */
	int (*remove)(void *ctx, const char *name, struct err **err);
	void *ctx;
};

void mapper_info_clear(struct mapper_info *i);
extern const struct mapper mapper_dm;

#define MAPPER_PRIVATE_PREFIX "cryptattest-"
int mapper_private_name(char out[static 32], struct err **err); /* prefix + 16 hex */
/* Removes private leftovers of a killed agent (14.6 rules). Caller holds the lock. */
int mapper_sweep_private(const struct mapper *m, unsigned int *ret_removed, struct err **err);

#endif
