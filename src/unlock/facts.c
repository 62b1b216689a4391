/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What this machine was told at launch: init-data text, identifiers for templates; and where we run. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/text.h"
#include "unlock/job.h"
#include "wire/init_data.h"

#define INIT_DATA_MAX (256 * 1024)

/* All three are host input; what may follow from their content is limited by C1. */
static const char *const init_data_paths[] = {
	"run/cryptattest/init-data.toml",
	"etc/cryptattest/init-data.toml",
	"sys/firmware/qemu_fw_cfg/by_name/opt/org.cryptattest/init-data/raw",
	NULL,
};

int facts_init_data_text(const struct unlock_env *env, char **ret_text, struct err **err)
{
	for (const char *const *p = init_data_paths; *p; p++) {
		_cleanup_err_ struct err *e = NULL;
		char *text = NULL;
		size_t len;

		if (file_read(env->root_fd, *p, INIT_DATA_MAX, ERR_INTEGRITY, &text, &len, &e) == 0) {
			if (strlen(text) != len) {
				free(text);
				return err_set(err, ERR_INTEGRITY, "init-data", "/%s holds a NUL byte", *p);
			}
			*ret_text = text;
			return 0;
		}
		if (err_errno(e) != ENOENT && err_errno(e) != ENOTDIR)
			return err_propagate(err, TAKE_PTR(e));
	}
	*ret_text = NULL;
	return 0;
}

static const char *get_init_data(void *ctx, const char *key)
{
	return init_data_get(ctx, key);
}

int facts_expand_path(const struct unlock_env *env, const struct job *job, const struct init_data *id, char **ret,
		      struct err **err)
{
	_cleanup_free_ char *smbios = NULL;
	struct config_facts f = { .luks_uuid = job->header.uuid,
				  .init_data = id ? get_init_data : NULL,
				  .init_data_ctx = (void *)id };
	size_t len = 0;

	if (config_path_uses(job->conf, "smbios.")) {
		if (file_read(env->root_fd, "sys/class/dmi/id/product_uuid", 64, ERR_CONFIG, &smbios, &len, err) < 0)
			return -1;
		while (len && strchr("\n ", smbios[len - 1]))
			smbios[--len] = 0;
		for (char *p = smbios; *p; p++)
			if (*p >= 'A' && *p <= 'Z')
				*p += 'a' - 'A';
		f.smbios_uuid = smbios;
	}
	return config_expand_path(job->conf, &f, ret, err);
}

bool facts_in_initrd(const struct unlock_env *env)
{
	struct statfs fs;

	/* dracut and systemd say so with this file; initramfs-tools is known by its root being the initramfs itself. */
	if (faccessat(env->root_fd, "etc/initrd-release", F_OK, 0) == 0)
		return true;
	/* A system may run from a tmpfs as well, but only an initramfs has what the kernel starts first. */
	if (faccessat(env->root_fd, "init", F_OK, AT_SYMLINK_NOFOLLOW) < 0 || fstatfs(env->root_fd, &fs) < 0)
		return false;
	return fs.f_type == (__typeof__(fs.f_type))RAMFS_MAGIC || fs.f_type == (__typeof__(fs.f_type))TMPFS_MAGIC;
}
