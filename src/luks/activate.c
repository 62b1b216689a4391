/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* K5 and K6: activation with our flags only, and the kernel's table read back before anybody may use it. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "luks/table.h"
#include "luks/volume_impl.h"

#define INNER_MAX 160

static void inner_name(const char *name, char *out, size_t cap)
{
	snprintf(out, cap, "%s_dif", name);
}

static int check_free(const struct mapper *m, const char *name, struct err **err)
{
	_cleanup_mapper_info_ struct mapper_info info = { 0 };

	if (m->query(m->ctx, name, &info, err) < 0)
		return -1;
	if (!info.exists)
		return 0;
	err_set(err, ERR_DEVICE, "name-taken", "a mapping called %s exists already", name);
	return err_hint(err, "we did not make it; remove it with `dmsetup remove %s` if you know what it is", name);
}

/* The integrity mapping below; its device is what the crypt mapping must stand on. */
static int check_inner(const struct mapper *m, const struct table_expect *e, struct mapper_info *ret, struct err **err)
{
	char name[INNER_MAX];

	inner_name(e->name, name, sizeof(name));
	if (m->query(m->ctx, name, ret, err) < 0)
		return -1;
	return table_check_integrity(ret, e, err);
}

static int check_mapping(const struct mapper *m, const struct table_expect *e, struct err **err)
{
	_cleanup_mapper_info_ struct mapper_info info = { 0 }, inner = { 0 };

	if (m->query(m->ctx, e->name, &info, err) < 0)
		return -1;
	if (!info.exists)
		return err_set(err, ERR_DEVICE, "mapping-absent", "there is no mapping called %s", e->name);
	if (e->integrity && check_inner(m, e, &inner, err) < 0)
		return -1;
	if (table_check_crypt(&info, e, inner.dev, err) < 0)
		return -1;
	return e->integrity ? table_check_lengths(&info, &inner, err) : 0;
}

static struct table_expect expectation(const struct luks_volume *v, const char *name)
{
	return (struct table_expect){ .name = name,
				      .uuid = v->h->uuid,
				      .digest = v->digest,
				      .rdev = v->dev->rdev,
				      .device_size = v->dev->size,
				      .data_offset = v->h->data_offset,
				      .sector_size = v->sector_size,
				      .key_size = v->key_size,
				      .integrity = v->integrity,
				      .read_only = -1 };
}

/* What K6 refused must not stay mapped under any name. */
static void take_back(const struct luks_volume *v, const struct mapper *m, const char *name, struct err **err)
{
	_cleanup_err_ struct err *e1 = NULL, *e2 = NULL;

	if (m->deactivate(m->ctx, v->cd, name, &e1) == 0)
		return;
	log_debug("%s: deactivate: %s", name, err_message(e1));
	if (mapper_remove_volume(m, name, v->h->uuid, &e2) < 0 && !(e2 && strcmp(err_id(e2), "mapping-absent") == 0))
		err_wrap(err, "%s could not be removed again (%s)", name, err_message(e2));
}

static uint32_t activation_flags(const struct luks_activation *a)
{
	uint32_t flags = CRYPT_ACTIVATE_IGNORE_PERSISTENT; /* K5, A11 */

	if (a->private_name)
		flags |= CRYPT_ACTIVATE_PRIVATE;
	if (a->discard)
		flags |= CRYPT_ACTIVATE_ALLOW_DISCARDS;
	if (a->read_only)
		flags |= CRYPT_ACTIVATE_READONLY;
	return flags;
}

int luks_volume_activate(struct luks_volume *v, const struct mapper *m, const struct secret *key,
			 const struct luks_activation *a, struct err **err)
{
	struct table_expect e = expectation(v, a->name);
	char inner[INNER_MAX];

	e.discard = a->discard;
	e.read_only = a->read_only;
	e.key = key;
	if (a->discard && v->integrity)
		return err_set(err, ERR_CONFIG, "K5", "K5: discard is not possible on a volume with integrity");
	inner_name(a->name, inner, sizeof(inner));
	if (device_recheck(v->dev, err) < 0 || check_free(m, a->name, err) < 0)
		return -1;
	if (v->integrity && check_free(m, inner, err) < 0)
		return -1;
	if (m->activate(m->ctx, v->cd, a->name, key, activation_flags(a), err) < 0)
		return -1;
	if (device_recheck(v->dev, err) < 0 || check_mapping(m, &e, err) < 0) {
		take_back(v, m, a->name, err);
		return -1;
	}
	return 0;
}

int luks_volume_check_table(struct luks_volume *v, const struct mapper *m, const char *name, bool discard, struct err **err)
{
	struct table_expect e = expectation(v, name);

	e.discard = discard;
	return check_mapping(m, &e, err);
}

int luks_volume_deactivate(struct luks_volume *v, const struct mapper *m, const char *name, struct err **err)
{
	return m->deactivate(m->ctx, v->cd, name, err);
}
