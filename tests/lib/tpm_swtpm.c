/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/lib/tpm_swtpm.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_tcti_swtpm.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fileio.h"

#define PATH_FILE "dev/tpm-swtpm"
#define CONNECT_TRIES 20
#define CONNECT_PAUSE_MS 10

int tpm_swtpm_connect(const char *path, void **ret_tcti, struct err **err)
{
	_cleanup_free_ TSS2_TCTI_CONTEXT *tcti = NULL;
	char conf[PATH_MAX + 8];
	size_t size = 0;
	TSS2_RC rc;

	setenv("TSS2_LOG", "all+none", 0);
	snprintf(conf, sizeof(conf), "path=%s", path);
	rc = Tss2_Tcti_Swtpm_Init(NULL, &size, NULL);
	if (rc == TSS2_RC_SUCCESS)
		tcti = calloc(1, size);
	if (!tcti)
		return err_nomem(err);
	/* swtpm serves one connection at a time, and drops one that comes while it is still closing the last. */
	for (int tries = 0; (rc = Tss2_Tcti_Swtpm_Init(tcti, &size, conf)) != TSS2_RC_SUCCESS && tries < CONNECT_TRIES; tries++)
		clock_sleep_ms(CONNECT_PAUSE_MS, deadline_in_ms(0));
	if (rc != TSS2_RC_SUCCESS)
		return err_set(err, ERR_TPM, "tpm-io", "no swtpm answers at %s (0x%x)", path, rc);
	*ret_tcti = TAKE_PTR(tcti);
	return 0;
}

void tpm_swtpm_close(void *tcti)
{
	if (tcti)
		Tss2_Tcti_Finalize((TSS2_TCTI_CONTEXT *)tcti);
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
