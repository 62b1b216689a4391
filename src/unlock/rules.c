/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"

#define SIGNATURE_FILE_MAX (256 * 1024)
#define EFIVARS "sys/firmware/efi/efivars"
#define SECURE_BOOT "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define SECURE_BOOT_LEN 5 /* attributes, then the value */
#define PCR_LOADER 4

/* They prove themselves by the signer's key, so it does not matter who put them there (tpm-sealing.md 5.2). */
static int load_signatures(const char *const *paths, int root_fd, struct rules *r, struct err **err)
{
	size_t n = 0;

	for (; *paths && n < RULES_SIGNATURES_MAX; paths++) {
		_cleanup_err_ struct err *e = NULL;
		char *text = NULL;
		size_t len = 0;

		if (file_read(root_fd, *paths + strspn(*paths, "/"), SIGNATURE_FILE_MAX, ERR_TPM, &text, &len, &e) == 0) {
			r->texts[n++] = text;
			continue;
		}
		if (err_errno(e) != ENOENT && err_errno(e) != ENOTDIR)
			return err_set(err, ERR_TPM, "pcr-signature", "%s", err_message(e));
	}
	r->vtpm.signatures = (const char *const *)r->texts;
	return 0;
}

enum pcr_bank rules_bank(const struct config *c)
{
	static const enum pcr_bank banks[] = { [CONF_BANK_SHA256] = PCR_SHA256, [CONF_BANK_SHA384] = PCR_SHA384, [CONF_BANK_SHA1] = PCR_SHA1 };

	return banks[c->vtpm.bank];
}

int rules_load(const struct config *c, int root_fd, bool pin, struct rules *ret, struct err **err)
{
	const struct config_vtpm *t = &c->vtpm;

	*ret = (struct rules){ .vtpm = { .bank = rules_bank(c),
					 .pcrs = t->pcrs,
					 .cap_pcr = (unsigned int)t->cap_pcr,
					 .signer_pem = t->signer_pem,
					 .signed_pcrs = t->signer_pem ? t->signed_pcrs : 0,
					 .version_index = t->version_index,
					 .pin_index = t->pin_index,
					 .offline_index = t->offline_index,
					 .offline_boots = t->offline_boots,
					 .pin = pin,
					 .insecure = t->insecure_pcrs } };
	if (!t->signer_pem || load_signatures(config_pcr_signatures(c), root_fd, ret, err) == 0)
		return 0;
	rules_clear(ret);
	return -1;
}

void rules_clear(struct rules *r)
{
	for (size_t i = 0; i < RULES_SIGNATURES_MAX; i++)
		free(r->texts[i]);
	*r = (struct rules){ 0 };
}

enum secure_boot { SECURE_BOOT_UNKNOWN, SECURE_BOOT_OFF, SECURE_BOOT_ON };

/* An initramfs does not mount the variables, and not every system does: a mount of our own, which nobody else sees. Where they are mounted, or
 * what lies below our root is no sysfs of a kernel, there is nothing to mount. */
static int mount_variables(int root_fd)
{
	_cleanup_close_ int at = openat(root_fd, EFIVARS, O_PATH | O_DIRECTORY | O_CLOEXEC), fs = -1;
	struct statfs st;

	if (at < 0 || fstatfs(at, &st) < 0 || st.f_type != SYSFS_MAGIC)
		return -1;
	fs = fsopen("efivarfs", FSOPEN_CLOEXEC);
	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

static enum secure_boot secure_boot_of(int dir, const char *path)
{
	_cleanup_free_ char *value = NULL;
	size_t len;

	if (file_read(dir, path, SECURE_BOOT_LEN, ERR_CONFIG, &value, &len, NULL) < 0 || len != SECURE_BOOT_LEN)
		return SECURE_BOOT_UNKNOWN;
	return value[SECURE_BOOT_LEN - 1] == 1 ? SECURE_BOOT_ON : SECURE_BOOT_OFF;
}

static enum secure_boot secure_boot(int root_fd)
{
	enum secure_boot is = secure_boot_of(root_fd, EFIVARS "/" SECURE_BOOT);
	_cleanup_close_ int mounted = -1;

	if (is != SECURE_BOOT_UNKNOWN)
		return is;
	mounted = mount_variables(root_fd);
	return mounted < 0 ? is : secure_boot_of(mounted, SECURE_BOOT);
}

/* With Secure Boot off PCR 7 is the same whatever loader runs, and that loader extends the later registers as it likes. */
int rules_check_loader(const struct config *c, int root_fd, struct err **err)
{
	const struct config_vtpm *t = &c->vtpm;

	if (c->profile != PROFILE_CVM || t->insecure_pcrs || (t->pcrs | (t->signer_pem ? t->signed_pcrs : 0)) >> PCR_LOADER & 1)
		return 0;
	switch (secure_boot(root_fd)) {
	case SECURE_BOOT_ON:
		return 0;
	case SECURE_BOOT_OFF:
		err_set(err, ERR_CONFIG, "secure-boot-off",
			"Secure Boot is off: PCR 7 does not say what boot loader runs, and PCR %d is not in the list", PCR_LOADER);
		return err_hint(err, "switch Secure Boot on, or add 4 to pcrs; insecure-pcrs = yes accepts the list as it is");
	case SECURE_BOOT_UNKNOWN:
		break;
	}
	err_set(err, ERR_CONFIG, "secure-boot-unknown",
		"whether Secure Boot is on cannot be seen (no EFI variables): then PCR 7 does not say what boot loader runs, and PCR %d is not in the list",
		PCR_LOADER);
	return err_hint(err, "load the module efivarfs if this is an EFI machine, or add 4 to pcrs; insecure-pcrs = yes accepts the list as it is");
}
