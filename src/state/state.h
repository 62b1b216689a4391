/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What this boot knows of itself, under /run/cryptattest (contracts.md 4, 5): the status record, the lock, the remembered refusals.
 * state/ includes base/ (and jansson through wire/json.h). Paths are relative to root_fd.
 */
#ifndef CRYPTATTEST_STATE_STATE_H
#define CRYPTATTEST_STATE_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/err.h"

#define STATE_DIR "run/cryptattest"

struct state_volume {
	char *name, *uuid, *device, *dm_uuid;
	char *phase;  /* "initrd" | "system" */
	char *state;  /* "private|open|refused|failed|absent" */
	char *source; /* "kbs", "recover", ... */
	char *vk_id, *header_id;
	char *reason_id, *reason_class, *reason_message, *reason_hint;
};

struct state {
	char *boot_id;
	char *result; /* "running|ok|failed" */
	int exit_code;
	char *cap; /* "pending|none|done|failed|off" */
	struct state_volume *volumes;
	size_t n_volumes;
};

int state_lock(int root_fd, struct deadline d, int *ret_fd, struct err **err); /* flock; ERR_BUSY after the deadline */
/* Missing, of another boot, not root-owned or not ours: an empty record, no error (with a debug line). */
int state_load(int root_fd, struct state **ret, struct err **err);
int state_save(int root_fd, const struct state *s, struct err **err); /* 0600, atomic */
struct state_volume *state_volume_get(struct state *s, const char *name, bool create); /* NULL: absent or OOM */
/* Replaces an owned string member. */
int state_set(char **member, const char *value, struct err **err);
int state_json(const struct state *s, char **ret, struct err **err);
void state_free(struct state *s);

#endif
