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
	char *params;		/* text of the table line; may hold the volume key: wiped by mapper_info_clear() */
};

struct mapper_info {
	bool exists, read_only;
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
	/* From now on nothing waits for udev, which may be what a dead run had been waiting for. NULL: nothing ever does. */
	void (*forget_udev)(void *ctx);
	void *ctx;
};

void mapper_info_clear(struct mapper_info *i);
#define _cleanup_mapper_info_ __attribute__((cleanup(mapper_info_clear)))
/* Waits for udev without limit when udev is dead (14.6): the caller owns a timer that acts by itself. */
extern const struct mapper mapper_dm;

#define MAPPER_PRIVATE_PREFIX "cryptattest-"
int mapper_private_name(char out[static 32], struct err **err); /* prefix + 16 hex */
bool mapper_name_is_private(const char *name);	     /* with or without "_dif" */
/* Removes private leftovers of a killed agent (14.6 rules: name, uuid ending in that name, open count 0; crypt before _dif).
 * Caller holds the lock. One that cannot be removed is left and not counted: it fails closed. */
int mapper_sweep_private(const struct mapper *m, unsigned int *ret_removed, struct err **err);
/* Removes a LUKS2 mapping, and the integrity mapping below it, without reading any header (`lock`). ERR_DEVICE
 * "mapping-absent", "mapping-foreign" when its uuid is not that of a LUKS2 mapping of this name (and uuid, if given), "mapping-busy". */
int mapper_remove_volume(const struct mapper *m, const char *name, const char *uuid, struct err **err);
/* The same for what a killed activation left under this name: either of the two mappings, or none, may be there. */
int mapper_remove_unfinished(const struct mapper *m, const char *name, const char *uuid, bool *ret_removed, struct err **err);

#endif
