/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * A transport of its own and not libtss2-tcti-swtpm: that one has nothing to poll, so that nobody could bound the wait for a swtpm that
 * was stopped. A connection per command, as there: several clients take turns.
 */
#include "tests/lib/tpm_swtpm.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "vtpm/tcti_impl.h"

#define PATH_FILE "dev/tpm-swtpm"
#define HEADER 10

struct swtpm_wire {
	TSS2_TCTI_CONTEXT_COMMON_V1 common; /* first: what libtss2 sees */
	struct sockaddr_un to;
	int fd; /* -1 between an answer and the next command */
};

static int dial(const struct sockaddr_un *to)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void hang_up(struct swtpm_wire *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

static TSS2_RC transmit(TSS2_TCTI_CONTEXT *ctx, size_t size, const uint8_t *command)
{
	struct swtpm_wire *w = (struct swtpm_wire *)ctx;

	hang_up(w);
	w->fd = dial(&w->to);
	return w->fd >= 0 && send(w->fd, command, size, MSG_NOSIGNAL) == (ssize_t)size ? TSS2_RC_SUCCESS : TSS2_TCTI_RC_IO_ERROR;
}

static bool read_exactly(int fd, uint8_t *out, size_t n)
{
	while (n > 0) {
		ssize_t got = recv(fd, out, n, 0);

		if (got <= 0)
			return false;
		out += got;
		n -= (size_t)got;
	}
	return true;
}

static TSS2_RC receive(TSS2_TCTI_CONTEXT *ctx, size_t *size, uint8_t *response, int32_t timeout)
{
	struct swtpm_wire *w = (struct swtpm_wire *)ctx;
	struct pollfd p = { .fd = w->fd, .events = POLLIN };
	size_t len;

	if (!response) {
		*size = 4096;
		return TSS2_RC_SUCCESS;
	}
	if (w->fd < 0)
		return TSS2_TCTI_RC_BAD_SEQUENCE;
	if (poll(&p, 1, timeout) == 0)
		return TSS2_TCTI_RC_TRY_AGAIN;
	if (*size < HEADER || !read_exactly(w->fd, response, HEADER))
		return TSS2_TCTI_RC_IO_ERROR;
	len = (size_t)response[2] << 24 | (size_t)response[3] << 16 | (size_t)response[4] << 8 | response[5];
	if (len < HEADER || len > *size || !read_exactly(w->fd, response + HEADER, len - HEADER))
		return TSS2_TCTI_RC_IO_ERROR;
	*size = len;
	hang_up(w);
	return TSS2_RC_SUCCESS;
}

static TSS2_RC poll_handles(TSS2_TCTI_CONTEXT *ctx, TSS2_TCTI_POLL_HANDLE *handles, size_t *count)
{
	return tcti_one_handle(((struct swtpm_wire *)ctx)->fd, handles, count);
}

static void finalize(TSS2_TCTI_CONTEXT *ctx)
{
	hang_up((struct swtpm_wire *)ctx);
}

int tpm_swtpm_connect(const char *path, void **ret_tcti, struct err **err)
{
	_cleanup_free_ struct swtpm_wire *w = calloc(1, sizeof(*w));
	_cleanup_close_ int probe = -1;

	if (!w)
		return err_nomem(err);
	if (strlen(path) >= sizeof(w->to.sun_path))
		return err_set(err, ERR_TPM, "tpm-io", "%s is too long for a socket", path);
	*w = (struct swtpm_wire){
		.common = TCTI_HEAD(0x737774706d746573, tcti_no_cancel, tcti_locality_0),
		.to = { .sun_family = AF_UNIX },
		.fd = -1,
	};
	strcpy(w->to.sun_path, path);
	probe = dial(&w->to);
	if (probe < 0)
		return err_set(err, ERR_TPM, "tpm-io", "no swtpm answers at %s", path);
	*ret_tcti = TAKE_PTR(w);
	return 0;
}

void tpm_swtpm_close(void *tcti)
{
	if (tcti)
		hang_up(tcti);
	free(tcti);
}

static bool swtpm_present(const struct tpm_access *self, int root_fd)
{
	return faccessat(root_fd, PATH_FILE, F_OK, 0) == 0;
}

static int swtpm_open(const struct tpm_access *self, int root_fd, void **ret_tcti, struct err **err)
{
	_cleanup_free_ char *path = NULL;
	size_t len = 0;

	if (!swtpm_present(self, root_fd))
		return err_set(err, ERR_TPM, "tpm-absent", "there is no TPM: no /" PATH_FILE);
	if (file_read(root_fd, PATH_FILE, PATH_MAX - 1, ERR_TPM, &path, &len, err) < 0)
		return -1;
	path[strcspn(path, "\n")] = 0;
	return tpm_swtpm_connect(path, ret_tcti, err);
}

const struct tpm_access tpm_access_swtpm = {
	.name = "/" PATH_FILE,
	.open = swtpm_open,
	.close = tpm_swtpm_close,
	.present = swtpm_present,
};
