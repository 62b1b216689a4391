/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The production mapper: libcryptsetup to activate, libdevmapper to look and to remove. */
#include <errno.h>
#include <libcryptsetup.h>
#include <libdevmapper.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "luks/mapper.h"

#define TARGETS_MAX 16

__attribute__((format(printf, 5, 6))) static void log_callback(int level, const char *file, int line, int dm_errno,
							       const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_debug("libdevmapper: %s", text);
}

static void task_freep(struct dm_task **t)
{
	if (*t)
		dm_task_destroy(*t);
	*t = NULL;
	dm_lib_release(); /* closes the control device */
}
#define _cleanup_task_ __attribute__((cleanup(task_freep)))

static int no_mapper(struct err **err, const char *what, int errnum)
{
	err_set_errno(err, ERR_DEVICE, "device-mapper", errnum ? errnum : ENODEV, "device-mapper: %s", what);
	return err_hint(err, "needs root and the kernel modules dm_mod and dm_crypt (and dm_integrity for volumes with integrity)");
}

static struct dm_task *task_new(int type, const char *name)
{
	struct dm_task *t;

	/* libcryptsetup resets the callback whenever it is done. */
	dm_log_with_errno_init(log_callback);
	t = dm_task_create(type);
	if (t && name && !dm_task_set_name(t, name)) {
		dm_task_destroy(t);
		t = NULL;
	}
	return t;
}

static int dm_activate(void *ctx, struct crypt_device *cd, const char *name, const struct secret *key, uint32_t flags,
		       struct err **err)
{
	struct stat st;
	int r;

	/* libcryptsetup would put a loop device in between: not the device that K6 expects. */
	if (stat(crypt_get_device_name(cd), &st) < 0 || !S_ISBLK(st.st_mode))
		return err_set(err, ERR_DEVICE, "activation-failed", "only a block device can be mapped");
	r = crypt_activate_by_volume_key(cd, name, (const char *)secret_cdata(key), secret_len(key), flags);
	if (r >= 0)
		return 0;
	if (r == -EEXIST)
		return err_set(err, ERR_DEVICE, "name-taken", "a mapping called %s exists already", name);
	if (r == -EPERM)
		return err_set(err, ERR_INTEGRITY, "K3", "K3: the volume key does not match the digest of the header");
	err_set_errno(err, ERR_DEVICE, "activation-failed", -r, "cannot map the volume as %s", name);
	if (r == -EBUSY)
		return err_hint(err, "something else uses the device: `dmsetup ls --tree` shows what");
	return err_hint(err, "the kernel needs dm_crypt, xts and aes (and dm_integrity, authenc, hmac, sha256 for integrity)");
}

static int dm_deactivate(void *ctx, struct crypt_device *cd, const char *name, struct err **err)
{
	int r = crypt_deactivate(cd, name);

	if (r >= 0)
		return 0;
	return err_set_errno(err, ERR_DEVICE, r == -EBUSY ? "mapping-busy" : "deactivation-failed", -r, "cannot unmap %s", name);
}

static int add_target(struct mapper_info *i, const char *type, uint64_t start, uint64_t length, const char *params,
		      struct err **err)
{
	struct mapper_target *t = realloc(i->targets, (i->n_targets + 1) * sizeof(*t));

	if (!t)
		return err_nomem(err);
	i->targets = t;
	t += i->n_targets;
	*t = (struct mapper_target){ .start = start, .length = length, .params = text_dup(params ? params : "") };
	if (!t->params)
		return err_nomem(err);
	snprintf(t->type, sizeof(t->type), "%s", type ? type : "");
	i->n_targets++;
	return 0;
}

static int read_table(const char *name, struct mapper_info *i, struct err **err)
{
	_cleanup_task_ struct dm_task *t = task_new(DM_DEVICE_TABLE, name);
	uint64_t start, length;
	char *type, *params;
	void *next = NULL;

	if (!t)
		return no_mapper(err, "device-mapper does not answer", ENODEV);
	/* The text may hold the key: the ioctl buffers are wiped. */
	if (!dm_task_secure_data(t) || !dm_task_no_open_count(t) || !dm_task_run(t))
		return no_mapper(err, "cannot read the table", dm_task_get_errno(t));
	do {
		next = dm_get_next_target(t, next, &start, &length, &type, &params);
		if (!type || i->n_targets == TARGETS_MAX)
			break;
		if (add_target(i, type, start, length, params, err) < 0)
			return -1;
	} while (next);
	return 0;
}

static int dm_query(void *ctx, const char *name, struct mapper_info *ret, struct err **err)
{
	_cleanup_mapper_info_ struct mapper_info i = { 0 };
	_cleanup_task_ struct dm_task *t = task_new(DM_DEVICE_INFO, name);
	const char *uuid;
	struct dm_info info;

	if (!t)
		return no_mapper(err, "device-mapper does not answer", ENODEV);
	if (!dm_task_run(t) || !dm_task_get_info(t, &info))
		return no_mapper(err, "cannot look up a mapping", dm_task_get_errno(t));
	if (info.exists) {
		i.exists = true;
		i.read_only = info.read_only != 0;
		i.open_count = (unsigned int)info.open_count;
		i.dev = makedev(info.major, info.minor);
		uuid = dm_task_get_uuid(t);
		snprintf(i.uuid, sizeof(i.uuid), "%s", uuid ? uuid : "");
		if (read_table(name, &i, err) < 0)
			return -1;
	}
	*ret = i;
	i = (struct mapper_info){ 0 };
	return 0;
}

static int dm_list(void *ctx, char ***ret, struct err **err)
{
	_cleanup_task_ struct dm_task *t = task_new(DM_DEVICE_LIST, NULL);
	struct dm_names *n;
	char **list = NULL;
	bool failed = false;
	unsigned int next;

	if (!t)
		return no_mapper(err, "device-mapper does not answer", ENODEV);
	if (!dm_task_run(t) || !(n = dm_task_get_names(t)))
		return no_mapper(err, "cannot list the mappings", dm_task_get_errno(t));
	for (; n->dev; n = (void *)((char *)n + next)) {
		list = strv_append(list, n->name, &failed);
		next = n->next;
		if (!next || failed)
			break;
	}
	if (failed) {
		strv_free(list);
		return err_nomem(err);
	}
	*ret = list;
	return 0;
}

static int dm_remove(void *ctx, const char *name, struct err **err)
{
	_cleanup_task_ struct dm_task *t = task_new(DM_DEVICE_REMOVE, name);
	uint32_t cookie = 0;
	int done, errnum;

	if (!t)
		return no_mapper(err, "device-mapper does not answer", ENODEV);
	if (!dm_task_retry_remove(t) || !dm_task_set_cookie(t, &cookie, 0))
		return no_mapper(err, "cannot prepare a removal", dm_task_get_errno(t));
	done = dm_task_run(t);
	errnum = done ? 0 : dm_task_get_errno(t);
	dm_udev_wait(cookie);
	if (done)
		return 0;
	if (errnum == EBUSY)
		return err_set(err, ERR_DEVICE, "mapping-busy", "the mapping %s is in use", name);
	return no_mapper(err, "cannot remove a mapping", errnum);
}

static void dm_forget_udev(void *ctx)
{
	dm_udev_set_sync_support(0);
}

const struct mapper mapper_dm = {
	.name = "device-mapper",
	.activate = dm_activate,
	.deactivate = dm_deactivate,
	.query = dm_query,
	.list = dm_list,
	.remove = dm_remove,
	.forget_udev = dm_forget_udev,
};
