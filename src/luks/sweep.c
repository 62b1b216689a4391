/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Removal of mappings by name, for leftovers of a killed agent and for `lock`. Never through crypt_init_by_name(): that reads
 * the header from the host's disk again (boot-integration.md 14.6).
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/text.h"
#include "luks/mapper.h"
#include "luks/table.h"

#define DIF "_dif"

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

/* The uuid is of our kind and was given under this very name: a mapping that somebody renamed is not touched. */
static bool uuid_is_of(const char *uuid, const char *kind, const char *name)
{
	char end[192];

	snprintf(end, sizeof(end), "-%s", name);
	return text_starts(uuid, kind) && ends_with(uuid, end);
}

static bool remove_leftover(const struct mapper *m, const char *name, const char *kind)
{
	_cleanup_mapper_info_ struct mapper_info info = { 0 };
	_cleanup_err_ struct err *e = NULL;

	if (m->query(m->ctx, name, &info, &e) < 0 || !info.exists || !uuid_is_of(info.uuid, kind, name))
		return false;
	if (info.open_count > 0) {
		log_debug("%s: left by an earlier run, in use by something else", name);
		return false;
	}
	if (m->remove(m->ctx, name, &e) < 0) {
		log_debug("%s: left by an earlier run: %s", name, err_message(e));
		return false;
	}
	log_debug("%s: left by an earlier run, removed", name);
	return true;
}

int mapper_sweep_private(const struct mapper *m, unsigned int *ret_removed, struct err **err)
{
	char **names = NULL;
	unsigned int n = 0;

	if (m->list(m->ctx, &names, err) < 0)
		return -1;
	for (int inner = 0; inner < 2; inner++)
		for (char **p = names; p && *p; p++)
			if (mapper_name_is_private(*p) && ends_with(*p, DIF) == (inner == 1))
				n += remove_leftover(m, *p, inner ? "CRYPT-INTEGRITY-" : "CRYPT-LUKS2-");
	strv_free(names);
	*ret_removed = n;
	return 0;
}

static int remove_checked(const struct mapper *m, const char *name, const char *kind, const char *uuid, bool must_exist,
			  struct err **err)
{
	_cleanup_mapper_info_ struct mapper_info info = { 0 };
	char want[192], prefix[32];

	snprintf(prefix, sizeof(prefix), "CRYPT-%s-", kind);
	if (m->query(m->ctx, name, &info, err) < 0)
		return -1;
	if (!info.exists && must_exist)
		return err_set(err, ERR_DEVICE, "mapping-absent", "there is no mapping called %s", name);
	if (!info.exists)
		return 0;
	if (uuid)
		table_dm_uuid(kind, uuid, name, want, sizeof(want));
	if (uuid ? strcasecmp(info.uuid, want) != 0 : !uuid_is_of(info.uuid, prefix, name))
		return err_set(err, ERR_DEVICE, "mapping-foreign", "the mapping %s was not made by opening this LUKS2 volume", name);
	if (info.open_count > 0) {
		err_set(err, ERR_DEVICE, "mapping-busy", "the mapping %s is in use", name);
		return err_hint(err, "unmount it, or deactivate the volume group on it, first");
	}
	return m->remove(m->ctx, name, err);
}

static int remove_both(const struct mapper *m, const char *name, const char *uuid, bool must_exist, struct err **err)
{
	char inner[160];

	snprintf(inner, sizeof(inner), "%s" DIF, name);
	if (remove_checked(m, name, "LUKS2", uuid, must_exist, err) < 0)
		return -1;
	return remove_checked(m, inner, "INTEGRITY", uuid, false, err);
}

int mapper_remove_volume(const struct mapper *m, const char *name, const char *uuid, struct err **err)
{
	return remove_both(m, name, uuid, true, err);
}

static int is_there(const struct mapper *m, const char *name, bool *ret, struct err **err)
{
	_cleanup_mapper_info_ struct mapper_info info = { 0 };

	if (m->query(m->ctx, name, &info, err) < 0)
		return -1;
	*ret |= info.exists;
	return 0;
}

int mapper_remove_unfinished(const struct mapper *m, const char *name, const char *uuid, bool *ret_removed, struct err **err)
{
	char inner[160];

	*ret_removed = false;
	snprintf(inner, sizeof(inner), "%s" DIF, name);
	if (is_there(m, name, ret_removed, err) < 0 || is_there(m, inner, ret_removed, err) < 0)
		return -1;
	return remove_both(m, name, uuid, false, err);
}
