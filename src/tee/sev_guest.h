/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * /dev/sev-guest, the interface of kernels 5.19 to 6.6 (tee-evidence.md 2.2): the transport of snp-ioctl.
 *
 * One well-formed SNP_GET_EXT_REPORT with room for the largest certificate table (16 KiB). A host whose table needs more
 * answers EIO with vmm_error 1, the only failure that the message key survives; then, after the usual pause,
 * SNP_GET_REPORT without a table. Nothing else is ever sent: every other failure ends attestation for this boot.
 */
#ifndef CRYPTATTEST_TEE_SEV_GUEST_H
#define CRYPTATTEST_TEE_SEV_GUEST_H

#include "tee/worker.h"

#define SEV_GUEST_DEVICE "dev/sev-guest"
#define SEV_GUEST_PACE_MS 2000

struct snp_request {
	struct tee_shared shared;
	/* in */
	uint32_t vmpl;
	uint8_t data[TEE_REPORT_DATA];
	/* out */
	bool opened, plain;	     /* plain: the table did not fit, report only */
	int error;		     /* errno of open or ioctl, 0 = answered */
	uint32_t fw_error, vmm_error;
	uint32_t status, report_size;
	uint8_t report[SNP_REPORT_SIZE];
	_Alignas(4096) uint8_t certs[CERT_TABLE_MAX];
};

/* In the worker's child. */
void sev_guest_transact(int root_fd, struct tee_shared *shared);
/* 0 when there is a report. Classes and ids of errors.h; also ERR_NOEVIDENCE "tee-driver", "tee-permission" (open),
 * ERR_INTEGRITY "snp-size". */
int sev_guest_judge(const struct snp_request *q, struct err **err);
/* Bytes of the buffer that the table and what it points to take; 0 for an empty table. A pointer past the buffer makes
 * it the whole buffer, which then does not decode. */
size_t sev_guest_table_len(const uint8_t certs[static CERT_TABLE_MAX]);

#endif
