/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The real TPM, behind the kernel's resource manager, which forgets our objects and sessions when the descriptor is closed.
 *
 * A transport of our own and not libtss2-tcti-device: that one spends a GetRandom at each opening to learn how reads behave, gives up
 * when its answer takes a second, leaves the descriptor open across exec, and takes a path where we have a directory descriptor. In
 * the kernel a command is one write, an answer one read (drivers/char/tpm, tpm-dev-common.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vtpm/tcti_impl.h"
#include "vtpm/tpm.h"

#define DEVICE "dev/tpmrm0"
#define RESPONSE_MAX 4096 /* TPM_BUFSIZE */

struct device {
	TSS2_TCTI_CONTEXT_COMMON_V1 common; /* first: what libtss2 sees */
	int fd;
};

static TSS2_RC transmit(TSS2_TCTI_CONTEXT *ctx, size_t size, const uint8_t *command)
{
	struct device *d = (struct device *)ctx;
	ssize_t n;

	do
		n = write(d->fd, command, size);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)size ? TSS2_RC_SUCCESS : TSS2_TCTI_RC_IO_ERROR;
}

static TSS2_RC wait_for_answer(struct device *d, int32_t timeout)
{
	struct pollfd p = { .fd = d->fd, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, timeout);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return TSS2_TCTI_RC_TRY_AGAIN;
	return n > 0 && (p.revents & POLLIN) ? TSS2_RC_SUCCESS : TSS2_TCTI_RC_IO_ERROR;
}

static TSS2_RC receive(TSS2_TCTI_CONTEXT *ctx, size_t *size, uint8_t *response, int32_t timeout)
{
	struct device *d = (struct device *)ctx;
	uint8_t answer[RESPONSE_MAX];
	ssize_t n;
	TSS2_RC rc;

	if (!response) {
		*size = RESPONSE_MAX;
		return TSS2_RC_SUCCESS;
	}
	rc = wait_for_answer(d, timeout);
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	do
		n = read(d->fd, answer, sizeof(answer));
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return TSS2_TCTI_RC_IO_ERROR;
	rc = (size_t)n > *size ? TSS2_TCTI_RC_INSUFFICIENT_BUFFER : TSS2_RC_SUCCESS;
	if (rc == TSS2_RC_SUCCESS)
		memcpy(response, answer, (size_t)n);
	*size = (size_t)n;
	explicit_bzero(answer, sizeof(answer));
	return rc;
}

static TSS2_RC poll_handles(TSS2_TCTI_CONTEXT *ctx, TSS2_TCTI_POLL_HANDLE *handles, size_t *count)
{
	return tcti_one_handle(((struct device *)ctx)->fd, handles, count);
}

static void finalize(TSS2_TCTI_CONTEXT *ctx)
{
	struct device *d = (struct device *)ctx;

	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

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
	_cleanup_free_ struct device *d = NULL;

	if (!device_present(self, root_fd))
		return absent(self, root_fd, err);
	d = calloc(1, sizeof(*d));
	if (!d)
		return err_nomem(err);
	d->common = (TSS2_TCTI_CONTEXT_COMMON_V1)TCTI_HEAD(0x6372797074617474, tcti_no_cancel, tcti_locality_0);
	/* Without blocking: the kernel works on the command while we wait in poll(2), where a deadline can end it. */
	d->fd = openat(root_fd, DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (d->fd < 0)
		return err_set_errno(err, ERR_TPM, errno == ENOENT || errno == ENODEV ? "tpm-absent" : "tpm-io", errno, "cannot open %s",
				     self->name);
	*ret_tcti = TAKE_PTR(d);
	return 0;
}

static void device_close(void *tcti)
{
	if (tcti)
		finalize(tcti);
	free(tcti);
}

const struct tpm_access tpm_access_device = {
	.name = "/" DEVICE,
	.open = device_open,
	.close = device_close,
	.present = device_present,
};
