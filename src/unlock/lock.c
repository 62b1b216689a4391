/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* `lock VOLUME`: deactivation of a mapping that we made. */
#include "base/cleanup.h"
#include "base/text.h"
#include "state/state.h"
#include "unlock/job.h"

#define LOCK_WAIT_MS 30000
#define LOCK_MS 60000 /* in all: device-mapper waits for udev without limit */

static int deactivate(const struct unlock_env *env, struct state *st, const char *name, bool *ret_closed, struct err **err)
{
	const struct mapper *m = env->platform->mapper;
	struct state_volume *sv = state_volume_get(st, name, false);
	struct mapper_info info = { 0 };
	bool exists, ours;

	if (m->query(m->ctx, name, &info, err) < 0)
		return -1;
	exists = info.exists;
	ours = sv && text_eq(sv->state, "open") && text_eq(sv->dm_uuid, info.uuid);
	mapper_info_clear(&info);
	if (!exists && !sv)
		return 0;
	if (exists && !ours) {
		err_set(err, ERR_INTEGRITY, "mapping-exists", "\"%s\" was not opened by cryptattest in this boot", name);
		return err_hint(err, "cryptsetup close %s", name);
	}
	/* By name: the header on the disk is host input and is not read for this (boot-integration.md 14.6). */
	if (exists && mapper_remove_volume(m, name, sv->uuid, err) < 0)
		return err_hint(err, "unmount what lies on it first");
	*ret_closed = exists;
	if (state_set(&sv->state, "absent", err) < 0)
		return -1;
	return state_save(env->root_fd, st, err);
}

int unlock_lock_volume(const struct unlock_env *env, const char *name, bool *ret_closed, struct err **err)
{
	_cleanup_close_ int lock = -1;
	struct state *st = NULL;
	int rc;

	if (state_lock(env->root_fd, deadline_in_ms(LOCK_WAIT_MS), &lock, err) < 0 || state_load(env->root_fd, &st, err) < 0)
		return -1;
	rc = deactivate(env, st, name, ret_closed, err);
	state_free(st);
	return rc;
}
