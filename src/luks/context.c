/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "luks/context.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

static void log_callback(int level, const char *msg, void *usrptr)
{
	size_t len = strcspn(msg, "\n");

	/* Never louder: the engine reports, and its text says what to do. */
	log_debug("libcryptsetup: %.*s", (int)(len > 256 ? 256 : len), msg);
}

static void set_up_library(void)
{
	crypt_set_log_callback(NULL, log_callback, NULL);
	crypt_token_external_disable();
}

int context_open(const struct luks_header *h, const char *data_path, struct crypt_device **ret, struct err **err)
{
	_cleanup_context_ struct crypt_device *cd = NULL;
	char path[40];
	int r;

	set_up_library();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", h->memfd);
	r = crypt_init_data_device(&cd, path, data_path);
	if (r < 0)
		return err_set_errno(err, ERR_INTERNAL, "libcryptsetup", -r, "cannot use the header copy");
	r = crypt_load(cd, CRYPT_LUKS2, NULL);
	if (r == -EINVAL || r == -ENOTSUP)
		return err_set_errno(err, ERR_INTEGRITY, "H13", -r, "H13: libcryptsetup does not take the header");
	if (r < 0)
		return err_set_errno(err, ERR_INTERNAL, "libcryptsetup", -r, "cannot load the header copy");
	*ret = cd;
	cd = NULL;
	return 0;
}

void context_freep(struct crypt_device **cd)
{
	if (*cd)
		crypt_free(*cd);
	*cd = NULL;
}
