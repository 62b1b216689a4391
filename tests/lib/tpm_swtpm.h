/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The test platform's TPM: a swtpm that listens on the UNIX socket whose path is the content of the file dev/tpm-swtpm below the
 * root directory. No such file: a machine without a TPM.
 */
#ifndef CRYPTATTEST_TESTS_TPM_SWTPM_H
#define CRYPTATTEST_TESTS_TPM_SWTPM_H

#include "vtpm/tpm.h"

extern const struct tpm_access tpm_access_swtpm;

/* ERR_TPM "tpm-io" when nobody listens there. */
int tpm_swtpm_connect(const char *path, void **ret_tcti, struct err **err);
void tpm_swtpm_close(void *tcti);

#endif
