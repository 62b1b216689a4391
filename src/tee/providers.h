/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The lines of the table in tee.c. */
#ifndef CRYPTATTEST_TEE_PROVIDERS_H
#define CRYPTATTEST_TEE_PROVIDERS_H

#include "tee/tee.h"

extern const struct tee_provider tee_snp_configfs, tee_snp_ioctl, tee_tdx_configfs;

/* The CCEL event log below root_fd, cut at its padding. NULL and length 0 when there is none or it is no event log: quotes
 * are complete without it. ERR_NOMEM only. */
int tdx_event_log(int root_fd, uint8_t **ret, size_t *ret_len, struct err **err);

#endif
