/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The real TPM, behind the kernel's resource manager, which forgets our objects and sessions when the descriptor is closed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <tss2/tss2_tcti_device.h>

#include "base/cleanup.h"
#include "vtpm/tpm.h"

#define DEVICE "dev/tpmrm0"

static bool device_present(const struct tpm_access *self, int root_fd)
{
	struct stat st;

	return fstatat(root_fd, DEVICE, &st, 0) == 0 && S_ISCHR(st.st_mode);
}

static int absent(const struct tpm_access *self, int root_fd, struct err **err)
{
	struct stat st;

	err_set(err, ERR_TPM, "tpm-absent", "there is no TPM: no %s", self->name);
	if (fstatat(root_fd, "dev/tpm0", &st, 0) == 0)
		return err_hint(err, "/dev/tpm0 is there: the kernel gives a resource manager to TPM 2.0 alone");
	return err_hint(err, "if the machine has one, the driver (tpm_crb, tpm_tis) is missing in the initramfs or not loaded yet");
}

static int device_open(const struct tpm_access *self, int root_fd, void **ret_tcti, struct err **err)
{
	_cleanup_free_ TSS2_TCTI_CONTEXT *tcti = NULL;
	char path[64];
	size_t size = 0;
	TSS2_RC rc;

	if (!device_present(self, root_fd))
		return absent(self, root_fd, err);
	snprintf(path, sizeof(path), "/proc/self/fd/%d/" DEVICE, root_fd);
	if (access(path, R_OK | W_OK) < 0)
		return err_set_errno(err, ERR_TPM, errno == ENOENT ? "tpm-absent" : "tpm-io", errno, "cannot open %s", self->name);
	rc = Tss2_Tcti_Device_Init(NULL, &size, NULL);
	if (rc != TSS2_RC_SUCCESS)
		return err_set(err, ERR_INTERNAL, "tcti", "the TPM device library does not start (0x%x)", rc);
	tcti = calloc(1, size);
	if (!tcti)
		return err_nomem(err);
	rc = Tss2_Tcti_Device_Init(tcti, &size, path);
	if (rc != TSS2_RC_SUCCESS)
		return err_set(err, ERR_TPM, "tpm-io", "%s does not answer (0x%x)", self->name, rc);
	*ret_tcti = TAKE_PTR(tcti);
	return 0;
}

static void device_close(void *tcti)
{
	if (tcti)
		Tss2_Tcti_Finalize((TSS2_TCTI_CONTEXT *)tcti);
	free(tcti);
}

const struct tpm_access tpm_access_device = {
	.name = "/" DEVICE,
	.open = device_open,
	.close = device_close,
	.present = device_present,
};
