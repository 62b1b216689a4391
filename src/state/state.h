/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What this boot knows of itself, under /run/cryptattest (contracts.md 4, 5): the status record, the lock, the remembered refusals
 * (a volume in state "refused"). state/ includes base/ (and jansson through wire/json.h). Paths are relative to root_fd.
 *
 * A record is ours when directory and file belong to root (or to the user we run as, for tests), nobody else can write to them,
 * and it names this boot.
 * Failures other than those named are ERR_INTERNAL: a /run that cannot be written is a broken system.
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
	char *source; /* "kbs", "vtpm", "kbs+vtpm", "recover", ... */
	char *vk_id, *header_id;
	char *sealed; /* re-sealing at boot: "current", "resealed", "not resealed: WHY"; NULL: not this time */
	char *reason_id, *reason_class, *reason_message, *reason_hint;
};

struct state {
	char *boot_id;
	char *result; /* "running|ok|failed" */
	int exit_code;
	char *cap; /* "pending|none|absent|done|unproven|failed|off"; absent: none, where the configuration counts on a TPM; unproven: nothing showed that the TPM which was capped is this machine's */
	/* The event that the last cap of this boot measures, noted before that; and the word of the second one, once that is in the register too:
	 * "unknown" when the register has moved on since, NULL as long as it is missing. */
	char *cap_event, *cap_outcome;
	struct state_volume *volumes;
	size_t n_volumes;
};

/* flock on STATE_DIR/lock, released by closing *ret_fd. ERR_BUSY after the deadline, ERR_TIMEOUT when cancelled. */
int state_lock(int root_fd, struct deadline d, int *ret_fd, struct err **err);
/* Missing, of another boot, not root-owned or not ours: an empty record (result and cap NULL, exit 0), no error, with a debug
 * line. */
int state_load(int root_fd, struct state **ret, struct err **err);
int state_save(int root_fd, const struct state *s, struct err **err); /* 0600, atomic */
/* Another file beside the record, by its plain name: written as the record is; read only when it is ours as the record must be, else
 * ERR_INTEGRITY "state-file", and ERR_NOTHING "state-file" when it is not there. */
#define STATE_OTHER_MAX (256 * 1024)
int state_file_write(int root_fd, const char *name, const char *text, size_t len, struct err **err);
int state_file_read(int root_fd, const char *name, char **ret, size_t *ret_len, struct err **err); /* caller frees */
/* NULL: absent or OOM. The pointer is good until the next call that creates one. */
struct state_volume *state_volume_get(struct state *s, const char *name, bool create);
/* Replaces an owned string member; value may be NULL. */
int state_set(char **member, const char *value, struct err **err);
/* contracts.md 5; what is not known is null. */
int state_json(const struct state *s, char **ret, struct err **err);
void state_free(struct state *s); /* takes NULL */

#endif
